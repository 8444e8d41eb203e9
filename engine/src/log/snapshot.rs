//! A snapshot: all entries up to one transaction, as a tree with versions.

use std::sync::Arc;

use scenarios::Stage;

use super::content::{Content, Place};
use super::entry::{CommitRecord, Entry, Stored, Version};
use super::files::EntryFile;
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::tree::{EntryType, Node, NodeId, PondPath, ROOT, Tree};

/// An entry file with its decoded entries; shared by the snapshots that contain it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub file: Arc<EntryFile>,
    pub entries: Vec<Entry>,
}

/// Where an entry is: its file and its row.
#[derive(Clone, Debug)]
struct Row {
    loaded: Arc<Loaded>,
    row: u32,
}

impl Row {
    fn entry(&self) -> &Entry {
        &self.loaded.entries[self.row as usize]
    }
}

/// The pond as of one transaction; it never changes.
#[derive(Debug)]
pub struct Snapshot {
    layout: Layout,
    recorder: Arc<Recorder>,
    txn: u64,
    tree: Tree,
    /// For each node, its versions in order.
    versions: Vec<Vec<Row>>,
    commits: Vec<CommitRecord>,
}

impl Snapshot {
    /// Builds a snapshot from entry files in any order.
    pub(super) fn build(layout: &Layout, recorder: &Arc<Recorder>, files: &[Arc<Loaded>]) -> Result<Self> {
        let _stage = recorder.stage(Stage::Transaction);
        recorder.count(Counter::SnapshotsBuilt, 1);
        let damaged =
            |detail: String| Error::Damaged { place: layout.log_dir().display().to_string(), detail };
        let mut places: Vec<Row> = Vec::new();
        for loaded in files {
            let rows = 0..loaded.entries.len() as u32;
            places.extend(rows.map(|row| Row { loaded: Arc::clone(loaded), row }));
        }
        places.sort_by_key(|place| {
            let entry = place.entry();
            (entry.version.txn, entry.node, entry.version.number)
        });
        let mut nodes: Vec<Node> = Vec::new();
        let mut versions: Vec<Vec<Row>> = Vec::new();
        let mut commits = Vec::new();
        for place in places {
            let entry = place.entry();
            let Some(entry_type) = entry.entry_type else {
                commits.push(CommitRecord {
                    txn: entry.version.txn,
                    committed_us: entry.version.committed_us,
                    operation: entry.name.clone(),
                    attributes: entry.version.attributes.clone().unwrap_or_default(),
                });
                continue;
            };
            let index = usize::try_from(entry.node).unwrap_or(usize::MAX);
            if index > nodes.len() {
                return Err(damaged(format!("node {index} appears before node {}", nodes.len())));
            }
            if index == nodes.len() {
                nodes.push(node(entry, entry_type).map_err(damaged)?);
                versions.push(Vec::new());
            }
            versions[index].push(place);
        }
        if nodes.first().is_none_or(|root| root.entry_type != EntryType::Dir) {
            return Err(damaged("it has no root directory".to_owned()));
        }
        let tree = Tree::build(nodes).map_err(damaged)?;
        let txn = commits.iter().map(|commit| commit.txn).max().unwrap_or(0);
        Ok(Self { layout: layout.clone(), recorder: Arc::clone(recorder), txn, tree, versions, commits })
    }

    /// Returns the last transaction that the snapshot contains.
    pub fn txn(&self) -> u64 {
        self.txn
    }

    /// Returns the tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the commits, oldest first.
    pub fn commits(&self) -> &[CommitRecord] {
        &self.commits
    }

    /// Returns the layout of the pond.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the recorder of the pond's handle.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Returns the number of versions of a node.
    pub fn version_count(&self, node: NodeId) -> usize {
        self.versions[node as usize].len()
    }

    /// Returns the versions of a node, oldest first.
    pub fn versions(&self, node: NodeId) -> impl Iterator<Item = &Version> {
        self.versions[node as usize].iter().map(|place| &place.entry().version)
    }

    /// Returns the versions that count when a node is read, with their content: all of a series, the
    /// last of anything else.
    ///
    /// # Errors
    /// If the log names content without its digest.
    pub fn contents(&self, node: NodeId) -> Result<Vec<(&Version, Content)>> {
        let all = &self.versions[node as usize];
        let counting = match self.tree.node(node).entry_type {
            EntryType::Series => &all[..],
            _ => &all[all.len().saturating_sub(1)..],
        };
        let mut contents = Vec::with_capacity(counting.len());
        for place in counting {
            if let Some(content) = self.content(place)? {
                contents.push((&place.entry().version, content));
            }
        }
        self.recorder.count(Counter::VersionsRead, contents.len() as u64);
        Ok(contents)
    }

    fn content(&self, at: &Row) -> Result<Option<Content>> {
        let entry = at.entry();
        let place = match entry.stored {
            Stored::Nothing => return Ok(None),
            Stored::Inline => Place::Inline { file: Arc::clone(&at.loaded.file), row: u64::from(at.row) },
            Stored::File => Place::File {
                path: self.layout.content_path(&self.digest(at)?.to_string()),
                chunks: Arc::from(entry.chunks.as_deref().unwrap_or_default()),
            },
        };
        let (size, digest) = (entry.version.size, self.digest(at)?);
        Ok(Some(Content::new(size, digest, place, Arc::clone(&self.recorder))))
    }

    fn digest(&self, at: &Row) -> Result<super::Digest> {
        at.entry().digest.ok_or_else(|| Error::Damaged {
            place: at.loaded.file.path().display().to_string(),
            detail: format!("row {} has content without a digest", at.row),
        })
    }
}

fn node(entry: &Entry, entry_type: EntryType) -> Result<Node, String> {
    let target = match entry_type {
        EntryType::Symlink => {
            let target = entry.version.attributes.as_deref().unwrap_or_default();
            Some(PondPath::parse(target).map_err(|error| format!("link '{}': {error}", entry.name))?)
        }
        _ => None,
    };
    if entry.node != ROOT {
        PondPath::root().child(&entry.name).map_err(|error| error.to_string())?;
    }
    Ok(Node { parent: entry.parent, name: entry.name.clone(), entry_type, target })
}
