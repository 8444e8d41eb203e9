//! Views: a namespace with the caches of its pond's handle, to find, show and open its nodes.

use std::sync::{Arc, OnceLock};

use datafusion::execution::context::SessionState;

use super::definition::Candidate;
use super::namespace::{Namespace, What};
use super::recipe::{Relation, Relations};
use super::temporal_reduce::Reduction;
use crate::error::Result;
use crate::query::{Planner, QueryOptions, Shown, Source};
use crate::series::Series;
use crate::tree::{Match, NodeId, Pattern};

/// A namespace, seen through the planner of its pond's handle.
#[derive(Debug)]
pub(crate) struct View<'a> {
    namespace: Arc<Namespace>,
    planner: &'a Planner,
    state: OnceLock<SessionState>,
}

impl<'a> View<'a> {
    /// Makes a view.
    pub(crate) fn new(namespace: Arc<Namespace>, planner: &'a Planner) -> Self {
        Self { namespace, planner, state: OnceLock::new() }
    }

    /// Returns the namespace.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Returns the planner.
    pub(crate) fn planner(&self) -> &'a Planner {
        self.planner
    }

    /// Finds the nodes that a pattern matches, in path order.
    pub(crate) fn find(&self, pattern: &Pattern) -> Arc<[Match]> {
        let (namespace, stored) = (&self.namespace, self.namespace.snapshot().tree().len());
        self.planner.find(namespace.tree(), (stored, namespace.digest()), pattern)
    }

    /// Opens a stored table or series.
    ///
    /// # Errors
    /// As [`Planner::series`].
    pub(crate) fn series(&self, node: NodeId, path: &str) -> Result<Series> {
        self.planner.series(self.namespace.snapshot(), node, path)
    }

    /// Shows a table or series, stored or derived, to DataFusion.
    ///
    /// # Errors
    /// If it holds no rows, or cannot be made of its inputs.
    pub(crate) fn shown(&self, node: NodeId) -> Result<Shown> {
        if self.namespace.derived(node).is_none() {
            let path = self.namespace.tree().path_of(node);
            return self.planner.shown_series(&self.series(node, &path)?);
        }
        let source = Source::Derived(self.namespace.identity(node)?);
        self.planner.shown(source, || {
            let made = self.namespace.relation(node, self.state()?, self)?;
            Ok(Shown { source, provider: made.provider, time_column: made.time_column })
        })
    }

    /// Returns how a series is reduced from another, if it is.
    ///
    /// # Errors
    /// As [`View::shown`], of its input.
    pub(crate) fn reduction(&self, node: NodeId) -> Result<Option<Reduction>> {
        self.namespace.reduction(node, self)
    }

    /// Checks the nodes that `candidate` makes with everything that is there.
    ///
    /// # Errors
    /// If they are made of themselves, or cannot be planned over what they match now.
    pub(crate) fn check(&self, candidate: &Candidate) -> Result<()> {
        candidate.definition.check(self.state()?)?;
        let namespace = self.namespace();
        let Some(origin) = namespace.tree().resolve(&candidate.path) else { return Ok(()) };
        let mut reduced = None;
        for (node, derived) in namespace.made_by(origin) {
            let What::Relation(_) = &derived.what else { continue };
            namespace.identity(node)?;
            if !namespace.is_ready(node)? {
                // What is to be imported later is no mistake.
                continue;
            }
            if derived.reduce_recipe().is_none() {
                self.shown(node)?;
                continue;
            }
            // The resolutions of one input differ in one number only.
            let parent = namespace.tree().node(node).parent;
            if reduced.replace(parent) == Some(parent) {
                continue;
            }
            self.reduction(node)?;
        }
        Ok(())
    }

    /// Returns a session's state to plan with.
    pub(crate) fn state(&self) -> Result<&SessionState> {
        if let Some(state) = self.state.get() {
            return Ok(state);
        }
        let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
        let state = self.planner.session(options)?.state();
        Ok(self.state.get_or_init(|| state))
    }
}

impl Relations for View<'_> {
    fn relation(&self, _: &Namespace, node: NodeId) -> Result<Relation> {
        let shown = self.shown(node)?;
        Ok(Relation { provider: shown.provider, time_column: shown.time_column })
    }
}
