//! The handle of a pond's log: its Delta table, opened, refreshed and pinned.

use std::collections::BTreeMap;
use std::fmt;
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
use super::layout::{Layout, write_synced};
use super::snapshot::{Loaded, Snapshot};
use crate::error::{Error, Result};
use crate::metrics::Recorder;
use crate::store::CountingStore;

/// Commits between two checkpoints.
const CHECKPOINT_INTERVAL: u64 = 32;

/// How long commit files are kept that a checkpoint has replaced. History is in the entries, not in them.
const LOG_RETENTION: &str = "interval 60 seconds";

/// How long the log remembers entry files that were folded away.
const TOMBSTONE_RETENTION: &str = "interval 1 hours";

/// Entry files of a version, by their name.
type LoadedFiles = BTreeMap<String, Arc<Loaded>>;

/// The log of one pond.
pub(crate) struct Log {
    pub(super) layout: Layout,
    pub(super) recorder: Arc<Recorder>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) store: Arc<CountingStore>,
    state: Mutex<State>,
}

/// What changes when the log is refreshed.
pub(super) struct State {
    pub table: DeltaTable,
    /// Entry files of the table's version, by their name.
    pub loaded: LoadedFiles,
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
        let table = {
            let _stage = recorder.stage(Stage::Transaction);
            runtime.block_on(builder(&layout, &store)?.load())?
        };
        let (loaded, snapshot) = load(&layout, &recorder, &table, &BTreeMap::new())?;
        let state = State { table, loaded, snapshot };
        Ok(Self { layout, recorder, runtime, store, state: Mutex::new(state) })
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
        let before = state.table.version();
        {
            let _stage = self.recorder.stage(Stage::Transaction);
            self.runtime.block_on(state.table.update_state())?;
        }
        if state.table.version() != before {
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
        let (loaded, snapshot) = load(&self.layout, &self.recorder, &state.table, &state.loaded)?;
        state.loaded = loaded;
        state.snapshot = snapshot;
        Ok(())
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.layout.root().display())
    }
}

fn load(
    layout: &Layout,
    recorder: &Arc<Recorder>,
    table: &DeltaTable,
    known: &LoadedFiles,
) -> Result<(LoadedFiles, Arc<Snapshot>)> {
    let mut loaded = BTreeMap::new();
    {
        let _stage = recorder.stage(Stage::Transaction);
        for view in table.snapshot()?.log_data().iter() {
            let name = view.path().into_owned();
            let one = match known.get(&name) {
                Some(one) => Arc::clone(one),
                None => {
                    let size = u64::try_from(view.size()).map_err(|_| Error::Damaged {
                        place: name.clone(),
                        detail: "the log gives it a negative size".to_owned(),
                    })?;
                    let file = Arc::new(EntryFile::new(layout.log_dir().join(&name), size));
                    let entries = file.read_entries(recorder)?;
                    Arc::new(Loaded { file, entries })
                }
            };
            loaded.insert(name, one);
        }
    }
    let files: Vec<Arc<Loaded>> = loaded.values().cloned().collect();
    let snapshot = Snapshot::build(layout, recorder, &files)?;
    Ok((loaded, Arc::new(snapshot)))
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
