//! The pond pipeline: versioned time series in a small virtual file system, logged in a Delta table,
//! queried with DataFusion, exported to partitioned Parquet.
//!
//! Layers, each importing only those before it:
//!
//! ```text
//! chunks, error, metrics, plants, knobs, thresholds, cache ◄ store ◄ tree ◄ log ◄ series ◄ query ◄ factory ◄
//! import, export ◄ pond ◄ cell ◄ bin/pond
//! ```
//!
//! [`Pond`] is where to begin.

#![deny(unsafe_code)]

mod cache;
mod cell;
mod chunks;
mod error;
mod export;
mod factory;
mod import;
mod knobs;
mod log;
mod metrics;
mod plants;
mod pond;
mod query;
mod series;
mod store;
mod thresholds;
mod tree;

pub use cache::{Cache, CacheOptions, CacheStats, DiskCache, DiskStats, Policy};
pub use cell::serve as serve_cells;
pub use error::{Error, Result};
pub use export::{
    ExportOptions, ExportStep, ExportedFile, ExportedTarget, MANIFEST_FORMAT, MANIFEST_NAME, Manifest,
};
pub use factory::FACTORIES;
pub use import::{Ambiguous, ImportOptions, Imported, NewSeries, NonFinite, Progress};
pub use knobs::{Copy, Knobs, Reduce};
pub use log::{CommitRecord, LogAnalysis, POND_FORMAT, Snapshot, Summary, Version};
pub use metrics::{
    Access, Counter, CountingAllocator, Recorder, ResidentMemory, StageGuard, Totals, allocations, cpu_time,
    keep_freed_memory, resident_memory,
};
pub use pond::{
    CacheUse, DerivedNode, EXPLAINED_FORMAT, Explain, ExplainOptions, Explained, Listed, MatchUse,
    MatchedNode, PlanOf, Pond, PondOptions,
};
pub use query::{
    ANALYSIS_FORMAT, AggregateOrder, Analysis, Answer, Estimate, FileCacheOptions, FileCaches, Finding,
    Operator, OrderUse, Phase, PhaseTime, Planning, Plans, QueryOptions, Rule, SOURCE, Scan, Scheme,
    exported_table,
};
pub use series::{Batches, Series, TimeRange, Unit, Units};
pub use thresholds::thresholds_of_pond;
pub use tree::{EntryType, Match, Node, NodeId, Pattern, PondPath, Tree, Walked};
