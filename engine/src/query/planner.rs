//! What queries and exports of one pond handle share: its knobs, its caches, its sessions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::catalog::TableProvider;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::LogicalPlan;
use scenarios::Stage;
use tokio::runtime::Runtime;

use super::file_caches::{FileCacheOptions, FileCaches};
use super::session::{QueryOptions, session};
use crate::cache::{Cache, CacheOptions, CacheStats, DiskCache, Policy};
use crate::error::Result;
use crate::knobs::Knobs;
use crate::log::Snapshot;
use crate::metrics::{Counter, Recorder};
use crate::series::{NodeVersion, Series, SeriesCaches, SeriesTable};
use crate::tree::{Match, NodeId, Pattern, Tree};

/// How long an entry of a cache with the policy `ttl` counts.
const TTL: std::time::Duration = std::time::Duration::from_secs(60);

/// What a provider is weighed at, in bytes: it holds no rows, only what to read.
const PROVIDER_BYTES: usize = 4 * 1024;

/// What a session is weighed at, in bytes: its functions and rules, mostly.
const SESSION_BYTES: usize = 1024 * 1024;

/// What a plan node is weighed at, in bytes.
const PLAN_NODE_BYTES: usize = 2 * 1024;

/// What a provider shows: a stored node as of a version, or something derived, by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A stored node.
    Stored(NodeVersion),
    /// A derived node: the digest of its configuration and of everything that it is derived from.
    Derived([u8; 32]),
}

impl fmt::Display for Source {
    /// Writes a name for a table, the same for the same source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(at) => write!(f, "node_{}_{}", at.node, at.versions),
            Self::Derived(digest) => {
                f.write_str("derived_")?;
                digest[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl Source {
    /// Returns the digest of what is shown, within its pond.
    pub(crate) fn digest(&self) -> [u8; 32] {
        match self {
            Self::Stored(at) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&at.node.to_le_bytes()).update(&at.versions.to_le_bytes());
                *hasher.finalize().as_bytes()
            }
            Self::Derived(digest) => *digest,
        }
    }
}

/// What DataFusion is shown of a node.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// What it is.
    pub source: Source,
    /// The table.
    pub provider: Arc<dyn TableProvider>,
    /// The column of event times, if there is one.
    pub time_column: Option<String>,
}

/// A query whose plan may be kept: its text, what its relations are, and the partitions planned for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    pub text: String,
    pub relations: Vec<(String, Source)>,
    pub target_partitions: usize,
}

/// A pattern over the tree of a snapshot; nodes are only ever added, so their number says which tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PatternKey {
    nodes: usize,
    /// What derived nodes there are.
    derived: [u8; 32],
    pattern: String,
}

/// Builds sessions, providers and plans for one pond handle, and keeps what its knobs say to keep.
pub(crate) struct Planner {
    knobs: Knobs,
    runtime: Arc<Runtime>,
    recorder: Arc<Recorder>,
    series: Arc<SeriesCaches>,
    files: FileCaches,
    patterns: Cache<PatternKey, Arc<[Match]>>,
    providers: Cache<Source, Shown>,
    sessions: Cache<QueryOptions, SessionContext>,
    plans: Cache<PlanKey, Arc<LogicalPlan>>,
}

impl Planner {
    /// Makes a planner; `disk` is where footers are kept between processes, if they are.
    pub(crate) fn new(
        knobs: Knobs,
        runtime: Arc<Runtime>,
        recorder: Arc<Recorder>,
        disk: Option<DiskCache>,
    ) -> Self {
        let policy = match knobs.cache_policy() {
            "fifo" => Policy::Fifo,
            "ttl" => Policy::Ttl(TTL),
            _ => Policy::Lru,
        };
        let options = |name| CacheOptions { enabled: knobs.cache(name), bytes: knobs.cache_bytes(), policy };
        let series = SeriesCaches::new(options("schema"), options("footer"), disk, Arc::clone(&recorder));
        Self {
            series: Arc::new(series),
            files: FileCaches::new(FileCacheOptions {
                footer: knobs.cache("footer"),
                listing: knobs.cache("listing"),
                statistics: knobs.cache("statistics"),
                bytes: knobs.cache_bytes(),
                listing_age_max: Some(TTL),
            }),
            patterns: Cache::new("pattern", options("pattern")),
            providers: Cache::new("provider", options("provider")),
            sessions: Cache::new("session", options("session")),
            plans: Cache::new("plan", options("plan")),
            knobs,
            runtime,
            recorder,
        }
    }

    /// Returns the knobs.
    pub(crate) fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// Returns the threads that queries run on.
    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// Returns the recorder of the pond's handle.
    pub(crate) fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Opens a stored table or series.
    ///
    /// # Errors
    /// As [`Series::open`].
    pub(crate) fn series(&self, snapshot: &Snapshot, node: NodeId, path: &str) -> Result<Series> {
        Series::open(snapshot, node, path, &self.series)
    }

    /// Finds the nodes that a pattern matches, in path order.
    ///
    /// The tree is known by its number of stored nodes and the digest of its derived ones.
    pub(crate) fn find(&self, tree: &Tree, which: (usize, [u8; 32]), pattern: &Pattern) -> Arc<[Match]> {
        let (nodes, derived) = which;
        let key = PatternKey { nodes, derived, pattern: pattern.as_str().to_owned() };
        let weigh = |found: &Arc<[Match]>| found.iter().map(Match::size).sum();
        let found: Result<Arc<[Match]>, std::convert::Infallible> =
            self.patterns.get_or_try(key, weigh, || {
                let _stage = self.recorder.stage(Stage::PatternMatch);
                let walked = tree.find(pattern, self.knobs.indexed_find());
                self.recorder.count(Counter::NodesVisited, walked.visited);
                Ok(walked.matches.into())
            });
        let found = found.unwrap_or_else(|never| match never {});
        self.recorder.count(Counter::NodesMatched, found.len() as u64);
        found
    }

    /// Shows a stored series to DataFusion.
    ///
    /// # Errors
    /// As [`Planner::shown`].
    pub(crate) fn shown_series(&self, series: &Series) -> Result<Shown> {
        let source = Source::Stored(series.version());
        self.shown(source, || {
            let time_column = series.time().map(|time| series.schema().field(time).name().clone());
            Ok(Shown { source, provider: Arc::new(SeriesTable::new(series.clone())), time_column })
        })
    }

    /// Returns what DataFusion is shown of a source, making it if it is not kept.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn shown(&self, source: Source, make: impl FnOnce() -> Result<Shown>) -> Result<Shown> {
        self.providers.get_or_try(source, |_| PROVIDER_BYTES, make)
    }

    /// Returns a session.
    ///
    /// # Errors
    /// If it cannot be built.
    pub(crate) fn session(&self, options: QueryOptions) -> Result<SessionContext> {
        self.sessions.get_or_try(
            options,
            |_| SESSION_BYTES,
            || {
                let _stage = self.recorder.stage(Stage::Session);
                self.recorder.count(Counter::SessionsBuilt, 1);
                session(options, self.files.config())
            },
        )
    }

    /// Returns an optimised plan, building it if it is not kept.
    ///
    /// # Errors
    /// If it cannot be built.
    pub(crate) fn plan(
        &self,
        key: PlanKey,
        build: impl FnOnce() -> Result<LogicalPlan>,
    ) -> Result<Arc<LogicalPlan>> {
        self.plans.get_or_try(key, weigh_plan, || {
            self.recorder.count(Counter::PlansBuilt, 1);
            build().map(Arc::new)
        })
    }

    /// Returns DataFusion's own caches.
    pub(crate) fn files(&self) -> &FileCaches {
        &self.files
    }

    /// Drops what a newer snapshot has made stale.
    pub(crate) fn advance(&self, snapshot: &Snapshot) {
        let tree = snapshot.tree();
        let is_old = |at: &NodeVersion| {
            (at.node as usize) < tree.len() && snapshot.version_count(at.node) as u64 > at.versions
        };
        self.series.schemas.invalidate(is_old);
        let is_old_source = |source: &Source| matches!(source, Source::Stored(at) if is_old(at));
        self.providers.invalidate(is_old_source);
        self.plans.invalidate(|key| key.relations.iter().any(|(_, source)| is_old_source(source)));
        self.patterns.invalidate(|key| key.nodes < tree.len());
    }

    /// Returns the counters of every cache, by its name in the vocabulary.
    pub(crate) fn cache_stats(&self) -> Vec<(&'static str, CacheStats)> {
        let [(_, footers), listings, statistics] = self.files.stats();
        vec![
            ("pattern", self.patterns.stats()),
            ("schema", self.series.schemas.stats()),
            ("provider", self.providers.stats()),
            ("session", self.sessions.stats()),
            ("plan", self.plans.stats()),
            ("footer", self.series.footers().stats().with(&footers)),
            listings,
            statistics,
        ]
    }
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Planner({})", self.knobs)
    }
}

/// Returns a name that nothing else has: made of the process and the moment.
pub(crate) fn unique_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Two threads may read the clock at the same moment.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}_{}_{count}", std::process::id(), since.as_nanos())
}

fn weigh_plan(plan: &Arc<LogicalPlan>) -> usize {
    fn nodes(plan: &LogicalPlan) -> usize {
        1 + plan.inputs().into_iter().map(nodes).sum::<usize>()
    }
    nodes(plan) * PLAN_NODE_BYTES
}
