//! The handle of a pond's log: its Delta table, opened, refreshed and pinned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use deltalake::kernel::{DataType, PrimitiveType, StructField};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableBuilder, TableProperty};
use scenarios::Stage;
use tokio::runtime::Runtime;
use url::Url;

use super::entry;
use super::files::EntryFile;
use super::history::Loaded;
use super::layout::{Layout, write_synced};
use super::rows::Schemas;
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::metrics::Recorder;
use crate::store::CountingStore;

/// Commits between two checkpoints.
const CHECKPOINT_INTERVAL: u64 = 32;

/// How long commit files are kept that a checkpoint has replaced. History is in the entries, not in them.
const LOG_RETENTION: &str = "interval 60 seconds";

/// How long the log remembers entry files that were folded away.
const TOMBSTONE_RETENTION: &str = "interval 1 hours";

/// Bytes of entry files from which on they are read by several threads.
const PARALLEL_BYTES_MIN: u64 = 1024 * 1024;

/// The log of one pond.
pub(crate) struct Log {
    pub(super) layout: Layout,
    pub(super) recorder: Arc<Recorder>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) store: Arc<CountingStore>,
    schemas: Schemas,
    state: Mutex<State>,
}

/// What changes when the log is refreshed.
pub(super) struct State {
    pub table: DeltaTable,
    /// The table's version that the rest is of; behind the table if reading the newest failed.
    read: Option<u64>,
    /// Entry files of the table's version, by their name.
    pub loaded: BTreeMap<String, Arc<Loaded>>,
    pub snapshot: Arc<Snapshot>,
}

impl Log {
    /// Creates the log of a new pond, with its root directory as the first transaction.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub(crate) fn create(layout: Layout, recorder: Arc<Recorder>, runtime: Arc<Runtime>) -> Result<Self> {
        let store = Arc::new(CountingStore::new(Arc::clone(&recorder)));
        let lock = layout.lock()?;
        layout.lay_out()?;
        let table = {
            let _stage = recorder.stage(Stage::Transaction);
            runtime.block_on(create_table(&layout, &store))?
        };
        super::commit::write_root(&layout, &store, &runtime, &recorder, &table)?;
        layout.seal()?;
        drop(lock);
        Self::open(layout, recorder, runtime)
    }

    /// Opens the log at its newest version.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn open(layout: Layout, recorder: Arc<Recorder>, runtime: Arc<Runtime>) -> Result<Self> {
        let store = Arc::new(CountingStore::new(Arc::clone(&recorder)));
        let schemas = Schemas::default();
        let state = Mutex::new(load(&layout, &store, &runtime, &schemas, &recorder)?);
        Ok(Self { layout, recorder, runtime, store, schemas, state })
    }

    /// Opens the log anew within this handle: nothing that it knew is used again.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn reopen(&self) -> Result<Arc<Snapshot>> {
        let mut state = self.state();
        *state = load(&self.layout, &self.store, &self.runtime, &self.schemas, &self.recorder)?;
        Ok(Arc::clone(&state.snapshot))
    }

    /// Returns the snapshot of the newest version that this handle knows.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.state().snapshot)
    }

    /// Looks for newer versions, and returns the snapshot of the newest.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn refresh(&self) -> Result<Arc<Snapshot>> {
        let mut state = self.state();
        {
            let _stage = self.recorder.stage(Stage::Transaction);
            self.runtime.block_on(state.table.update_state())?;
        }
        if state.table.version() != state.read {
            self.reload(&mut state)?;
        }
        Ok(Arc::clone(&state.snapshot))
    }

    /// Returns the layout of the pond.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the version of the Delta table, which also counts maintenance.
    pub(crate) fn delta_version(&self) -> u64 {
        self.state().table.version().unwrap_or(0)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the log")
    }

    /// Reads the entry files that are new in the table's version, and builds its snapshot.
    pub(super) fn reload(&self, state: &mut State) -> Result<()> {
        let wanted = entry_files(&self.layout, &state.table)?;
        let gone: Vec<_> = state.loaded.iter().filter(|(name, _)| !wanted.contains_key(*name)).collect();
        let gone: Vec<Arc<Loaded>> = gone.into_iter().map(|(_, one)| Arc::clone(one)).collect();
        let new = wanted.iter().filter(|(name, _)| !state.loaded.contains_key(*name));
        let come = read(new.map(|(_, file)| file.clone()).collect(), &self.schemas, &self.recorder)?;
        state.snapshot = Arc::new(state.snapshot.advance(&gone, &come)?);
        state.read = state.table.version();
        state.loaded.retain(|name, _| wanted.contains_key(name));
        state.loaded.extend(come.into_iter().map(|one| (one.file.name(), one)));
        Ok(())
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.layout.root().display())
    }
}

/// Opens the table at its newest version, and reads all its entry files.
fn load(
    layout: &Layout,
    store: &Arc<CountingStore>,
    runtime: &Runtime,
    schemas: &Schemas,
    recorder: &Arc<Recorder>,
) -> Result<State> {
    let table = {
        let _stage = recorder.stage(Stage::Transaction);
        runtime.block_on(builder(layout, store)?.load())?
    };
    let files = entry_files(layout, &table)?.into_values().collect();
    let come = read(files, schemas, recorder)?;
    let snapshot = Arc::new(Snapshot::build(layout, recorder, &come)?);
    let loaded = come.into_iter().map(|one| (one.file.name(), one)).collect();
    Ok(State { read: table.version(), table, loaded, snapshot })
}

/// Returns the entry files of the table's version, by their name.
fn entry_files(layout: &Layout, table: &DeltaTable) -> Result<BTreeMap<String, Arc<EntryFile>>> {
    let folder = layout.log_dir();
    let mut files = BTreeMap::new();
    for view in table.snapshot()?.log_data().iter() {
        let name = view.path().into_owned();
        let size = u64::try_from(view.size()).map_err(|_| Error::Damaged {
            place: name.clone(),
            detail: "the log gives it a negative size".to_owned(),
        })?;
        let file = EntryFile::new(folder.join(&name), size);
        files.insert(name, Arc::new(file));
    }
    Ok(files)
}

/// Reads entry files, many on several threads; the results are in the order of the files.
fn read(files: Vec<Arc<EntryFile>>, schemas: &Schemas, recorder: &Arc<Recorder>) -> Result<Vec<Arc<Loaded>>> {
    let _stage = recorder.stage(Stage::Transaction);
    let read_one = |file: &Arc<EntryFile>| -> Result<Arc<Loaded>> {
        let rows = file.read_rows(schemas, recorder)?;
        Ok(Arc::new(Loaded { file: Arc::clone(file), rows }))
    };
    let bytes: u64 = files.iter().map(|file| file.size()).sum();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    if bytes < PARALLEL_BYTES_MIN || threads < 2 {
        return files.iter().map(read_one).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || -> Vec<(usize, Result<Arc<Loaded>>)> {
        let places = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        places.map_while(|place| files.get(place).map(|file| (place, read_one(file)))).collect()
    };
    let mut read = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut read = work();
        for other in others {
            read.extend(other.join().expect("reading an entry file does not panic"));
        }
        read
    });
    read.sort_by_key(|(place, _)| *place);
    read.into_iter().map(|(_, one)| one).collect()
}

fn builder(layout: &Layout, store: &Arc<CountingStore>) -> Result<DeltaTableBuilder> {
    let folder = layout.log_dir();
    let url = Url::from_directory_path(&folder)
        .map_err(|()| Error::Log(format!("{} is no absolute path", folder.display())))?;
    let store: Arc<CountingStore> = Arc::clone(store);
    Ok(DeltaTableBuilder::from_url(url.clone())?.with_storage_backend(store, url))
}

async fn create_table(layout: &Layout, store: &Arc<CountingStore>) -> Result<DeltaTable> {
    let table = builder(layout, store)?.build()?;
    let schema = entry::schema();
    let columns = schema.fields().iter().map(|field| {
        let primitive = match field.data_type() {
            arrow::datatypes::DataType::Int64 => PrimitiveType::Long,
            arrow::datatypes::DataType::Utf8 => PrimitiveType::String,
            _ => PrimitiveType::Binary,
        };
        StructField::new(field.name().clone(), DataType::Primitive(primitive), field.is_nullable())
    });
    let created = CreateBuilder::new()
        .with_log_store(table.log_store())
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_columns(columns.collect::<Vec<_>>())
        .with_configuration_property(TableProperty::CheckpointInterval, Some(CHECKPOINT_INTERVAL.to_string()))
        .with_configuration_property(TableProperty::EnableExpiredLogCleanup, Some("false"))
        .with_configuration_property(TableProperty::LogRetentionDuration, Some(LOG_RETENTION))
        .with_configuration_property(TableProperty::DeletedFileRetentionDuration, Some(TOMBSTONE_RETENTION))
        .await?;
    forget_location(layout)?;
    Ok(created)
}

/// Takes the folder's place out of the first commit, which states it for information: a pond may be moved
/// or copied, and the bytes of its log do not depend on where it was made.
fn forget_location(layout: &Layout) -> Result<()> {
    let path = layout.log_dir().join("_delta_log").join(format!("{:020}.json", 0));
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let mut rewritten = String::with_capacity(text.len());
    for line in text.lines() {
        let mut action: serde_json::Value = serde_json::from_str(line)
            .map_err(|error| Error::Log(format!("{} is no JSON: {error}", path.display())))?;
        if let Some(location) = action.pointer_mut("/commitInfo/operationParameters/location") {
            *location = serde_json::Value::from(".");
        }
        rewritten.push_str(&action.to_string());
        rewritten.push('\n');
    }
    write_synced(&path, rewritten.as_bytes())
}
