//! The façade: everything that users of the library do with a pond.

mod derived;
mod explain;
mod snapshots;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::cache::{CacheStats, DiskCache};
use crate::error::{Error, Result};
use crate::export::{ExportOptions, ExportStep, Manifest, export};
use crate::factory::{Namespace, View};
use crate::import::{ImportOptions, Imported, NewSeries, Progress, import, plan_sources, write_series};
use crate::knobs::Knobs;
use crate::log::{CommitRecord, Layout, Log, Snapshot, Summary};
use crate::metrics::Recorder;
use crate::query::{Answer, Planner, QueryOptions, Relations, SOURCE, query, query_export};
use crate::series::Series;
use crate::tree::{EntryType, NodeId, Pattern, PondPath};
use scenarios::Stage;
use snapshots::Snapshots;

pub use derived::DerivedNode;
pub use explain::{
    CacheUse, EXPLAINED_FORMAT, Explain, ExplainOptions, Explained, MatchUse, MatchedNode, PlanOf,
};

/// Threads that serve the log's and the queries' tasks.
const WORKER_THREADS: usize = 2;

/// Content up to this size is kept in the log.
const INLINE_BYTES_MAX: u64 = 64 * 1024;

/// How a pond is opened or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PondOptions {
    /// Which form of each step runs.
    pub knobs: Knobs,
    /// Whether every stage is kept as a span, for [`Recorder::write_trace`].
    pub trace: bool,
    /// Whether accesses to stored files are remembered by path, for [`Pond::explain`].
    pub accesses: bool,
    /// For a new pond: content up to this many bytes is kept in the log.
    pub inline_bytes_max: u64,
}

impl Default for PondOptions {
    fn default() -> Self {
        Self { knobs: Knobs::default(), trace: false, accesses: false, inline_bytes_max: INLINE_BYTES_MAX }
    }
}

/// An open pond.
#[derive(Debug)]
pub struct Pond {
    log: Log,
    planner: Planner,
    recorder: Arc<Recorder>,
    snapshots: Snapshots,
}

/// A node in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The node.
    pub node: NodeId,
    /// The path by which the pattern found it.
    pub path: String,
    /// What the pattern's stars stood for.
    pub captures: Vec<String>,
    /// What it is.
    pub entry_type: EntryType,
    /// Its versions; directories have one.
    pub versions: usize,
    /// Rows of all versions that count.
    pub rows: Option<u64>,
    /// Bytes of all versions that count.
    pub bytes: u64,
    /// First event time in microseconds.
    pub first_us: Option<i64>,
    /// Last event time in microseconds, inclusive.
    pub last_us: Option<i64>,
}

impl Pond {
    /// Makes a pond in a folder that is empty or does not exist.
    ///
    /// # Errors
    /// If the folder is not empty or cannot be written.
    pub fn init(root: &Path, options: PondOptions) -> Result<Self> {
        let (recorder, runtime) = parts(&options)?;
        let layout = Layout::create(root, options.inline_bytes_max)?;
        let log = Log::create(layout, Arc::clone(&recorder), Arc::clone(&runtime))?;
        Self::over(log, runtime, recorder, options.knobs)
    }

    /// Opens a pond at its newest transaction.
    ///
    /// # Errors
    /// If there is no pond, it is of a newer format, or its log is damaged.
    pub fn open(root: &Path, options: PondOptions) -> Result<Self> {
        let (recorder, runtime) = parts(&options)?;
        let layout = Layout::open(root)?;
        let log = Log::open(layout, Arc::clone(&recorder), Arc::clone(&runtime))?;
        Self::over(log, runtime, recorder, options.knobs)
    }

    fn over(log: Log, runtime: Arc<Runtime>, recorder: Arc<Recorder>, knobs: Knobs) -> Result<Self> {
        let disk = knobs.cache_disk().then(|| {
            let folder = log.layout().root().join("cache").join("footers");
            DiskCache::open(folder, knobs.cache_bytes() as u64)
        });
        let planner = Planner::new(knobs, runtime, Arc::clone(&recorder), disk);
        Ok(Self { log, planner, recorder, snapshots: Snapshots::default() })
    }

    /// Returns the recorder of stages and counters.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Returns the snapshot of the newest transaction that this handle knows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.log.snapshot()
    }

    /// Looks for newer transactions; without its cache, the snapshot is read from the log again.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn refresh(&self) -> Result<Arc<Snapshot>> {
        self.renew(self.planner.knobs().cache("delta"))
    }

    fn renew(&self, kept: bool) -> Result<Arc<Snapshot>> {
        let begin = Instant::now();
        let before = self.log.snapshot().txn();
        let snapshot = if kept { self.log.refresh()? } else { self.log.reopen()? };
        self.snapshots.note(kept, before == snapshot.txn(), begin.elapsed());
        if before != snapshot.txn() {
            self.planner.advance(&snapshot);
        }
        Ok(snapshot)
    }

    /// Reads the whole log anew, as if the pond were just opened; [`Pond::refresh`] reads what is new.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn reload(&self) -> Result<Arc<Snapshot>> {
        self.renew(false)
    }

    /// Returns the version of the Delta table, which also counts maintenance.
    pub fn delta_version(&self) -> u64 {
        self.log.delta_version()
    }

    /// Imports files, folders and glob patterns to a path, as one transaction.
    ///
    /// # Errors
    /// If anything is bad; then the pond is as it was before.
    pub fn import(
        &self,
        files: &[PathBuf],
        target: &str,
        options: &ImportOptions,
        progress: Progress<'_>,
    ) -> Result<Vec<Imported>> {
        let snapshot = self.log.snapshot();
        let sources = {
            let _stage = self.recorder.stage(Stage::FileDiscovery);
            plan_sources(snapshot.tree(), files, target, options.split_by.is_some())?
        };
        let imported = import(&self.log, &sources, options, progress);
        self.planner.advance(&self.log.snapshot());
        imported
    }

    /// Adds versions that a program made, as one transaction.
    ///
    /// # Errors
    /// If a path has another type, or the disk is full; then the pond is as it was before.
    pub fn write(&self, series: impl Iterator<Item = NewSeries>) -> Result<u64> {
        let rows = write_series(&self.log, series);
        self.planner.advance(&self.log.snapshot());
        rows
    }

    /// Makes a directory with all its parents; tells whether it was not there.
    ///
    /// # Errors
    /// If a component of the path is no directory.
    pub fn mkdir(&self, path: &str) -> Result<bool> {
        let path = PondPath::parse(path)?;
        let mut transaction = self.log.begin()?;
        let before = self.log.snapshot();
        transaction.ensure_dir(&path)?;
        if before.tree().resolve(&path).is_some() {
            return Ok(false);
        }
        transaction.commit("mkdir", &serde_json::json!({ "path": path.as_str() }))?;
        self.planner.advance(&self.log.snapshot());
        Ok(true)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// If the path exists.
    pub fn link(&self, path: &str, target: &str) -> Result<()> {
        let (path, target) = (PondPath::parse(path)?, PondPath::parse(target)?);
        let mut transaction = self.log.begin()?;
        transaction.link(&path, &target)?;
        let details = serde_json::json!({ "path": path.as_str(), "target": target.as_str() });
        transaction.commit("link", &details)?;
        self.planner.advance(&self.log.snapshot());
        Ok(())
    }

    /// Lists the nodes that a pattern matches, in path order.
    ///
    /// # Errors
    /// If the pattern is not well formed.
    pub fn list(&self, pattern: &str) -> Result<Vec<Listed>> {
        let pattern = Pattern::parse(pattern)?;
        let view = self.view()?;
        let namespace = view.namespace();
        let (snapshot, tree) = (namespace.snapshot(), namespace.tree());
        let matches = view.find(&pattern);
        let _stage = self.recorder.stage(Stage::FileDiscovery);
        let listed = matches.iter().map(|found| {
            let derived = namespace.derived(found.node).is_some();
            // What a directory derives has no version of its own, and the versions of any other derived node
            // are those of its configuration.
            let summary = snapshot.summary(found.node);
            let own = if derived { Summary::default() } else { summary };
            Listed {
                node: found.node,
                path: found.path.clone(),
                captures: found.captures.clone(),
                entry_type: tree.node(found.node).entry_type,
                versions: summary.versions as usize,
                rows: if derived { None } else { own.rows },
                bytes: own.bytes,
                first_us: own.first_us,
                last_us: own.last_us,
            }
        });
        Ok(listed.collect())
    }

    /// Opens a table or series.
    ///
    /// # Errors
    /// If the path does not exist or holds no rows.
    pub fn series(&self, path: &str) -> Result<Series> {
        let path = PondPath::parse(path)?;
        let view = self.view()?;
        let namespace = view.namespace();
        let node = namespace.tree().lookup(&path)?;
        let entry_type = namespace.tree().node(node).entry_type;
        if namespace.derived(node).is_some() {
            let expected = EntryType::Series.name();
            return Err(match entry_type.is_queryable() {
                true => Error::Derived {
                    path: path.to_string(),
                    message: "it is derived and has no stored rows; query it instead".to_owned(),
                },
                false => Error::WrongType { path: path.to_string(), found: entry_type.name(), expected },
            });
        }
        self.planner.series(namespace.snapshot(), node, path.as_str())
    }

    /// Runs a query over a table or series, which it calls `source`.
    ///
    /// # Errors
    /// If the path does not exist, or the query is wrong.
    pub fn query(&self, path: &str, sql: &str, options: QueryOptions) -> Result<Answer> {
        let view = self.view()?;
        let node = view.namespace().tree().lookup(&PondPath::parse(path)?)?;
        let relations = Relations::from([(SOURCE.to_owned(), view.shown(node)?)]);
        query(&self.planner, &relations, sql, options)
    }

    /// Exports series; `progress` is told of series done and of all.
    ///
    /// # Errors
    /// If nothing matches or files cannot be written; then the folder is as it was before.
    pub fn export(&self, options: &ExportOptions, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Manifest> {
        self.export_told(options, &|step| match step {
            ExportStep::Done { done, total } => progress(done, total),
            ExportStep::Begun { .. } => {}
        })
    }

    /// Exports series; `told` is told of each step by the worker that comes to it.
    ///
    /// # Errors
    /// As [`Pond::export`].
    pub fn export_told(
        &self,
        options: &ExportOptions,
        told: &(dyn Fn(ExportStep<'_>) + Sync),
    ) -> Result<Manifest> {
        let manifest = export(&self.view()?, options, told)?;
        self.planner.files().invalidate(&options.dir)?;
        Ok(manifest)
    }

    /// Returns the newest snapshot with its derived nodes, to be seen through the caches.
    fn view(&self) -> Result<View<'_>> {
        let snapshot = self.log.snapshot();
        let kept = self.knobs().cache("pattern");
        let suits = |namespace: &Namespace| kept && Arc::ptr_eq(namespace.snapshot(), &snapshot);
        let make = || Namespace::expand(&snapshot, self.knobs().reduce());
        Ok(View::new(self.snapshots.namespace(suits, make)?, &self.planner))
    }

    /// Runs a query over the files of an exported folder, which it calls `source`.
    ///
    /// The partitions are columns of text.
    ///
    /// # Errors
    /// If the folder is no export, or the query is wrong.
    pub fn query_export(&self, folder: &Path, sql: &str, options: QueryOptions) -> Result<Answer> {
        query_export(&self.planner, folder, sql, options)
    }

    /// Returns the knobs that the pond was opened with.
    pub fn knobs(&self) -> &Knobs {
        self.planner.knobs()
    }

    /// Returns what each cache did, by its name.
    pub fn cache_stats(&self) -> BTreeMap<&'static str, CacheStats> {
        let others = self.planner.cache_stats();
        others.into_iter().chain([("delta", self.snapshots.stats())]).collect()
    }

    /// Returns the commits, oldest first.
    pub fn log(&self) -> Vec<CommitRecord> {
        self.log.snapshot().commits().to_vec()
    }
}

fn parts(options: &PondOptions) -> Result<(Arc<Recorder>, Arc<Runtime>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // With one job, what is counted must not follow from which of two threads was first.
        .worker_threads(options.knobs.jobs().clamp(1, WORKER_THREADS))
        .enable_all()
        .build()
        .map_err(Error::io("start threads for", Path::new("the pond")))?;
    let mut recorder = Recorder::new(options.trace);
    if options.accesses {
        recorder = recorder.with_accesses();
    }
    Ok((Arc::new(recorder), Arc::new(runtime)))
}
