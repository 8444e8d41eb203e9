//! A snapshot: all entries up to one transaction, as a tree with versions.

use std::sync::Arc;

use scenarios::Stage;

use super::content::{Content, Digest, Place};
use super::entry::{CommitRecord, Stored, Version};
use super::history::{Columns, EntryId, History, Loaded, Summary};
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::tree::{EntryType, NodeId, ROOT, Tree};

/// The pond as of one transaction; it never changes.
#[derive(Debug)]
pub struct Snapshot {
    layout: Layout,
    recorder: Arc<Recorder>,
    tree: Tree,
    history: History,
}

impl Snapshot {
    /// Builds a snapshot from entry files in any order.
    ///
    /// # Errors
    /// If they contradict each other.
    pub(super) fn build(layout: &Layout, recorder: &Arc<Recorder>, files: &[Arc<Loaded>]) -> Result<Self> {
        let nothing = Self {
            layout: layout.clone(),
            recorder: Arc::clone(recorder),
            tree: Tree::default(),
            history: History::default(),
        };
        nothing.advance(&[], files)
    }

    /// Builds the snapshot that follows this one when entry files go and come; both share what they can.
    ///
    /// # Errors
    /// If the files contradict each other, or entries have vanished.
    pub(super) fn advance(&self, gone: &[Arc<Loaded>], come: &[Arc<Loaded>]) -> Result<Self> {
        let _stage = self.recorder.stage(Stage::Transaction);
        self.recorder.count(Counter::SnapshotsBuilt, 1);
        let (mut tree, mut history) = (self.tree.clone(), self.history.clone());
        let advanced = history.advance(&mut tree, gone, come).and_then(|()| {
            let root = (!tree.is_empty()).then(|| tree.node(ROOT).entry_type);
            if root == Some(EntryType::Dir) { Ok(()) } else { Err("it has no root directory".to_owned()) }
        });
        let place = || self.layout.log_dir().display().to_string();
        advanced.map_err(|detail| Error::Damaged { place: place(), detail })?;
        Ok(Self { layout: self.layout.clone(), recorder: Arc::clone(&self.recorder), tree, history })
    }

    /// Returns the last transaction that the snapshot contains.
    pub fn txn(&self) -> u64 {
        self.history.txn()
    }

    /// Returns the tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the commits, oldest first.
    pub fn commits(&self) -> Vec<CommitRecord> {
        let commit = |id| {
            let (loaded, row) = self.history.place(id);
            loaded.rows.commit(row)
        };
        self.history.commits().into_iter().map(commit).collect()
    }

    /// Returns the layout of the pond.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the recorder of the pond's handle.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Returns the number of versions of a node; a derived one has none.
    pub fn version_count(&self, node: NodeId) -> usize {
        self.summary(node).versions as usize
    }

    /// Returns what the versions of a node amount to, without looking at each; a derived one has none.
    pub fn summary(&self, node: NodeId) -> Summary {
        self.history.summary(node)
    }

    /// Returns the versions of a node, oldest first.
    pub fn versions(&self, node: NodeId) -> impl Iterator<Item = Version> {
        let version = |id| {
            let (loaded, row) = self.history.place(id);
            loaded.rows.version(row)
        };
        self.history.versions(node).into_iter().map(version)
    }

    /// Returns the different columns that a node's versions have, oldest first.
    pub(super) fn columns(&self, node: NodeId) -> &[Columns] {
        self.history.columns(node)
    }

    /// Returns the versions that count when a node is read, with their content: all of a series, the
    /// last of anything else.
    ///
    /// # Errors
    /// If the log names content without its digest.
    pub fn contents(&self, node: NodeId) -> Result<Vec<(Version, Content)>> {
        let counting = self.counting(node);
        let mut contents = Vec::with_capacity(counting.len());
        for id in counting {
            let (loaded, row) = self.history.place(id);
            if let Some(content) = self.content(loaded, row)? {
                contents.push((loaded.rows.version(row), content));
            }
        }
        self.recorder.count(Counter::VersionsRead, contents.len() as u64);
        Ok(contents)
    }

    /// Returns the versions that count when a node is read, with the digests of their content.
    pub(crate) fn digests(&self, node: NodeId) -> impl Iterator<Item = (Version, Option<Digest>)> {
        self.counting(node).into_iter().map(|id| {
            let (loaded, row) = self.history.place(id);
            (loaded.rows.version(row), loaded.rows.digest(row))
        })
    }

    /// Returns the versions that count when a node is read: all of a series, the last of anything else.
    fn counting(&self, node: NodeId) -> Vec<EntryId> {
        match self.tree.node(node).entry_type {
            EntryType::Series => self.history.versions(node),
            _ => vec![self.history.last_version(node)],
        }
    }

    fn content(&self, loaded: &Loaded, row: usize) -> Result<Option<Content>> {
        let rows = &loaded.rows;
        let stored = rows.stored(row);
        if stored == Stored::Nothing {
            return Ok(None);
        }
        let digest = rows.digest(row).ok_or_else(|| Error::Damaged {
            place: loaded.file.path().display().to_string(),
            detail: format!("row {row} has content without a digest"),
        })?;
        let place = match stored {
            Stored::File => Place::File {
                path: self.layout.content_path(&digest.to_string()),
                chunks: Arc::from(rows.chunks(row)),
            },
            _ => Place::Inline { file: Arc::clone(&loaded.file), row: row as u64 },
        };
        Ok(Some(Content::new(rows.size(row), digest, place, Arc::clone(&self.recorder))))
    }
}
