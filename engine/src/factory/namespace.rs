//! Namespaces: a snapshot with its derived nodes in place.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use datafusion::execution::context::SessionState;
use scenarios::Stage;

use super::definition::Candidate;
use super::expansion::Expansion;
use super::identity::Identity;
use super::recipe::{Input, Kitchen, Recipe, Relation, Relations};
use super::temporal_reduce::Reduction;
use super::union::view;
use crate::error::{Error, Result};
use crate::knobs::Reduce;
use crate::log::Snapshot;
use crate::metrics::Counter;
use crate::tree::{EntryType, Match, NodeId, Pattern, Tree};

/// A snapshot with its derived nodes in place; like the snapshot, it never changes.
///
/// Stored nodes keep their numbers. Derived nodes of directories are numbered after them, in an order that
/// follows from the snapshot alone.
#[derive(Debug)]
pub(crate) struct Namespace {
    snapshot: Arc<Snapshot>,
    reduce: Reduce,
    /// Nothing if there is no derived node: then the tree is the snapshot's.
    grown: Option<Grown>,
}

/// A tree with derived nodes, and what they are.
#[derive(Debug)]
pub(super) struct Grown {
    pub tree: Tree,
    pub derived: BTreeMap<NodeId, Derived>,
}

/// A derived node.
#[derive(Debug)]
pub(crate) struct Derived {
    /// The factory that made it.
    pub factory: &'static str,
    /// The node of the log with the configuration.
    pub origin: NodeId,
    pub(super) what: What,
    /// The digest of its configuration, and of what tells it from others of the same.
    pub(super) digest: [u8; 32],
    pub(super) inputs: OnceLock<Vec<Vec<Match>>>,
    pub(super) identity: OnceLock<Identity>,
}

/// A derived directory, or a relation.
#[derive(Debug)]
pub(super) enum What {
    Directory,
    Relation(Arc<dyn Recipe>),
}

impl Namespace {
    /// Puts the derived nodes of a snapshot in place; `reduce` is the form that reductions take in SQL.
    ///
    /// # Errors
    /// If a configuration is of a newer version, or nodes of two factories would have the same path.
    pub(crate) fn expand(snapshot: &Arc<Snapshot>, reduce: Reduce) -> Result<Self> {
        Self::grow(snapshot, reduce, None)
    }

    /// Does the same as if a node had been made already.
    ///
    /// # Errors
    /// As [`Namespace::expand`], or if the node does not fit.
    pub(crate) fn with(snapshot: &Arc<Snapshot>, reduce: Reduce, candidate: &Candidate) -> Result<Self> {
        Self::grow(snapshot, reduce, Some(candidate))
    }

    fn grow(snapshot: &Arc<Snapshot>, reduce: Reduce, candidate: Option<&Candidate>) -> Result<Self> {
        let _stage = snapshot.recorder().stage(Stage::Factory);
        let grown = Expansion::of(snapshot, candidate)?;
        Ok(Self { snapshot: Arc::clone(snapshot), reduce, grown })
    }

    /// Returns the snapshot.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Returns the tree with the derived nodes.
    pub(crate) fn tree(&self) -> &Tree {
        self.grown.as_ref().map_or(self.snapshot.tree(), |grown| &grown.tree)
    }

    /// Returns what a node is derived by, if it is.
    pub(crate) fn derived(&self, node: NodeId) -> Option<&Derived> {
        self.grown.as_ref()?.derived.get(&node)
    }

    /// Returns the digest of what derived nodes there are; zero if there are none.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let Some(grown) = &self.grown else { return [0; 32] };
        let mut hasher = blake3::Hasher::new();
        for (node, derived) in &grown.derived {
            hasher.update(&node.to_le_bytes()).update(&derived.digest);
        }
        *hasher.finalize().as_bytes()
    }

    pub(super) fn reduce(&self) -> Reduce {
        self.reduce
    }

    /// Returns the derived nodes that a node of the log makes, itself among them.
    pub(super) fn made_by(&self, origin: NodeId) -> impl Iterator<Item = (NodeId, &Derived)> {
        let all = self.grown.iter().flat_map(|grown| &grown.derived);
        all.filter(move |(_, derived)| derived.origin == origin).map(|(node, derived)| (*node, derived))
    }

    /// Returns what the patterns of a derived node match, for each of them.
    pub(crate) fn inputs(&self, node: NodeId) -> Result<&[Vec<Match>]> {
        let Some(derived) = self.derived(node) else { return Ok(&[]) };
        let inputs = derived.inputs.get_or_init(|| match &derived.what {
            What::Directory => Vec::new(),
            What::Relation(recipe) => {
                recipe.patterns().into_iter().map(|pattern| self.matches(node, pattern)).collect()
            }
        });
        Ok(inputs)
    }

    /// Finds the tables and series that a pattern matches, apart from `node` itself.
    fn matches(&self, node: NodeId, pattern: &Pattern) -> Vec<Match> {
        let recorder = self.snapshot.recorder();
        let _stage = recorder.stage(Stage::PatternMatch);
        let walked = self.tree().find(pattern, true);
        recorder.count(Counter::NodesVisited, walked.visited);
        let counts =
            |found: &Match| found.node != node && self.tree().node(found.node).entry_type.is_queryable();
        walked.matches.into_iter().filter(counts).collect()
    }

    /// Makes the relation of a derived table or series; those of its inputs come from `relations`.
    ///
    /// # Errors
    /// If the node holds no rows, a pattern matches nothing, or the inputs do not fit.
    pub(crate) fn relation(
        &self,
        node: NodeId,
        state: &SessionState,
        relations: &dyn Relations,
    ) -> Result<Relation> {
        let Some(Derived { what: What::Relation(recipe), .. }) = self.derived(node) else {
            let (path, found) = (self.tree().path_of(node), EntryType::Dir.name());
            return Err(Error::WrongType { path, found, expected: EntryType::Series.name() });
        };
        let recorder = self.snapshot.recorder();
        let _stage = recorder.stage(Stage::Factory);
        // An identity is had only by what is not made of itself.
        self.identity(node)?;
        let inputs = self.inputs_of(node, recipe.as_ref(), relations)?;
        recorder.count(Counter::RelationsBuilt, 1);
        let kitchen = Kitchen { state, reduce: self.reduce, recorder };
        let planned = recipe.plan(&inputs, &kitchen).map_err(|error| self.at(node, error))?;
        Ok(Relation { provider: view(planned.plan), time_column: planned.time_column })
    }

    fn inputs_of(
        &self,
        node: NodeId,
        recipe: &dyn Recipe,
        relations: &dyn Relations,
    ) -> Result<Vec<Vec<Input>>> {
        let patterns = recipe.patterns();
        let mut inputs = Vec::new();
        for (number, matches) in self.inputs(node)?.iter().enumerate() {
            if matches.is_empty() {
                let message = format!(
                    "its pattern '{}' matches no table or series; import some, or give it another configuration with \
                     `pond mknod`",
                    patterns[number].as_str()
                );
                return Err(Error::Derived { path: self.tree().path_of(node), message });
            }
            let mut of_pattern = Vec::with_capacity(matches.len());
            for found in matches {
                let relation = relations.relation(self, found.node)?;
                of_pattern.push(Input { found: found.clone(), relation });
            }
            inputs.push(of_pattern);
        }
        Ok(inputs)
    }

    /// Says of which node an error of the planner is.
    fn at(&self, node: NodeId, error: Error) -> Error {
        let path = || self.tree().path_of(node);
        match error {
            Error::Query(message) => Error::Derived { path: path(), message: message.replace('\n', " ") },
            Error::Arrow(error) => Error::Derived { path: path(), message: error.to_string() },
            // What is said of an input is so because of this node.
            Error::Derived { path: input, message } => {
                Error::Derived { path: path(), message: format!("{input}: {message}") }
            }
            other => other,
        }
    }

    /// Returns how a series is reduced from another, if it is; for computing it without SQL.
    ///
    /// # Errors
    /// As [`Namespace::relation`], of its input.
    pub(crate) fn reduction(&self, node: NodeId, relations: &dyn Relations) -> Result<Option<Reduction>> {
        let Some(recipe) = self.derived(node).and_then(Derived::reduce_recipe) else { return Ok(None) };
        self.identity(node)?;
        let found = self.inputs(node)?[0][0].clone();
        let relation = relations.relation(self, found.node)?;
        let input = found.node;
        let resolved = recipe.resolve(&Input { found, relation }).map_err(|error| self.at(node, error));
        let (time, columns) = resolved?;
        let resolution_us = recipe.resolution_us();
        Ok(Some(Reduction { input, time, resolution_us, columns, siblings: self.siblings(node, input) }))
    }

    /// Returns the width of a reduced series' buckets in microseconds; nothing of other nodes.
    pub(crate) fn resolution_us(&self, node: NodeId) -> Option<i64> {
        self.derived(node)?.reduce_recipe().map(|recipe| recipe.resolution_us())
    }

    /// Finds the reductions of one input by one node, finest first.
    fn siblings(&self, node: NodeId, input: NodeId) -> Vec<NodeId> {
        let mut siblings = Vec::new();
        for child in self.tree().children(self.tree().node(node).parent) {
            let Some(derived) = self.derived(*child) else { continue };
            let Some(recipe) = derived.reduce_recipe() else { continue };
            if derived.inputs.get().is_some_and(|inputs| inputs[0][0].node == input) {
                siblings.push((recipe.resolution_us(), *child));
            }
        }
        siblings.sort_unstable();
        siblings.into_iter().map(|(_, child)| child).collect()
    }

    /// Tells whether every pattern of a node, and of those it is made of, matches something.
    pub(super) fn is_ready(&self, node: NodeId) -> Result<bool> {
        for matches in self.inputs(node)? {
            if matches.is_empty() {
                return Ok(false);
            }
            for found in matches {
                if !self.is_ready(found.node)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Derived {
    pub(super) fn new(factory: &'static str, origin: NodeId, what: What, digest: [u8; 32]) -> Self {
        Self { factory, origin, what, digest, inputs: OnceLock::new(), identity: OnceLock::new() }
    }

    pub(super) fn reduce_recipe(&self) -> Option<&super::temporal_reduce::ReduceRecipe> {
        match &self.what {
            What::Relation(recipe) => recipe.reduction(),
            What::Directory => None,
        }
    }
}
