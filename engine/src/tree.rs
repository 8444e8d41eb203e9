//! The virtual file system of a pond: nodes, paths and patterns, all in memory.
//!
//! A [`Tree`] is built from one log snapshot and never changes. Node numbers are dense and given in the
//! order of creation, so a node's number is its index. Symbolic links are resolved on the way, at most
//! [`node::LINKS_MAX`] in a row; a link that leads nowhere matches nothing.

mod grow;
mod node;
mod path;
mod pattern;
mod reach;
mod walk;

pub(crate) use node::ROOT;
pub use node::{EntryType, Node, NodeId, Tree};
pub use path::PondPath;
pub use pattern::Pattern;
pub(crate) use pattern::match_name;
pub(crate) use reach::Unfilled;
pub use walk::{Match, Walked};
