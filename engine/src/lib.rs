//! The pond pipeline: versioned time series in a small virtual file system, logged in a Delta table,
//! queried with DataFusion, exported to partitioned Parquet.
//!
//! Layers, each importing only those before it:
//!
//! ```text
//! error, metrics ◄ store ◄ tree ◄ log ◄ series ◄ query ◄ import, export ◄ pond ◄ cell ◄ bin/pond
//! ```
//!
//! [`Pond`] is where to begin.

#![deny(unsafe_code)]

mod cell;
mod error;
mod export;
mod import;
mod knobs;
mod log;
mod metrics;
mod pond;
mod query;
mod series;
mod store;
mod tree;

pub use cell::serve as serve_cells;
pub use error::{Error, Result};
pub use export::{ExportOptions, ExportedFile, ExportedTarget, MANIFEST_FORMAT, MANIFEST_NAME, Manifest};
pub use import::{Ambiguous, ImportOptions, Imported, NewSeries, NonFinite, Progress};
pub use knobs::{Copy, Knobs, Reduce};
pub use log::{CommitRecord, POND_FORMAT, Snapshot, Version};
pub use metrics::{Counter, CountingAllocator, Recorder, StageGuard, Totals, allocations};
pub use pond::{Listed, Pond, PondOptions};
pub use query::{Answer, QueryOptions, SOURCE};
pub use series::{Batches, Series, TimeRange, Unit, Units};
pub use tree::{EntryType, Match, Node, NodeId, Pattern, PondPath, Tree, Walked};
