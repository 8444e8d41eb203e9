//! The part of a snapshot that grows with every commit: which entry is where, and what came before it.
//!
//! Entries get numbers in the order in which they are met, and keep them when folding moves their rows to
//! another file. Each entry names the version before it, so a node knows its last version only. A copy
//! shares what a change does not touch: one more commit costs what it adds, however long history is.

use std::collections::HashMap;
use std::sync::Arc;

use super::files::EntryFile;
use super::rows::Rows;
use crate::chunks::Chunks;
use crate::tree::{EntryType, Node, NodeId, PondPath, ROOT, Tree};

/// The number of an entry within one history.
pub(super) type EntryId = u32;

/// Stands for no entry.
const NONE: EntryId = EntryId::MAX;

/// An entry file with its rows; shared by the snapshots that contain it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub file: Arc<EntryFile>,
    pub rows: Rows,
}

impl Loaded {
    /// Returns the first transaction that the file has entries of.
    pub(super) fn first_txn(&self) -> u64 {
        (0..self.rows.len()).map(|row| self.rows.txn(row)).min().unwrap_or(0)
    }
}

/// Entries with consecutive numbers in consecutive rows of one file.
#[derive(Clone, Debug)]
struct Run {
    first: EntryId,
    row: u32,
    length: u32,
    loaded: Arc<Loaded>,
}

/// What the versions that count when a node is read amount to: all of a series, the last of anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All versions, whether they count or not.
    pub versions: u64,
    /// Rows, if all hold rows.
    pub rows: Option<u64>,
    /// Bytes of content.
    pub bytes: u64,
    /// First event time in microseconds.
    pub first_us: Option<i64>,
    /// Last event time in microseconds, inclusive.
    pub last_us: Option<i64>,
}

/// The schema of a version, as an IPC message, and its time column.
pub(crate) type Columns = (Arc<[u8]>, Option<String>);

/// Entries in a row: the versions of a node, or all commits.
#[derive(Clone, Debug)]
struct Chain {
    last: EntryId,
    /// The version's number, or the commit's transaction.
    last_number: u64,
    summary: Summary,
    /// The different columns that versions have, oldest first.
    columns: Arc<[Columns]>,
}

impl Default for Chain {
    fn default() -> Self {
        Self { last: NONE, last_number: 0, summary: Summary::default(), columns: Arc::default() }
    }
}

/// All entries up to some transaction, apart from the tree that they form.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// By the number of their first entry.
    runs: Vec<Run>,
    /// For each entry, the one before it in its chain.
    before: Chunks<EntryId, 4096>,
    nodes: Chunks<Chain, 256>,
    commits: Chain,
}

/// An entry that is new to a history, with its place in the order of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fresh {
    txn: u64,
    node: u64,
    number: u64,
    id: EntryId,
}

/// What tells entries apart: node and version of a node's, transaction of a commit's.
type Identity = (Option<u64>, u64);

fn identity(rows: &Rows, row: usize) -> Identity {
    match rows.entry_type(row) {
        Some(_) => (Some(rows.node(row)), rows.number(row)),
        None => (None, rows.txn(row)),
    }
}

impl History {
    /// Takes in what changed in the set of entry files; new nodes are added to the tree.
    ///
    /// Rows of files that went must be found in files that came: folding moves them.
    ///
    /// # Errors
    /// If the files contradict each other; then history and tree are of no use.
    pub(super) fn advance(
        &mut self,
        tree: &mut Tree,
        gone: &[Arc<Loaded>],
        come: &[Arc<Loaded>],
    ) -> Result<(), String> {
        let mut moved = self.take_out(gone);
        let mut fresh = Vec::new();
        for loaded in come {
            self.take_in(loaded, &mut moved, &mut fresh)?;
        }
        if let Some(lost) = moved.keys().min() {
            return Err(match lost {
                (Some(node), number) => format!("version {number} of node {node} has vanished"),
                (None, txn) => format!("transaction {txn} has vanished"),
            });
        }
        self.join_runs();
        // What comes from files in the order of their transactions is sorted already.
        fresh.sort();
        self.append(tree, &fresh)
    }

    /// Forgets where the entries of files are, and returns their numbers.
    fn take_out(&mut self, gone: &[Arc<Loaded>]) -> HashMap<Identity, EntryId> {
        let mut moved = HashMap::new();
        if gone.is_empty() {
            return moved;
        }
        self.runs.retain(|run| {
            let stays = !gone.iter().any(|loaded| Arc::ptr_eq(loaded, &run.loaded));
            if !stays {
                let entries = (run.first..).zip(run.row..run.row + run.length);
                moved.extend(entries.map(|(id, row)| (identity(&run.loaded.rows, row as usize), id)));
            }
            stays
        });
        moved
    }

    /// Finds numbers for the rows of a file: those they had, or new ones.
    fn take_in(
        &mut self,
        loaded: &Arc<Loaded>,
        moved: &mut HashMap<Identity, EntryId>,
        fresh: &mut Vec<Fresh>,
    ) -> Result<(), String> {
        let rows = &loaded.rows;
        for row in 0..rows.len() {
            let known = if moved.is_empty() { None } else { moved.remove(&identity(rows, row)) };
            let id = match known {
                Some(id) => id,
                None => {
                    let id = EntryId::try_from(self.before.len()).unwrap_or(NONE);
                    if id == NONE {
                        return Err(format!("it has more than {NONE} entries"));
                    }
                    self.before.push(NONE);
                    let node = if rows.entry_type(row).is_some() { rows.node(row) } else { u64::MAX };
                    fresh.push(Fresh { txn: rows.txn(row), node, number: rows.number(row), id });
                    id
                }
            };
            match self.runs.last_mut() {
                Some(run)
                    if Arc::ptr_eq(&run.loaded, loaded)
                        && run.first + run.length == id
                        && (run.row + run.length) as usize == row =>
                {
                    run.length += 1;
                }
                _ => {
                    let row = row as u32;
                    self.runs.push(Run { first: id, row, length: 1, loaded: Arc::clone(loaded) });
                }
            }
        }
        Ok(())
    }

    /// Puts runs in order, those that follow each other in one file together.
    fn join_runs(&mut self) {
        self.runs.sort_by_key(|run| run.first);
        self.runs.dedup_by(|next, run| {
            let follows = Arc::ptr_eq(&run.loaded, &next.loaded)
                && run.first + run.length == next.first
                && run.row + run.length == next.row;
            if follows {
                run.length += next.length;
            }
            follows
        });
    }

    /// Puts new entries at the ends of their chains, in the order of the log.
    fn append(&mut self, tree: &mut Tree, fresh: &[Fresh]) -> Result<(), String> {
        let mut made = Vec::new();
        let mut at = 0;
        for entry in fresh {
            // Neighbours are mostly in one run.
            if !(self.runs[at].first..self.runs[at].first + self.runs[at].length).contains(&entry.id) {
                at = self.run(entry.id);
            }
            let loaded = Arc::clone(&self.runs[at].loaded);
            let (rows, row) = (&loaded.rows, (entry.id - self.runs[at].first + self.runs[at].row) as usize);
            let Some(entry_type) = rows.entry_type(row) else {
                if self.commits.last != NONE && self.commits.last_number >= entry.txn {
                    return Err(format!("transaction {} is there twice or out of order", entry.txn));
                }
                self.before[entry.id as usize] = self.commits.last;
                (self.commits.last, self.commits.last_number) = (entry.id, entry.txn);
                self.commits.summary.versions += 1;
                continue;
            };
            let nodes = self.nodes.len();
            let index = usize::try_from(entry.node).unwrap_or(usize::MAX);
            if index > nodes {
                return Err(format!("node {index} appears before node {nodes}"));
            }
            if index == nodes {
                made.push(node(rows, row, entry_type)?);
                self.nodes.push(Chain::default());
            }
            let chain = &mut self.nodes[index];
            if chain.last != NONE && chain.last_number >= entry.number {
                return Err(format!(
                    "version {} of node {index} is there twice or out of order",
                    entry.number
                ));
            }
            self.before[entry.id as usize] = chain.last;
            (chain.last, chain.last_number) = (entry.id, entry.number);
            chain.add(rows, row, entry_type);
        }
        tree.extend(made)
    }

    /// Returns the last transaction; 0 if there is none.
    pub(super) fn txn(&self) -> u64 {
        self.commits.last_number
    }

    /// Returns what the versions of a node amount to.
    pub(super) fn summary(&self, node: NodeId) -> Summary {
        self.nodes.get(node as usize).map(|chain| chain.summary).unwrap_or_default()
    }

    /// Returns the versions of a node, oldest first.
    pub(super) fn versions(&self, node: NodeId) -> Vec<EntryId> {
        self.nodes.get(node as usize).map(|chain| self.chain(chain)).unwrap_or_default()
    }

    /// Returns the last version of a node.
    pub(super) fn last_version(&self, node: NodeId) -> EntryId {
        self.nodes[node as usize].last
    }

    /// Returns the commits, oldest first.
    pub(super) fn commits(&self) -> Vec<EntryId> {
        self.chain(&self.commits)
    }

    /// Returns the different columns that a node's versions have, oldest first.
    pub(super) fn columns(&self, node: NodeId) -> &[Columns] {
        &self.nodes[node as usize].columns
    }

    /// Returns the file and row of an entry.
    pub(super) fn place(&self, id: EntryId) -> (&Arc<Loaded>, usize) {
        let run = &self.runs[self.run(id)];
        (&run.loaded, (id - run.first + run.row) as usize)
    }

    fn run(&self, id: EntryId) -> usize {
        // Runs hold every number that was given.
        self.runs.partition_point(|run| run.first <= id) - 1
    }

    fn chain(&self, chain: &Chain) -> Vec<EntryId> {
        let mut entries = Vec::with_capacity(chain.summary.versions as usize);
        let mut at = chain.last;
        while at != NONE {
            entries.push(at);
            at = self.before[at as usize];
        }
        entries.reverse();
        entries
    }
}

impl Chain {
    /// Adds a version to what the chain amounts to.
    fn add(&mut self, rows: &Rows, row: usize, entry_type: EntryType) {
        let summary = &mut self.summary;
        summary.versions += 1;
        let (size, count) = (rows.size(row), rows.rows(row));
        let (first_us, last_us) = (rows.first_us(row), rows.last_us(row));
        if entry_type == EntryType::Series && summary.versions > 1 {
            summary.rows = summary.rows.zip(count).map(|(before, more)| before + more);
            summary.bytes += size;
            summary.first_us = [summary.first_us, first_us].into_iter().flatten().min();
            summary.last_us = summary.last_us.max(last_us);
        } else {
            let versions = summary.versions;
            *summary = Summary { versions, rows: count, bytes: size, first_us, last_us };
        }
        if let Some(schema) = rows.schema(row) {
            self.see_columns(schema, rows.time_column(row));
        }
    }

    /// Adds columns unless a version had them; equal schemas are the same in memory.
    fn see_columns(&mut self, schema: &Arc<[u8]>, time_column: Option<&str>) {
        let seen = |(other, time): &Columns| Arc::ptr_eq(other, schema) && time.as_deref() == time_column;
        if !self.columns.iter().any(seen) {
            let new = (Arc::clone(schema), time_column.map(str::to_owned));
            self.columns = self.columns.iter().cloned().chain([new]).collect();
        }
    }
}

fn node(rows: &Rows, row: usize, entry_type: EntryType) -> Result<Node, String> {
    let name = rows.name(row);
    let target = match entry_type {
        EntryType::Symlink => {
            let target = rows.attributes(row).unwrap_or_default();
            Some(PondPath::parse(target).map_err(|error| format!("link '{name}': {error}"))?)
        }
        _ => None,
    };
    if rows.node(row) != ROOT {
        PondPath::root().child(name).map_err(|error| error.to_string())?;
    }
    Ok(Node { parent: rows.parent(row), name: name.to_owned(), entry_type, target })
}
