//! Which directories a pattern may look into, before they have children.
//!
//! A directory that a factory fills must be filled before a pattern that may find something in it is
//! matched. The walk here is that of [`Tree::find`], but it asks only where it would look.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::node::{LINKS_MAX, NodeId, ROOT, Tree};
use super::pattern::{Component, Pattern, match_name};

/// Directories that are still to be filled, with the names that files in them may have.
pub(crate) type Unfilled = BTreeMap<NodeId, Vec<String>>;

impl Tree {
    /// Returns those of `unfilled` in which a pattern might find something once they are filled.
    pub(crate) fn reached(&self, pattern: &Pattern, unfilled: &Unfilled) -> BTreeSet<NodeId> {
        let mut reach = Reach {
            tree: self,
            components: &pattern.components,
            unfilled,
            seen: HashSet::new(),
            found: BTreeSet::new(),
        };
        reach.enter(ROOT, 0);
        reach.found
    }
}

struct Reach<'a> {
    tree: &'a Tree,
    components: &'a [Component],
    unfilled: &'a Unfilled,
    seen: HashSet<(NodeId, usize)>,
    found: BTreeSet<NodeId>,
}

impl Reach<'_> {
    /// Looks into `at` for what the components from `level` on match.
    fn enter(&mut self, at: NodeId, level: usize) {
        let Some(component) = self.components.get(level) else { return };
        if !self.seen.insert((at, level)) {
            return;
        }
        if let Some(names) = self.unfilled.get(&at)
            && names.iter().any(|name| self.ends_with(name))
        {
            self.found.insert(at);
        }
        match component {
            Component::Literal(name) => {
                if let Some(child) = self.tree.child(at, name) {
                    self.step(child, level + 1);
                }
            }
            Component::Wild(around) => {
                for child in self.tree.children(at) {
                    if match_name(around, &self.tree.node(*child).name).is_some() {
                        self.step(*child, level + 1);
                    }
                }
            }
            Component::AnyDepth => {
                self.enter(at, level + 1);
                for child in self.tree.children(at) {
                    self.step(*child, level);
                }
            }
        }
    }

    fn step(&mut self, child: NodeId, level: usize) {
        if let Some(real) = self.follow(child, LINKS_MAX) {
            self.enter(real, level);
        }
    }

    /// Follows a link; a directory that is still to be filled on its way counts as reached.
    fn follow(&mut self, id: NodeId, links_left: usize) -> Option<NodeId> {
        let tree = self.tree;
        let Some(target) = &tree.node(id).target else { return Some(id) };
        let links_left = links_left.checked_sub(1)?;
        let mut at = ROOT;
        for component in target.components() {
            if self.unfilled.contains_key(&at) {
                self.found.insert(at);
            }
            at = self.follow(tree.child(at, component)?, links_left)?;
        }
        Some(at)
    }

    /// Tells whether the pattern's last component matches a name.
    fn ends_with(&self, name: &str) -> bool {
        match self.components.last() {
            Some(Component::Literal(text)) => text == name,
            Some(Component::Wild(around)) => match_name(around, name).is_some(),
            Some(Component::AnyDepth) => true,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::{EntryType, Node};
    use super::super::path::PondPath;
    use super::*;

    /// `/a` and `/b` are to be filled with `res=1h.series`; `/c/link` leads into `/b`.
    fn tree() -> (Tree, Unfilled) {
        let node = |parent, name: &str, entry_type, target: Option<&str>| Node {
            parent,
            name: name.to_owned(),
            entry_type,
            target: target.map(|path| PondPath::parse(path).unwrap()),
        };
        let tree = Tree::build(vec![
            node(0, "", EntryType::Dir, None),
            node(0, "a", EntryType::Dir, None),
            node(0, "b", EntryType::Dir, None),
            node(0, "c", EntryType::Dir, None),
            node(3, "link", EntryType::Symlink, Some("/b/x/res=1h.series")),
            node(3, "loop", EntryType::Symlink, Some("/c/loop")),
        ]);
        let names = || vec!["res=1h.series".to_owned()];
        (tree.unwrap(), [(1, names()), (2, names())].into())
    }

    #[test]
    fn only_what_may_be_found_counts() {
        let (tree, unfilled) = tree();
        let check = |pattern: &str, expect: &[NodeId]| {
            let found = tree.reached(&Pattern::parse(pattern).unwrap(), &unfilled);
            assert_eq!(found, expect.iter().copied().collect(), "{pattern}");
        };
        check("/**/*.series", &[1, 2]);
        check("/**", &[1, 2]);
        check("/*/x/res=*.series", &[1, 2]);
        check("/a/**/res=1h.series", &[1]);
        check("/a", &[]);
        check("/**/sonde.series", &[2]);
        check("/a/**/sonde.series", &[]);
        check("/c/link", &[2]);
        check("/c/loop", &[]);
    }
}
