//! Stages and metrics: the closed list of what a sample may measure.
//!
//! A metric's name decides its kind, so a record written by an older engine is still read correctly. A
//! name outside this list is refused: a renamed counter must not pass as "no change".

use serde::{Deserialize, Serialize};

use crate::knob::CACHES;

/// One box of the pipeline. Times of stages are exclusive: an inner stage pauses the outer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum Stage {
    /// Opening the log, taking a snapshot, committing.
    Transaction,
    /// Walking the tree for a pattern.
    PatternMatch,
    /// Finding the versions and content of the matched files.
    FileDiscovery,
    /// Deciding what an imported or listed file is, and the types of its columns.
    TypeDetection,
    /// Building derived nodes.
    Factory,
    /// Finding the columns of a series.
    SchemaDiscovery,
    /// Building table providers.
    ProviderCreation,
    /// Building a session context.
    Session,
    /// Registering tables with a session.
    TableRegistration,
    /// Writing SQL text.
    SqlGeneration,
    /// Parsing, analysing, optimising and planning a query.
    QueryPlanning,
    /// Running a plan or a copy, apart from the two stages below.
    Execution,
    /// Reading and decoding Parquet.
    ParquetRead,
    /// Encoding and writing Parquet.
    PartitionWrite,
    /// Collecting what an export or import wrote: manifests, statistics, schemas.
    MetadataCollection,
}

/// Every stage, in pipeline order.
pub const STAGES: [Stage; 15] = [
    Stage::Transaction,
    Stage::PatternMatch,
    Stage::FileDiscovery,
    Stage::TypeDetection,
    Stage::Factory,
    Stage::SchemaDiscovery,
    Stage::ProviderCreation,
    Stage::Session,
    Stage::TableRegistration,
    Stage::SqlGeneration,
    Stage::QueryPlanning,
    Stage::Execution,
    Stage::ParquetRead,
    Stage::PartitionWrite,
    Stage::MetadataCollection,
];

impl Stage {
    /// Returns the name used in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::PatternMatch => "pattern_match",
            Self::FileDiscovery => "file_discovery",
            Self::TypeDetection => "type_detection",
            Self::Factory => "factory",
            Self::SchemaDiscovery => "schema_discovery",
            Self::ProviderCreation => "provider_creation",
            Self::Session => "session",
            Self::TableRegistration => "table_registration",
            Self::SqlGeneration => "sql_generation",
            Self::QueryPlanning => "query_planning",
            Self::Execution => "execution",
            Self::ParquetRead => "parquet_read",
            Self::PartitionWrite => "partition_write",
            Self::MetadataCollection => "metadata_collection",
        }
    }
}

/// How a metric may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A counter that must repeat exactly, on any machine of the same architecture.
    Exact,
    /// Nearly deterministic: allocations, instructions.
    Bounded,
    /// Noisy: times and peak memory.
    Time,
}

/// A metric's name, kind and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name in records; `stage.*` metrics are formed from [`STAGES`].
    pub name: &'static str,
    /// How it may be compared.
    pub kind: Kind,
    /// The unit of one count: `ns`, `bytes`, or the things counted.
    pub unit: &'static str,
    /// What is counted, in one line.
    pub about: &'static str,
}

const fn metric(name: &'static str, kind: Kind, unit: &'static str, about: &'static str) -> Metric {
    Metric { name, kind, unit, about }
}

/// Every metric that does not belong to a stage.
pub const METRICS: &[Metric] = &[
    metric("wall_ns", Kind::Time, "ns", "elapsed time of the measured operation"),
    metric("cpu_ns", Kind::Time, "ns", "user and system time of the engine process"),
    metric("peak_rss_bytes", Kind::Time, "bytes", "largest resident memory of the process so far"),
    metric("alloc_count", Kind::Bounded, "allocations", "calls to the allocator"),
    metric("alloc_bytes", Kind::Bounded, "bytes", "bytes asked of the allocator"),
    metric("alloc_peak_bytes", Kind::Time, "bytes", "most bytes held at once, above those at the begin"),
    metric("instructions", Kind::Bounded, "instructions", "instructions executed, as callgrind counts them"),
    metric("nodes_visited", Kind::Exact, "nodes", "tree nodes that a pattern looked at"),
    metric("nodes_matched", Kind::Exact, "nodes", "tree nodes that a pattern matched"),
    metric("versions_read", Kind::Exact, "versions", "file versions opened for reading"),
    metric("entries_loaded", Kind::Exact, "entries", "log entries decoded into a snapshot"),
    metric("log_files_read", Kind::Exact, "files", "entry files of the log that were decoded"),
    metric("transactions", Kind::Exact, "commits", "transactions committed"),
    metric("snapshots_built", Kind::Exact, "snapshots", "pond snapshots built from the log"),
    metric("sessions_built", Kind::Exact, "sessions", "query sessions built"),
    metric("providers_built", Kind::Exact, "providers", "table providers built"),
    metric("schemas_read", Kind::Exact, "schemas", "series schemas resolved"),
    metric("plans_built", Kind::Exact, "plans", "query plans built"),
    metric("versions_scanned", Kind::Exact, "versions", "file versions that planned scans read"),
    metric("footers_read", Kind::Exact, "footers", "Parquet footers decoded"),
    metric("row_groups_read", Kind::Exact, "row groups", "Parquet row groups decoded"),
    metric("rows_read", Kind::Exact, "rows", "rows decoded from stored content or source files"),
    metric("rows_written", Kind::Exact, "rows", "rows encoded"),
    metric("files_written", Kind::Exact, "files", "data files written"),
    metric("bytes_written", Kind::Exact, "bytes", "bytes of data files written"),
    metric("groups_copied", Kind::Exact, "row groups", "encoded row groups copied without decoding"),
    metric("partitions_reused", Kind::Exact, "partitions", "output partitions kept from the last export"),
    metric("relations_built", Kind::Exact, "relations", "relations of derived nodes built"),
    metric("partitions_written", Kind::Exact, "partitions", "output partitions written"),
    metric("spills", Kind::Exact, "spills", "times that rows were put aside on disk for want of memory"),
    metric("spilled_bytes", Kind::Exact, "bytes", "bytes of rows put aside on disk"),
    metric("content_reads", Kind::Exact, "reads", "ranges read from stored content"),
    metric("content_read_bytes", Kind::Exact, "bytes", "bytes read from stored content"),
    metric("store_log_json_requests", Kind::Exact, "requests", "requests for Delta commit files"),
    metric("store_log_json_bytes", Kind::Exact, "bytes", "bytes of Delta commit files moved"),
    metric("store_checkpoint_requests", Kind::Exact, "requests", "requests for Delta checkpoints"),
    metric("store_checkpoint_bytes", Kind::Bounded, "bytes", "bytes of Delta checkpoints moved"),
    metric("store_footer_requests", Kind::Exact, "requests", "requests for the end of a Parquet file"),
    metric("store_footer_bytes", Kind::Exact, "bytes", "bytes of Parquet footers moved"),
    metric("store_data_requests", Kind::Exact, "requests", "requests for Parquet data"),
    metric("store_data_bytes", Kind::Exact, "bytes", "bytes of Parquet data moved"),
    metric("store_list_requests", Kind::Exact, "requests", "listings asked of the store"),
    metric("store_other_requests", Kind::Exact, "requests", "requests of any other class"),
];

/// What is measured of each cache, as `cache.<cache>.<name>`.
pub const CACHE_METRICS: [Metric; 7] = [
    metric("hits", Kind::Exact, "look-ups", "look-ups that found a value"),
    metric("misses", Kind::Exact, "look-ups", "look-ups that computed a value"),
    metric("evictions", Kind::Exact, "values", "values that left for others, or for their age"),
    metric("stale", Kind::Exact, "values", "values replaced because what they describe has changed"),
    metric("bytes", Kind::Bounded, "bytes", "bytes held, as the cache weighs them"),
    metric("access_ns", Kind::Time, "ns", "time spent on look-ups that hit"),
    metric("saved_ns", Kind::Time, "ns", "what the hits would have cost at the mean cost of a miss"),
];

impl Metric {
    /// Tells whether more of a counter means less work: look-ups that a cache answers, files that need not be written.
    pub fn is_saving(name: &str) -> bool {
        name == "partitions_reused" || (name.starts_with("cache.") && name.ends_with(".hits"))
    }

    /// Returns the kind of a metric by its name, or nothing if no such metric exists.
    ///
    /// Of a stage, `stage.<stage>.ns` and `alloc_peak_bytes` are as noisy as times, `count` is exact, `allocs` and
    /// `alloc_bytes` are bounded; `cache.<cache>.<what>` is as [`CACHE_METRICS`] has it.
    pub fn kind_of(name: &str) -> Option<Kind> {
        if let Some(rest) = name.strip_prefix("stage.") {
            let (stage, what) = rest.rsplit_once('.')?;
            STAGES.iter().find(|s| s.name() == stage)?;
            return match what {
                "ns" => Some(Kind::Time),
                "count" => Some(Kind::Exact),
                "allocs" | "alloc_bytes" => Some(Kind::Bounded),
                "alloc_peak_bytes" => Some(Kind::Time),
                _ => None,
            };
        }
        if let Some(rest) = name.strip_prefix("cache.") {
            let (cache, what) = rest.rsplit_once('.')?;
            CACHES.iter().find(|known| **known == cache)?;
            return CACHE_METRICS.iter().find(|metric| metric.name == what).map(|metric| metric.kind);
        }
        METRICS.iter().find(|m| m.name == name).map(|m| m.kind)
    }

    /// Returns the unit of a metric by its name; counts of stages have the unit `calls`.
    pub fn unit_of(name: &str) -> &'static str {
        if name.ends_with(".ns") {
            return "ns";
        }
        if name.ends_with(".allocs") {
            return "allocations";
        }
        if let Some((_, what)) = name.strip_prefix("cache.").and_then(|rest| rest.rsplit_once('.')) {
            return CACHE_METRICS.iter().find(|metric| metric.name == what).map_or("calls", |m| m.unit);
        }
        if name.ends_with("_bytes") {
            return "bytes";
        }
        METRICS.iter().find(|m| m.name == name).map_or("calls", |m| m.unit)
    }

    /// Returns how far a bounded metric may differ between two sides of one run before it gates, or nothing if it does
    /// not gate: what stages allocate is part of the whole, and what caches hold follows from other counters.
    pub fn bound(name: &str) -> Option<Bound> {
        let least = match name {
            "instructions" => 0,
            // What threads allocate besides depends on when they run; of executions that allocate little it is more
            // than the share.
            "alloc_count" => 128,
            "alloc_bytes" => 64 << 10,
            _ => return None,
        };
        Some(Bound { share: 0.02, least })
    }
}

/// How far a bounded metric may differ between two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The share of the base by which it may.
    pub share: f64,
    /// The difference that it may have in any case.
    pub least: u64,
}

impl Bound {
    /// Tells whether two values differ by no more.
    pub fn holds(self, base: u64, head: u64) -> bool {
        head.abs_diff(base) <= self.least || head.abs_diff(base) as f64 <= self.share * base as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn savings_are_counters_that_exist() {
        let check = |name, expect| {
            assert_eq!(Metric::kind_of(name), Some(Kind::Exact), "{name}");
            assert_eq!(Metric::is_saving(name), expect, "{name}");
        };
        check("partitions_reused", true);
        check("cache.plan.hits", true);
        check("cache.plan.misses", false);
        check("partitions_written", false);
    }

    #[test]
    fn kind_follows_from_the_name() {
        let check = |name, expect| assert_eq!(Metric::kind_of(name), expect, "{name}");
        check("wall_ns", Some(Kind::Time));
        check("alloc_bytes", Some(Kind::Bounded));
        check("rows_read", Some(Kind::Exact));
        check("stage.parquet_read.ns", Some(Kind::Time));
        check("stage.parquet_read.count", Some(Kind::Exact));
        check("stage.nonsense.count", None);
        check("cache.plan.hits", Some(Kind::Exact));
        check("cache.plan.saved_ns", Some(Kind::Time));
        check("cache.plan.htis", None);
        check("cache.paln.hits", None);
        check("rows_raed", None);
    }

    #[test]
    fn bounds_are_shares_but_of_small_values() {
        let bound = Metric::bound("alloc_count").unwrap();
        assert!(bound.holds(10_000, 10_200) && bound.holds(10_000, 9_800) && bound.holds(100, 228));
        assert!(!bound.holds(10_000, 10_201) && !bound.holds(10_000, 9_799) && !bound.holds(100, 229));
        assert!(bound.holds(0, 128) && !bound.holds(0, 129));
        assert_eq!(Metric::bound("rows_read"), None);
    }

    #[test]
    fn every_name_is_listed_once() {
        let mut names: Vec<_> = METRICS.iter().map(|m| m.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn stages_are_listed_in_their_numeric_order() {
        for (index, stage) in STAGES.iter().enumerate() {
            assert_eq!(*stage as usize, index);
        }
    }
}
