//! What factories make: recipes for relations, and directories of them.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;

use super::namespace::Namespace;
use super::sql_derived::is_timestamp;
use super::temporal_reduce::ReduceRecipe;
use crate::error::{Error, Result};
use crate::knobs::Reduce;
use crate::metrics::Recorder;
use crate::tree::{EntryType, Match, NodeId, Pattern};

/// The rows of a node for the planner.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The table; of a derived node a view, whose plan is put in place when it is named.
    pub provider: Arc<dyn TableProvider>,
    /// The column of event times, if there is one.
    pub time_column: Option<String>,
}

/// Gives the relations of nodes: built anew each time, or from a cache.
pub(crate) trait Relations {
    /// Returns the relation of a table or series, stored or derived.
    ///
    /// # Errors
    /// If it cannot be made of its inputs.
    fn relation(&self, namespace: &Namespace, node: NodeId) -> Result<Relation>;
}

/// A matched input with its relation.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub found: Match,
    pub relation: Relation,
}

impl Input {
    /// Finds its time column: the one that is named, or its own.
    ///
    /// # Errors
    /// If it has none, or the one that is named holds no times.
    pub(super) fn time(&self, named: Option<&str>) -> Result<String> {
        let failed = |message: String| Error::Derived { path: self.found.path.clone(), message };
        let schema = self.relation.provider.schema();
        let Some(name) = named.or(self.relation.time_column.as_deref()) else {
            return Err(failed("it has no time column of its own; name one as time_column".to_owned()));
        };
        let is_time = |field: &&Arc<Field>| is_timestamp(field.data_type());
        if schema.fields().iter().filter(is_time).any(|field| field.name() == name) {
            return Ok(name.to_owned());
        }
        let times: Vec<&str> = schema.fields().iter().filter(is_time).map(|f| f.name().as_str()).collect();
        let known =
            if times.is_empty() { "it has none".to_owned() } else { format!("it has {}", times.join(", ")) };
        Err(failed(format!("it has no time column '{name}'; {known}")))
    }
}

/// Where and how a recipe is followed.
pub(super) struct Kitchen<'a> {
    pub state: &'a SessionState,
    pub reduce: Reduce,
    pub recorder: &'a Recorder,
}

/// A plan and its time column.
pub(super) struct Planned {
    pub plan: LogicalPlan,
    pub time_column: Option<String>,
}

/// How a relation is made of others.
pub(super) trait Recipe: fmt::Debug + Send + Sync {
    /// Whether it is a table or a series.
    fn entry_type(&self) -> EntryType {
        EntryType::Series
    }

    /// Returns the patterns that find the inputs, in the order in which the plan takes them.
    fn patterns(&self) -> Vec<&Pattern>;

    /// Plans the relation over the matches of each pattern, of which there is one at least.
    ///
    /// # Errors
    /// If the inputs do not have the columns it needs.
    fn plan(&self, inputs: &[Vec<Input>], kitchen: &Kitchen<'_>) -> Result<Planned>;

    /// Checks what can be checked without inputs.
    ///
    /// # Errors
    /// If the configuration cannot be right, whatever the inputs.
    fn check(&self, _state: &SessionState) -> Result<()> {
        Ok(())
    }

    /// Returns the reduction that it is, if it is one.
    fn reduction(&self) -> Option<&ReduceRecipe> {
        None
    }
}

/// How a directory is filled with relations.
pub(super) trait Directory: fmt::Debug + Send + Sync {
    /// Returns the pattern that finds what it is filled from.
    fn pattern(&self) -> &Pattern;

    /// Returns every name that a relation in it may have.
    fn names(&self) -> Vec<String>;

    /// Makes its relations.
    ///
    /// # Errors
    /// If two of them would have the same path.
    fn children(&self, matches: &[Match]) -> Result<Vec<Child>>;
}

/// A relation in a directory.
#[derive(Debug)]
pub(super) struct Child {
    /// The directories above it, within the one that is filled.
    pub folders: Vec<String>,
    pub name: String,
    pub recipe: Arc<dyn Recipe>,
    /// What tells it from others of the same configuration.
    pub variant: String,
    /// Its one input.
    pub input: Match,
}
