//! Growing a tree: nodes that are derived from others, put on top of those of the log.

use super::node::{EntryType, Node, NodeId, Tree};
use super::path::PondPath;

impl Tree {
    /// Adds a node below a directory and returns its number, the next one.
    ///
    /// # Errors
    /// If the parent is no directory, the name is no valid component, or the name is taken.
    pub(crate) fn add(
        &mut self,
        parent: NodeId,
        name: &str,
        entry_type: EntryType,
    ) -> Result<NodeId, String> {
        if self.node(parent).entry_type != EntryType::Dir {
            let found = self.node(parent).entry_type.name();
            return Err(format!("{} is a {found}, and a dir is needed", self.path_of(parent)));
        }
        PondPath::root().child(name).map_err(|error| error.to_string())?;
        let siblings = &self.children[parent as usize];
        let place = match siblings.binary_search_by(|child| self.node(*child).name.as_str().cmp(name)) {
            Ok(taken) => return Err(format!("{} is there already", self.path_of(siblings[taken]))),
            Err(place) => place,
        };
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node { parent, name: name.to_owned(), entry_type, target: None });
        self.children.push(Vec::new());
        self.children[parent as usize].insert(place, id);
        Ok(id)
    }

    /// Changes what a node is: a dynamic one becomes what its factory makes of it.
    pub(crate) fn set_type(&mut self, id: NodeId, entry_type: EntryType) {
        debug_assert!(self.children(id).is_empty(), "what has children stays a directory");
        self.nodes[id as usize].entry_type = entry_type;
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::ROOT;
    use super::*;

    fn rooted() -> Tree {
        let root = Node { parent: ROOT, name: String::new(), entry_type: EntryType::Dir, target: None };
        Tree::build(vec![root]).unwrap()
    }

    #[test]
    fn children_stay_in_name_order() {
        let mut tree = rooted();
        for name in ["m", "z", "a", "k"] {
            tree.add(ROOT, name, EntryType::Series).unwrap();
        }
        let names: Vec<&str> = tree.children(ROOT).iter().map(|id| tree.node(*id).name.as_str()).collect();
        assert_eq!(names, ["a", "k", "m", "z"]);
        assert_eq!(tree.child(ROOT, "z"), Some(2));
    }

    #[test]
    fn what_cannot_be_added_is_named() {
        let mut tree = rooted();
        let series = tree.add(ROOT, "a", EntryType::Series).unwrap();
        assert_eq!(tree.add(ROOT, "a", EntryType::Dir).unwrap_err(), "/a is there already");
        assert_eq!(tree.add(series, "b", EntryType::Dir).unwrap_err(), "/a is a series, and a dir is needed");
        assert!(tree.add(ROOT, "a/b", EntryType::Dir).is_err());
    }
}
