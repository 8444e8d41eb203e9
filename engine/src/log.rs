//! The log: a Delta table of entries, from which every snapshot of the pond is built.
//!
//! One transaction is one Delta commit, all or nothing. Writers take a lock file and wait for each other;
//! should the lock fail them (a network file system may), Delta's own conflict check refuses the second
//! commit. A [`Snapshot`] is pinned: it reads the entry files of its version only.
//!
//! Cost of opening: Delta checkpoints keep the log's replay short, expired commit files are removed, and
//! small entry files are folded into larger ones of the next size class, so a pond of thousands of
//! commits opens from a few dozen files.

mod analysis;
mod checked;
mod commit;
mod content;
mod entry;
mod files;
mod fold;
mod history;
mod layout;
mod rows;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;

pub use analysis::LogAnalysis;
pub(crate) use commit::{NewVersion, Transaction};
pub(crate) use content::{Content, ContentWriter, Digest, NewContent};
pub use entry::{CommitRecord, Version};
pub use history::Summary;
pub(crate) use layout::Layout;
pub use layout::POND_FORMAT;
pub use snapshot::Snapshot;
pub(crate) use table::Log;
