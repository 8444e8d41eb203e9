//! Transactions: entries gathered under the writer's lock, committed to Delta at once.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use deltalake::DeltaTable;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use scenarios::Stage;
use tokio::runtime::Runtime;

use super::checked;
use super::content::{Body, NewContent};
use super::entry::{Entry, Stored, Version};
use super::files;
use super::history::Columns;
use super::layout::Layout;
use super::snapshot::Snapshot;
use super::table::{Log, State};
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::store::CountingStore;
use crate::tree::{EntryType, NodeId, PondPath, ROOT};

/// Inline content gathered before it is written out as an entry file.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// Facts about a new version of a table or series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewVersion {
    /// Rows, if it holds rows.
    pub rows: Option<u64>,
    /// First event time, inclusive, in microseconds since the epoch.
    pub first_us: Option<i64>,
    /// Last event time, inclusive, in microseconds since the epoch.
    pub last_us: Option<i64>,
    /// The column that holds event times.
    pub time_column: Option<String>,
    /// The Arrow schema, as an IPC message.
    pub schema: Option<Arc<[u8]>>,
    /// Further facts as a JSON object.
    pub attributes: Option<String>,
}

/// Changes that will be committed together, or not at all.
///
/// It holds the writer's lock of the pond. Dropped without [`Transaction::commit`], it leaves the pond
/// as it was.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    log: &'a Log,
    _lock: File,
    base: Arc<Snapshot>,
    txn: u64,
    /// Nodes made by this transaction, by parent and name.
    made: HashMap<(NodeId, String), NodeId>,
    made_types: HashMap<NodeId, EntryType>,
    /// Versions added by this transaction, by node.
    added: HashMap<NodeId, u64>,
    /// Schemas and time columns of those versions.
    added_schemas: HashMap<NodeId, Vec<Columns>>,
    next_node: NodeId,
    entries: Vec<Entry>,
    inline_bytes: usize,
    parts: Vec<Add>,
    content_folders: BTreeSet<PathBuf>,
    /// Content files that no other version has; removed again if nothing is committed.
    kept: Vec<PathBuf>,
}

impl Log {
    /// Begins a transaction on the newest version, waiting for another writer to end.
    ///
    /// # Errors
    /// If another writer does not end, or the log cannot be read.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>> {
        let _stage = self.recorder.stage(Stage::Transaction);
        let lock = self.layout.lock()?;
        let base = self.refresh()?;
        Ok(Transaction {
            log: self,
            _lock: lock,
            txn: base.txn() + 1,
            next_node: base.tree().len() as NodeId,
            base,
            made: HashMap::new(),
            made_types: HashMap::new(),
            added: HashMap::new(),
            added_schemas: HashMap::new(),
            entries: Vec::new(),
            inline_bytes: 0,
            parts: Vec::new(),
            content_folders: BTreeSet::new(),
            kept: Vec::new(),
        })
    }
}

impl Log {
    /// Tells whether a transaction is in the log after its commit seemed to fail: Delta may fail after
    /// it has committed, when it writes a checkpoint.
    fn has_landed(&self, state: &mut State, txn: u64) -> bool {
        let updated = self.runtime.block_on(state.table.update_state());
        updated.is_ok() && self.reload(state).is_ok() && state.snapshot.txn() >= txn
    }
}

impl Transaction<'_> {
    /// Finds a directory, or makes it with all its parents.
    ///
    /// # Errors
    /// If a component exists and is no directory.
    pub(crate) fn ensure_dir(&mut self, path: &PondPath) -> Result<NodeId> {
        let mut at = ROOT;
        let mut walked = PondPath::root();
        for component in path.components() {
            walked = walked.child(component)?;
            at = match self.find(at, component) {
                Some(node) => match self.type_of(node) {
                    EntryType::Dir => node,
                    other => return Err(wrong_type(&walked, other, EntryType::Dir)),
                },
                None => self.make(at, component, EntryType::Dir, None),
            };
        }
        Ok(at)
    }

    /// Adds a version to a file, which is made if it is not there, with its directories.
    ///
    /// # Errors
    /// If the path exists with another type, or content cannot be moved into the pond.
    pub(crate) fn put(
        &mut self,
        path: &PondPath,
        entry_type: EntryType,
        content: NewContent,
        facts: NewVersion,
    ) -> Result<()> {
        let (parent, name) = split(path)?;
        let parent = self.ensure_dir(&parent)?;
        let existing = self.find(parent, name);
        if let Some(node) = existing.filter(|node| self.type_of(*node) != entry_type) {
            return Err(wrong_type(path, self.type_of(node), entry_type));
        }
        let node = existing.unwrap_or_else(|| self.number(parent, name, entry_type));
        let known = if (node as usize) < self.base.tree().len() { self.base.version_count(node) } else { 0 };
        let added = self.added.entry(node).or_insert(0);
        *added += 1;
        if let Some(schema) = &facts.schema {
            let added = self.added_schemas.entry(node).or_default();
            added.push((Arc::clone(schema), facts.time_column.clone()));
        }
        let version = Version {
            number: known as u64 + *added,
            txn: self.txn,
            committed_us: 0,
            size: content.size,
            rows: facts.rows,
            first_us: facts.first_us,
            last_us: facts.last_us,
            time_column: facts.time_column,
            schema: facts.schema,
            attributes: facts.attributes,
        };
        let mut entry = entry(Some(entry_type), node, parent, name, version);
        entry.digest = Some(content.digest);
        match content.body {
            Body::Inline(bytes) => {
                self.inline_bytes += bytes.len();
                entry.stored = Stored::Inline;
                entry.content = Some(bytes);
            }
            Body::File(file) => {
                let target = self.log.layout.content_path(&content.digest.to_string());
                self.keep(file, target)?;
                entry.stored = Stored::File;
                entry.chunks = Some(content.chunks);
            }
        }
        self.entries.push(entry);
        if self.inline_bytes > PART_BYTES {
            self.write_part()?;
        }
        Ok(())
    }

    /// Returns the different columns of a file's versions, before and within this transaction.
    pub(crate) fn schemas(&self, path: &PondPath) -> Vec<Columns> {
        let mut node = ROOT;
        for component in path.components() {
            match self.find(node, component) {
                Some(found) => node = found,
                None => return Vec::new(),
            }
        }
        let mut schemas: Vec<Columns> = Vec::new();
        if (node as usize) < self.base.tree().len() {
            schemas.extend_from_slice(self.base.columns(node));
        }
        schemas.extend(self.added_schemas.get(&node).into_iter().flatten().cloned());
        schemas
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// If the path exists already.
    pub(crate) fn link(&mut self, path: &PondPath, target: &PondPath) -> Result<()> {
        let (parent, name) = split(path)?;
        let parent = self.ensure_dir(&parent)?;
        if let Some(node) = self.find(parent, name) {
            let reason = format!("it is a {} already; choose another path", self.type_of(node).name());
            return Err(Error::BadPath { path: path.to_string(), reason });
        }
        self.make(parent, name, EntryType::Symlink, Some(target.to_string()));
        Ok(())
    }

    /// Commits everything under one new Delta version; returns the transaction's number.
    ///
    /// Afterwards small entry files may be folded together; see [`Log::fold`].
    ///
    /// # Errors
    /// If the log cannot be written; then the pond is as it was before.
    pub(crate) fn commit(mut self, operation: &str, details: &serde_json::Value) -> Result<u64> {
        let recorder = Arc::clone(&self.log.recorder);
        let _stage = recorder.stage(Stage::Transaction);
        let mut record = entry(None, ROOT, ROOT, operation, Version { txn: self.txn, ..Version::default() });
        record.version.attributes = Some(details.to_string());
        self.entries.push(record);
        self.write_part()?;
        for folder in &self.content_folders {
            File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("flush the folder", folder))?;
        }
        let log = self.log;
        let actions = std::mem::take(&mut self.parts).into_iter().map(Action::Add).collect();
        let mut state = log.state();
        let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let txn = self.txn;
        // From here on the content may belong to the pond, whatever fails.
        self.kept.clear();
        if let Err(source) = commit_actions(log, &mut state, actions, operation) {
            return Err(if log.has_landed(&mut state, txn) {
                Error::Upkeep { txn, source: Box::new(source) }
            } else {
                source
            });
        }
        recorder.count(Counter::Transactions, 1);
        let kept_up = log.reload(&mut state).and_then(|()| log.fold(&mut state));
        kept_up.map_err(|source| Error::Upkeep { txn, source: Box::new(source) })?;
        Ok(txn)
    }

    fn find(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        if let Some(node) = self.made.get(&(parent, name.to_owned())) {
            return Some(*node);
        }
        let tree = self.base.tree();
        if (parent as usize) < tree.len() { tree.child(parent, name) } else { None }
    }

    fn type_of(&self, node: NodeId) -> EntryType {
        match self.made_types.get(&node) {
            Some(entry_type) => *entry_type,
            None => self.base.tree().node(node).entry_type,
        }
    }

    /// Gives a new node its number.
    fn number(&mut self, parent: NodeId, name: &str, entry_type: EntryType) -> NodeId {
        let node = self.next_node;
        self.next_node += 1;
        self.made.insert((parent, name.to_owned()), node);
        self.made_types.insert(node, entry_type);
        node
    }

    fn make(&mut self, parent: NodeId, name: &str, entry_type: EntryType, target: Option<String>) -> NodeId {
        let node = self.number(parent, name, entry_type);
        let version = Version { txn: self.txn, attributes: target, ..Version::default() };
        self.entries.push(entry(Some(entry_type), node, parent, name, version));
        node
    }

    /// Moves a finished file into the content folder; equal content is kept once.
    fn keep(&mut self, file: tempfile::NamedTempFile, target: PathBuf) -> Result<()> {
        let folder = target.parent().expect("content lies in a folder").to_owned();
        if self.content_folders.insert(folder.clone()) {
            fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        }
        if !target.exists() {
            file.persist(&target).map_err(|error| Error::io("write content to", &target)(error.error))?;
            self.kept.push(target);
        }
        Ok(())
    }

    /// Writes the entries gathered so far as one entry file, which counts only once it is committed.
    fn write_part(&mut self) -> Result<()> {
        let now_us = Utc::now().timestamp_micros();
        for entry in &mut self.entries {
            entry.version.committed_us = now_us;
        }
        let bytes = files::encode_file(&self.entries)?;
        let name = format!("entries-{:010}-{:04}", self.txn, self.parts.len());
        let rows = self.entries.len();
        self.parts.push(write_entry_file(
            &self.log.layout,
            &self.log.store,
            &self.log.runtime,
            &name,
            bytes,
            rows,
        )?);
        self.entries.clear();
        self.inline_bytes = 0;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        for path in &self.kept {
            // What cannot be removed only takes room; the same content will use it again.
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes an entry file under a name that its content makes unique, and returns its `Add` action.
pub(super) fn write_entry_file(
    layout: &Layout,
    store: &Arc<CountingStore>,
    runtime: &Runtime,
    name: &str,
    bytes: Vec<u8>,
    rows: usize,
) -> Result<Add> {
    let bytes = Bytes::from(bytes);
    let digest = checked::digest(&bytes).map_err(Error::Log)?;
    let name = format!("{name}-{digest}.parquet");
    let path = layout.log_dir().join(&name);
    let location = StorePath::from_absolute_path(&path).map_err(|error| Error::Log(error.to_string()))?;
    let size = bytes.len() as i64;
    let store: Arc<dyn ObjectStore> = Arc::clone(store) as Arc<dyn ObjectStore>;
    runtime
        .block_on(store.put(&location, bytes.into()))
        .map_err(|error| Error::Log(format!("cannot write {}: {error}", path.display())))?;
    Ok(Add {
        path: name,
        size,
        modification_time: Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(format!("{{\"numRecords\":{rows}}}")),
        ..Add::default()
    })
}

/// Commits actions on top of the state's version. Whoever calls holds the writer's lock, so a version
/// in between means that the lock failed, and the commit is refused.
pub(super) fn commit_actions(
    log: &Log,
    state: &mut State,
    actions: Vec<Action>,
    operation: DeltaOperation,
) -> Result<()> {
    let checkpointed = log.runtime.block_on(commit_to(&mut state.table, actions, operation))?;
    if checkpointed {
        log.runtime.block_on(deltalake::checkpoints::cleanup_metadata(&state.table, None))?;
    }
    Ok(())
}

async fn commit_to(table: &mut DeltaTable, actions: Vec<Action>, operation: DeltaOperation) -> Result<bool> {
    let properties = CommitProperties::default().with_max_retries(0).with_cleanup_expired_logs(Some(false));
    let base = table.snapshot()?.clone();
    let finalized = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(&base as &dyn TableReference), table.log_store(), operation)
        .await?;
    let checkpointed = finalized.metrics.new_checkpoint_created;
    table.state = Some(finalized.snapshot);
    Ok(checkpointed)
}

/// Writes the first transaction of a new pond: its root directory.
pub(super) fn write_root(
    layout: &Layout,
    store: &Arc<CountingStore>,
    runtime: &Runtime,
    recorder: &Recorder,
    table: &DeltaTable,
) -> Result<()> {
    let _stage = recorder.stage(Stage::Transaction);
    let version = Version { txn: 1, committed_us: Utc::now().timestamp_micros(), ..Version::default() };
    let root = entry(Some(EntryType::Dir), ROOT, ROOT, "", version.clone());
    let mut record = entry(None, ROOT, ROOT, "init", version);
    record.version.attributes = Some("{}".to_owned());
    let bytes = files::encode_file(&[root, record])?;
    let add = write_entry_file(layout, store, runtime, "entries-0000000001-0000", bytes, 2)?;
    let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
    let mut table = table.clone();
    runtime.block_on(commit_to(&mut table, vec![Action::Add(add)], operation))?;
    Ok(())
}

fn entry(entry_type: Option<EntryType>, node: NodeId, parent: NodeId, name: &str, version: Version) -> Entry {
    Entry {
        entry_type,
        node,
        parent,
        name: name.to_owned(),
        version,
        stored: Stored::Nothing,
        digest: None,
        chunks: None,
        content: None,
    }
}

fn split(path: &PondPath) -> Result<(PondPath, &str)> {
    path.split().ok_or_else(|| wrong_type(path, EntryType::Dir, EntryType::Data))
}

fn wrong_type(path: &PondPath, found: EntryType, expected: EntryType) -> Error {
    Error::WrongType { path: path.to_string(), found: found.name(), expected: expected.name() }
}
