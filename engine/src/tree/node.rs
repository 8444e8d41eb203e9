//! Nodes, and the tree they form.

use std::collections::{BTreeMap, HashMap};

use super::path::{PondPath, join};
use crate::chunks::Chunks;
use crate::error::{Error, Result};

/// A node's number: dense, in the order of creation.
pub type NodeId = u64;

/// The root's number.
pub(crate) const ROOT: NodeId = 0;

/// Nodes that copies of a tree share, or not, together.
const NODES_CHUNK: usize = 64;

/// Links followed in a row before a path counts as a loop.
pub(crate) const LINKS_MAX: usize = 40;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryType {
    /// A directory.
    Dir,
    /// Bytes without further meaning.
    Data,
    /// A table: the last version counts.
    Table,
    /// A time series: all versions together count.
    Series,
    /// A symbolic link; its content is the path it leads to.
    Symlink,
    /// A node that is derived from others.
    Dynamic,
}

impl EntryType {
    /// Every type, with its name in the log and in listings.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Dir, "dir"),
        (Self::Data, "data"),
        (Self::Table, "table"),
        (Self::Series, "series"),
        (Self::Symlink, "symlink"),
        (Self::Dynamic, "dynamic"),
    ];

    /// Returns the name used in the log and in listings.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// Finds a type by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(entry_type, _)| *entry_type)
    }

    /// Tells whether the node holds rows.
    pub fn is_queryable(self) -> bool {
        matches!(self, Self::Table | Self::Series)
    }
}

/// One node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The directory that holds it; the root holds itself.
    pub parent: NodeId,
    /// The name within that directory.
    pub name: String,
    /// What it is.
    pub entry_type: EntryType,
    /// Where a symbolic link leads.
    pub target: Option<PondPath>,
}

/// All nodes of one snapshot. A copy shares what neither side changes.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub(super) nodes: Chunks<Node, NODES_CHUNK>,
    /// For each node, its children sorted by name.
    pub(super) children: Chunks<Vec<NodeId>, NODES_CHUNK>,
}

impl Tree {
    /// Builds a tree from nodes in number order, the root first.
    ///
    /// # Errors
    /// If a node's parent does not come before it or is no directory, or if a name is taken twice.
    pub fn build(nodes: Vec<Node>) -> Result<Self, String> {
        let mut tree = Self::default();
        tree.extend(nodes)?;
        Ok(tree)
    }

    /// Adds the next nodes in number order; the first has the number [`Tree::len`].
    ///
    /// # Errors
    /// As [`Tree::build`]; then the tree is of no use.
    pub(crate) fn extend(&mut self, nodes: Vec<Node>) -> Result<(), String> {
        let mut added: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for node in nodes {
            let id = self.nodes.len() as NodeId;
            if id != ROOT {
                let parent = usize::try_from(node.parent).ok().and_then(|parent| self.nodes.get(parent));
                if parent.is_none_or(|parent| parent.entry_type != EntryType::Dir) {
                    return Err(format!("node {id} has no directory as its parent"));
                }
                added.entry(node.parent).or_default().push(id);
            }
            self.nodes.push(node);
            self.children.push(Vec::new());
        }
        added.into_iter().try_for_each(|(parent, children)| self.adopt(parent, children))
    }

    /// Puts new children among those that a directory has, in name order.
    fn adopt(&mut self, parent: NodeId, new: Vec<NodeId>) -> Result<(), String> {
        let taken = || "two nodes of one directory have the same name".to_owned();
        let mut siblings = std::mem::take(&mut self.children[parent as usize]);
        let by_name = |a: &NodeId, b: &NodeId| self.node(*a).name.cmp(&self.node(*b).name);
        if new.len() < siblings.len() / 8 {
            for id in new {
                match siblings.binary_search_by(|sibling| by_name(sibling, &id)) {
                    Ok(_) => return Err(taken()),
                    Err(place) => siblings.insert(place, id),
                }
            }
        } else {
            siblings.extend(new);
            siblings.sort_by(by_name);
            if siblings.windows(2).any(|pair| by_name(&pair[0], &pair[1]).is_eq()) {
                return Err(taken());
            }
        }
        self.children[parent as usize] = siblings;
        Ok(())
    }

    /// Returns the number of nodes, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Tells whether there is not even a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns a node.
    ///
    /// # Panics
    /// If the number is not of this tree.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// Returns the children of a directory in name order; none for other nodes.
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        &self.children[id as usize]
    }

    /// Returns a child by its name, without resolving it if it is a link.
    pub fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        let siblings = self.children(id);
        let found = siblings.binary_search_by(|child| self.node(*child).name.as_str().cmp(name)).ok()?;
        Some(siblings[found])
    }

    /// Returns a node's own path, through no link.
    pub fn path_of(&self, id: NodeId) -> String {
        if id == ROOT {
            return "/".to_owned();
        }
        let node = self.node(id);
        join(&self.path_of(node.parent), &node.name)
    }

    /// Finds the node at a path, following links; nothing if a component is missing or links loop.
    pub fn resolve(&self, path: &PondPath) -> Option<NodeId> {
        self.resolve_within(path, LINKS_MAX)
    }

    /// Finds the node at a path, or says what may have been meant.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn lookup(&self, path: &PondPath) -> Result<NodeId> {
        self.resolve(path).ok_or_else(|| match self.broken_link(path) {
            Some(reason) => Error::BadPath { path: path.to_string(), reason },
            None => Error::NotFound { path: path.to_string(), near: self.near(path) },
        })
    }

    /// Says which link of a path leads nowhere, if one does.
    fn broken_link(&self, path: &PondPath) -> Option<String> {
        let mut at = ROOT;
        for component in path.components() {
            let child = self.child(at, component)?;
            match self.follow(child, LINKS_MAX) {
                Some(real) => at = real,
                None => {
                    let (link, target) = (self.path_of(child), self.node(child).target.as_ref()?);
                    return Some(format!(
                        "the link {link} leads to {target}, where nothing is; choose another path"
                    ));
                }
            }
        }
        None
    }

    /// Follows a node if it is a link.
    pub(super) fn follow(&self, id: NodeId, links_left: usize) -> Option<NodeId> {
        match &self.node(id).target {
            None => Some(id),
            Some(target) if links_left > 0 => self.resolve_within(target, links_left - 1),
            Some(_) => None,
        }
    }

    fn resolve_within(&self, path: &PondPath, links_left: usize) -> Option<NodeId> {
        let mut at = ROOT;
        for component in path.components() {
            at = self.follow(self.child(at, component)?, links_left)?;
        }
        Some(at)
    }

    /// Returns an existing path that looks like `path`, for error messages.
    pub fn near(&self, path: &PondPath) -> Option<String> {
        let mut at = ROOT;
        for component in path.components() {
            match self.child(at, component).and_then(|child| self.follow(child, LINKS_MAX)) {
                Some(child) => at = child,
                None => {
                    let names = self.children(at).iter().map(|child| self.node(*child).name.as_str());
                    let close = scenarios::nearest(component, names)?;
                    return Some(join(&self.path_of(at), close));
                }
            }
        }
        None
    }

    /// Returns the numbers of the children by name, for building further nodes on top of this tree.
    pub fn index(&self) -> HashMap<(NodeId, String), NodeId> {
        let nodes = self.nodes.iter().enumerate().skip(1);
        nodes.map(|(id, node)| ((node.parent, node.name.clone()), id as NodeId)).collect()
    }
}
