//! Matching a pattern against a tree.
//!
//! Matches come in path order. A node is reported once per pattern, on the first path that leads to it;
//! paths through links come after the others, so a node's own path wins.

use std::ops::Range;

use super::node::{LINKS_MAX, NodeId, ROOT, Tree};
use super::pattern::{Component, Pattern, match_ranges};

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
    /// Finds all nodes that a pattern matches; without the index it looks at every child of a directory.
    pub fn find(&self, pattern: &Pattern, indexed: bool) -> Walked {
        let mut walk = Walk {
            tree: self,
            components: &pattern.components,
            indexed,
            path: String::new(),
            captures: Vec::new(),
            seen: Marks::new(self.len() * (pattern.components.len() + 1)),
            reported: Marks::new(self.len()),
            links: Links::Met(false),
            out: Walked::default(),
        };
        walk.enter(ROOT, 0);
        if walk.links == Links::Met(true) {
            walk.seen = Marks::new(self.len() * (pattern.components.len() + 1));
            walk.links = Links::Followed;
            walk.enter(ROOT, 0);
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

/// A set of small numbers.
struct Marks(Vec<u64>);

impl Marks {
    fn new(numbers: usize) -> Self {
        Self(vec![0; numbers.div_ceil(64)])
    }

    /// Adds a number; tells whether it was not there.
    fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (&mut self.0[number / 64], 1 << (number % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// A walk through a tree; only a match allocates.
struct Walk<'a> {
    tree: &'a Tree,
    components: &'a [Component],
    indexed: bool,
    /// The path walked so far; empty at the root.
    path: String,
    /// What each star stood for so far: where it is in the path.
    captures: Vec<Range<usize>>,
    /// Nodes entered, by pattern position: a second visit cannot find anything new.
    seen: Marks,
    reported: Marks,
    links: Links,
    out: Walked,
}

impl Match {
    /// Returns about how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let captures = self.captures.iter().map(|capture| size_of::<String>() + capture.len());
        size_of::<Self>() + self.path.len() + captures.sum::<usize>()
    }
}

impl Walk<'_> {
    /// Matches the components from `level` on against what lies below `at`.
    fn enter(&mut self, at: NodeId, level: usize) {
        let Some(component) = self.components.get(level) else {
            self.report(at);
            return;
        };
        if !self.see(at, level) {
            return;
        }
        match component {
            Component::Literal(name) if !self.indexed => {
                let tree = self.tree;
                for child in tree.children(at) {
                    self.out.visited += 1;
                    if tree.node(*child).name == *name {
                        self.descend(*child, |walk, real| walk.enter(real, level + 1));
                    }
                }
            }
            Component::Literal(name) => {
                self.out.visited += 1;
                if let Some(child) = self.tree.child(at, name) {
                    self.descend(child, |walk, real| walk.enter(real, level + 1));
                }
            }
            Component::Wild(around) => self.each_child(at, |walk, child| {
                let before = walk.captures.len();
                let name = &walk.tree.node(child).name;
                if match_ranges(around, name, walk.path.len() + 1, &mut walk.captures) {
                    walk.descend(child, |walk, real| walk.enter(real, level + 1));
                }
                walk.captures.truncate(before);
            }),
            Component::AnyDepth => {
                // The capture begins with the next component, after its slash.
                let begin = self.path.len() + 1;
                self.captures.push(begin..begin);
                self.any_depth(at, level);
                self.captures.pop();
            }
        }
    }

    /// Lets `**` stand for nothing more, then for one component more; its capture is the last one.
    fn any_depth(&mut self, at: NodeId, level: usize) {
        if level + 1 < self.components.len() || at != ROOT {
            self.enter(at, level + 1);
        }
        self.each_child(at, |walk, child| {
            let capture = walk.captures.len() - 1;
            let before = walk.captures[capture].end;
            walk.descend(child, |walk, real| {
                walk.captures[capture].end = walk.path.len();
                if walk.tree.children(real).is_empty() {
                    walk.enter(real, level + 1);
                } else if walk.see(real, level) {
                    walk.any_depth(real, level);
                }
                walk.captures[capture].end = before;
            });
        });
    }

    /// Does something with each child in name order, links last.
    fn each_child(&mut self, at: NodeId, mut visit: impl FnMut(&mut Self, NodeId)) {
        let (tree, children) = (self.tree, self.tree.children(at));
        self.out.visited += children.len() as u64;
        for links in [false, true] {
            for child in children {
                if tree.node(*child).target.is_some() == links {
                    visit(self, *child);
                }
            }
        }
    }

    /// Goes to a child, or to where it leads if it is a link, and comes back.
    fn descend(&mut self, child: NodeId, visit: impl FnOnce(&mut Self, NodeId)) {
        let Some(real) = self.follow(child) else { return };
        let before = self.path.len();
        self.path.push('/');
        self.path.push_str(&self.tree.node(child).name);
        visit(self, real);
        self.path.truncate(before);
    }

    fn follow(&mut self, child: NodeId) -> Option<NodeId> {
        if self.tree.node(child).target.is_none() {
            return Some(child);
        }
        if self.links != Links::Followed {
            self.links = Links::Met(true);
            return None;
        }
        self.tree.follow(child, LINKS_MAX)
    }

    fn see(&mut self, at: NodeId, level: usize) -> bool {
        self.seen.insert(at as usize * (self.components.len() + 1) + level)
    }

    fn report(&mut self, at: NodeId) {
        if self.reported.insert(at as usize) {
            // A star that stood for nothing may be beyond the end.
            let text = |range: &Range<usize>| self.path.get(range.clone()).unwrap_or_default().to_owned();
            let captures = self.captures.iter().map(text).collect();
            let path = if self.path.is_empty() { "/".to_owned() } else { self.path.clone() };
            self.out.matches.push(Match { node: at, path, captures });
        }
    }
}
