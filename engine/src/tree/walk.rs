//! Matching a pattern against a tree.
//!
//! Matches come in path order. A node is reported once per pattern, on the first path that leads to it;
//! paths through links come after the others, so a node's own path wins.

use std::collections::HashSet;

use super::node::{LINKS_MAX, NodeId, ROOT, Tree};
use super::path::join;
use super::pattern::{Component, Pattern, match_name};

/// A node that a pattern matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The node, links followed.
    pub node: NodeId,
    /// The path by which it was reached.
    pub path: String,
    /// What each star stood for, in order.
    pub captures: Vec<String>,
}

/// What a walk found, and how many nodes it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// The matches in path order.
    pub matches: Vec<Match>,
    /// Nodes looked at.
    pub visited: u64,
}

impl Tree {
    /// Finds all nodes that a pattern matches.
    pub fn find(&self, pattern: &Pattern) -> Walked {
        let mut walk = Walk {
            tree: self,
            components: &pattern.components,
            seen: HashSet::new(),
            reported: HashSet::new(),
            links: Links::Met(false),
            out: Walked::default(),
        };
        walk.enter(ROOT, "/", 0, &mut Vec::new());
        if walk.links == Links::Met(true) {
            (walk.seen, walk.links) = (HashSet::new(), Links::Followed);
            walk.enter(ROOT, "/", 0, &mut Vec::new());
        }
        let mut out = walk.out;
        out.matches.sort_by(|a, b| a.path.cmp(&b.path));
        out
    }
}

/// What a walk does with links: the first one passes them by, so that a node's own path is found before
/// any other, and a second one follows them if there were any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Met(bool),
    Followed,
}

struct Walk<'a> {
    tree: &'a Tree,
    components: &'a [Component],
    /// Directories entered, by pattern position: a second visit cannot find anything new.
    seen: HashSet<(NodeId, usize)>,
    reported: HashSet<NodeId>,
    links: Links,
    out: Walked,
}

impl Walk<'_> {
    /// Matches the components from `level` on against what lies below `at`.
    fn enter(&mut self, at: NodeId, path: &str, level: usize, captures: &mut Vec<String>) {
        let Some(component) = self.components.get(level) else {
            if self.reported.insert(at) {
                let found = Match { node: at, path: path.to_owned(), captures: captures.clone() };
                self.out.matches.push(found);
            }
            return;
        };
        if !self.seen.insert((at, level)) {
            return;
        }
        match component {
            Component::Literal(name) => {
                self.out.visited += 1;
                if let Some(child) = self.tree.child(at, name) {
                    self.descend(child, path, level + 1, captures);
                }
            }
            Component::Wild(around) => {
                for child in self.ordered_children(at) {
                    self.out.visited += 1;
                    if let Some(found) = match_name(around, &self.tree.node(child).name) {
                        let before = captures.len();
                        captures.extend(found);
                        self.descend(child, path, level + 1, captures);
                        captures.truncate(before);
                    }
                }
            }
            Component::AnyDepth => {
                captures.push(String::new());
                self.any_depth(at, path, level, captures);
                captures.pop();
            }
        }
    }

    /// Lets `**` stand for nothing more, then for one component more; its capture is the last one.
    fn any_depth(&mut self, at: NodeId, path: &str, level: usize, captures: &mut Vec<String>) {
        if level + 1 < self.components.len() || at != ROOT {
            self.enter(at, path, level + 1, captures);
        }
        for child in self.ordered_children(at) {
            self.out.visited += 1;
            let Some(real) = self.follow(child) else { continue };
            let name = &self.tree.node(child).name;
            let child_path = join(path, name);
            let outer = captures.last().expect("the capture of this ** was pushed").clone();
            let longer = if outer.is_empty() { name.clone() } else { format!("{outer}/{name}") };
            *captures.last_mut().expect("the capture of this ** was pushed") = longer;
            if self.tree.children(real).is_empty() {
                self.enter(real, &child_path, level + 1, captures);
            } else if self.seen.insert((real, level)) {
                self.any_depth(real, &child_path, level, captures);
            }
            *captures.last_mut().expect("the capture of this ** was pushed") = outer;
        }
    }

    fn descend(&mut self, child: NodeId, path: &str, level: usize, captures: &mut Vec<String>) {
        if let Some(real) = self.follow(child) {
            let child_path = join(path, &self.tree.node(child).name);
            self.enter(real, &child_path, level, captures);
        }
    }

    fn follow(&mut self, child: NodeId) -> Option<NodeId> {
        if self.links != Links::Followed && self.tree.node(child).target.is_some() {
            self.links = Links::Met(true);
            return None;
        }
        self.tree.follow(child, LINKS_MAX)
    }

    /// Returns children in name order, links last.
    fn ordered_children(&self, at: NodeId) -> Vec<NodeId> {
        let (links, own): (Vec<NodeId>, Vec<NodeId>) =
            self.tree.children(at).iter().partition(|child| self.tree.node(**child).target.is_some());
        own.into_iter().chain(links).collect()
    }
}
