//! The façade: everything that users of the library do with a pond.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::error::{Error, Result};
use crate::export::{ExportOptions, Manifest, export};
use crate::import::{ImportOptions, Imported, NewSeries, Progress, import, plan_sources, write_series};
use crate::log::{CommitRecord, Layout, Log, Snapshot};
use crate::metrics::{Counter, Recorder};
use crate::query::{Answer, QueryOptions, query};
use crate::series::Series;
use crate::tree::{EntryType, NodeId, Pattern, PondPath};
use scenarios::Stage;

/// Threads that serve the log's and the queries' tasks.
const WORKER_THREADS: usize = 2;

/// Content up to this size is kept in the log.
const INLINE_BYTES_MAX: u64 = 64 * 1024;

/// How a pond is opened or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PondOptions {
    /// Whether every stage is kept as a span, for [`Recorder::write_trace`].
    pub trace: bool,
    /// For a new pond: content up to this many bytes is kept in the log.
    pub inline_bytes_max: u64,
}

impl Default for PondOptions {
    fn default() -> Self {
        Self { trace: false, inline_bytes_max: INLINE_BYTES_MAX }
    }
}

/// An open pond.
#[derive(Debug)]
pub struct Pond {
    log: Log,
    runtime: Arc<Runtime>,
    recorder: Arc<Recorder>,
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
        let (recorder, runtime) = parts(options)?;
        let layout = Layout::create(root, options.inline_bytes_max)?;
        let log = Log::create(layout, Arc::clone(&recorder), Arc::clone(&runtime))?;
        Ok(Self { log, runtime, recorder })
    }

    /// Opens a pond at its newest transaction.
    ///
    /// # Errors
    /// If there is no pond, it is of a newer format, or its log is damaged.
    pub fn open(root: &Path, options: PondOptions) -> Result<Self> {
        let (recorder, runtime) = parts(options)?;
        let layout = Layout::open(root)?;
        let log = Log::open(layout, Arc::clone(&recorder), Arc::clone(&runtime))?;
        Ok(Self { log, runtime, recorder })
    }

    /// Returns the recorder of stages and counters.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Returns the snapshot of the newest transaction that this handle knows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.log.snapshot()
    }

    /// Looks for newer transactions.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn refresh(&self) -> Result<Arc<Snapshot>> {
        self.log.refresh()
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
        import(&self.log, &sources, options, progress)
    }

    /// Adds versions that a program made, as one transaction.
    ///
    /// # Errors
    /// If a path has another type, or the disk is full; then the pond is as it was before.
    pub fn write(&self, series: impl Iterator<Item = NewSeries>) -> Result<u64> {
        write_series(&self.log, series)
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
        Ok(())
    }

    /// Lists the nodes that a pattern matches, in path order.
    ///
    /// # Errors
    /// If the pattern is not well formed.
    pub fn list(&self, pattern: &str) -> Result<Vec<Listed>> {
        let pattern = Pattern::parse(pattern)?;
        let snapshot = self.log.snapshot();
        let walked = {
            let _stage = self.recorder.stage(Stage::PatternMatch);
            snapshot.tree().find(&pattern)
        };
        self.recorder.count(Counter::NodesVisited, walked.visited);
        self.recorder.count(Counter::NodesMatched, walked.matches.len() as u64);
        let _stage = self.recorder.stage(Stage::FileDiscovery);
        let listed = walked.matches.into_iter().map(|found| {
            let entry_type = snapshot.tree().node(found.node).entry_type;
            let all = snapshot.version_count(found.node);
            let counting = if entry_type == EntryType::Series { all } else { 1 };
            let versions = || snapshot.versions(found.node).skip(all - counting.min(all));
            Listed {
                node: found.node,
                path: found.path,
                captures: found.captures,
                entry_type,
                versions: all,
                rows: versions().map(|version| version.rows).sum(),
                bytes: versions().map(|version| version.size).sum(),
                first_us: versions().filter_map(|version| version.first_us).min(),
                last_us: versions().filter_map(|version| version.last_us).max(),
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
        let snapshot = self.log.snapshot();
        let node = snapshot.tree().lookup(&path)?;
        Series::open(&snapshot, node, path.as_str())
    }

    /// Runs a query over a table or series, which it calls `source`.
    ///
    /// # Errors
    /// If the path does not exist, or the query is wrong.
    pub fn query(&self, path: &str, sql: &str, options: QueryOptions) -> Result<Answer> {
        query(self.series(path)?, sql, options, &self.runtime)
    }

    /// Exports series; `progress` is told of series done and of all.
    ///
    /// # Errors
    /// If nothing matches or files cannot be written; then the folder is as it was before.
    pub fn export(&self, options: &ExportOptions, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Manifest> {
        export(&self.log.snapshot(), options, progress)
    }

    /// Returns the commits, oldest first.
    pub fn log(&self) -> Vec<CommitRecord> {
        self.log.snapshot().commits().to_vec()
    }
}

fn parts(options: PondOptions) -> Result<(Arc<Recorder>, Arc<Runtime>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(Error::io("start threads for", Path::new("the pond")))?;
    Ok((Arc::new(Recorder::new(options.trace)), Arc::new(runtime)))
}
