//! Expansion: the dynamic nodes of the log become what their factories make of them.
//!
//! What a node is follows from its configuration alone, so relations and directories are put in place first.
//! Directories that are filled from what a pattern matches come next, those first in which no other's pattern
//! could find something. The patterns of relations are matched when they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::definition::{Candidate, Definition, Made};
use super::namespace::{Derived, Grown, What};
use super::recipe::{Child, Directory};
use crate::error::{Error, Result};
use crate::log::Snapshot;
use crate::metrics::Counter;
use crate::tree::{EntryType, Match, NodeId, PondPath, ROOT, Tree, Unfilled};

/// The attributes of a dynamic node's version.
#[derive(Deserialize)]
struct Attributes {
    factory: String,
}

/// An expansion that is going on.
pub(super) struct Expansion {
    tree: Tree,
    derived: BTreeMap<NodeId, Derived>,
    unfilled: BTreeMap<NodeId, Hollow>,
}

/// A directory that is still to be filled.
struct Hollow {
    factory: &'static str,
    origin: NodeId,
    digest: [u8; 32],
    directory: Arc<dyn Directory>,
}

impl Expansion {
    /// Expands a snapshot, with a node that is about to be made; nothing if there is no dynamic node.
    pub(super) fn of(snapshot: &Snapshot, candidate: Option<&Candidate>) -> Result<Option<Grown>> {
        let tree = snapshot.tree();
        let is_dynamic = |node: &NodeId| tree.node(*node).entry_type == EntryType::Dynamic;
        let dynamic: Vec<NodeId> = (0..tree.len() as NodeId).filter(is_dynamic).collect();
        if dynamic.is_empty() && candidate.is_none() {
            return Ok(None);
        }
        let mut expansion = Self { tree: tree.clone(), derived: BTreeMap::new(), unfilled: BTreeMap::new() };
        let made = match candidate {
            Some(candidate) => Some((expansion.place(&candidate.path)?, candidate)),
            None => None,
        };
        for node in dynamic {
            if made.is_some_and(|(made, _)| made == node) {
                continue;
            }
            let definition = stored(snapshot, node)?;
            expansion.put(node, node, &definition)?;
        }
        if let Some((node, candidate)) = made {
            expansion.put(node, node, &candidate.definition)?;
        }
        expansion.fill_all(snapshot)?;
        Ok(Some(Grown { tree: expansion.tree, derived: expansion.derived }))
    }

    /// Finds the dynamic node at a path, or makes it with its directories.
    fn place(&mut self, path: &PondPath) -> Result<NodeId> {
        let bad = |reason: String| Error::BadPath { path: path.to_string(), reason };
        let mut at = ROOT;
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            let is_last = components.peek().is_none();
            let wanted = if is_last { EntryType::Dynamic } else { EntryType::Dir };
            at = match self.tree.child(at, component) {
                Some(child) => child,
                None => self.tree.add(at, component, wanted).map_err(bad)?,
            };
            let found = self.tree.node(at).entry_type;
            if found != wanted {
                let (path, expected) = (self.tree.path_of(at), wanted.name());
                return Err(Error::WrongType { path, found: found.name(), expected });
            }
        }
        if at == ROOT {
            return Err(bad("it is the root; choose a path below it".to_owned()));
        }
        Ok(at)
    }

    /// Makes a dynamic node what its definition says.
    fn put(&mut self, node: NodeId, origin: NodeId, definition: &Definition) -> Result<()> {
        let (factory, digest) = (definition.factory, definition.digest);
        let (entry_type, what) = match &definition.made {
            Made::Relation(recipe) => (recipe.entry_type(), What::Relation(Arc::clone(recipe))),
            Made::Directory(_) | Made::Entries(_) => (EntryType::Dir, What::Directory),
        };
        self.tree.set_type(node, entry_type);
        self.derived.insert(node, Derived::new(factory, origin, what, digest));
        match &definition.made {
            Made::Relation(_) => {}
            Made::Directory(directory) => {
                let directory = Arc::clone(directory);
                self.unfilled.insert(node, Hollow { factory, origin, digest, directory });
            }
            Made::Entries(entries) => {
                for (name, definition) in entries {
                    let entry = self.add(node, name, EntryType::Dynamic)?;
                    self.put(entry, origin, definition)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, parent: NodeId, name: &str, entry_type: EntryType) -> Result<NodeId> {
        let added = self.tree.add(parent, name, entry_type);
        added.map_err(|message| Error::Derived { path: self.tree.path_of(parent), message })
    }

    /// Fills the directories, each after those that it may look into.
    fn fill_all(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut after = self.dependencies();
        while let Some(next) = after.iter().find(|(_, others)| others.is_empty()).map(|(node, _)| *node) {
            after.remove(&next);
            after.values_mut().for_each(|others| {
                others.remove(&next);
            });
            let hollow = self.unfilled.remove(&next).expect("each directory is filled once");
            self.fill(next, &hollow, snapshot)?;
        }
        let Some((node, others)) = after.first_key_value() else { return Ok(()) };
        let other = others.first().copied().unwrap_or(*node);
        let message = format!(
            "its in_pattern may match what is made in {}, whose in_pattern may match what is made here; choose \
             narrower patterns",
            self.tree.path_of(other)
        );
        Err(Error::Derived { path: self.tree.path_of(*node), message })
    }

    /// Returns for each directory those in which its pattern might find something. Its own is never looked
    /// into.
    fn dependencies(&self) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
        let names: Unfilled =
            self.unfilled.iter().map(|(node, hollow)| (*node, hollow.directory.names())).collect();
        let of = |(node, hollow): (&NodeId, &Hollow)| {
            if names.len() == 1 {
                return (*node, BTreeSet::new());
            }
            let mut others = self.tree.reached(hollow.directory.pattern(), &names);
            others.remove(node);
            (*node, others)
        };
        self.unfilled.iter().map(of).collect()
    }

    fn fill(&mut self, node: NodeId, hollow: &Hollow, snapshot: &Snapshot) -> Result<()> {
        let walked = self.tree.find(hollow.directory.pattern(), true);
        snapshot.recorder().count(Counter::NodesVisited, walked.visited);
        let is_queryable = |found: &Match| self.tree.node(found.node).entry_type.is_queryable();
        let matches: Vec<_> = walked.matches.into_iter().filter(is_queryable).collect();
        for child in hollow.directory.children(&matches)? {
            self.add_child(node, hollow, child)?;
        }
        Ok(())
    }

    fn add_child(&mut self, directory: NodeId, hollow: &Hollow, child: Child) -> Result<()> {
        let Hollow { factory, origin, digest, .. } = *hollow;
        let mut at = directory;
        for folder in &child.folders {
            at = match self.tree.child(at, folder) {
                Some(known) => known,
                None => {
                    let made = self.add(at, folder, EntryType::Dir)?;
                    self.derived.insert(made, Derived::new(factory, origin, What::Directory, digest));
                    made
                }
            };
        }
        let node = self.add(at, &child.name, child.recipe.entry_type())?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&digest).update(child.variant.as_bytes());
        let digest = *hasher.finalize().as_bytes();
        let derived = Derived::new(factory, origin, What::Relation(child.recipe), digest);
        derived.inputs.set(vec![vec![child.input]]).expect("a new node has no inputs yet");
        self.derived.insert(node, derived);
        Ok(())
    }
}

/// Reads the definition of a dynamic node from the log.
fn stored(snapshot: &Snapshot, node: NodeId) -> Result<Definition> {
    let path = snapshot.tree().path_of(node);
    let damaged = |detail: String| Error::Damaged { place: path.clone(), detail };
    let contents = snapshot.contents(node)?;
    let (version, content) = contents.last().ok_or_else(|| damaged("it has no configuration".to_owned()))?;
    let attributes = version.attributes.as_deref().unwrap_or_default();
    let attributes: Attributes =
        serde_json::from_str(attributes).map_err(|error| damaged(format!("its attributes: {error}")))?;
    let bytes = content.whole()?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("its configuration is no text".to_owned()))?;
    Definition::read(&attributes.factory, text, &format!("the config of {path}"))
}
