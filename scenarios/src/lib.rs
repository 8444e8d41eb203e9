//! The vocabulary of Pondmark: the words that the engine and the harness share.
//!
//! A [`Suite`] is a TOML file of [`Scenario`]s; a scenario expands to [`Cell`]s; the engine answers a
//! cell with [`Sample`]s over the line protocol of [`wire`]. A [`Ledger`] holds [`Claim`]s, each of which
//! is two cells. [`Thresholds`] are limits on what an operation uses. Nothing here measures, spawns or draws, and
//! nothing here depends on Arrow, Delta or DataFusion, so that the harness stays light.

#![forbid(unsafe_code)]

mod cell;
mod claim;
mod document;
mod knob;
mod metric;
mod nearest;
mod quantity;
mod sample;
mod suite;
mod threshold;
pub mod wire;

pub use cell::{Answer, Cell, Workload};
pub use claim::{Claim, LEDGER, Ledger, Promise, Setting, Untested};
pub use document::DocumentError;
pub use knob::{CACHES, KNOBS, Knob, PRESETS, Settings, Values};
pub use metric::{Bound, CACHE_METRICS, Kind, METRICS, Metric, STAGES, Stage};
pub use nearest::nearest;
pub use quantity::{Amount, Quantity};
pub use sample::{Phase, Sample};
pub use suite::{Axis, Scenario, Suite};
pub use threshold::{
    Crossing, IO_WAIT, LOOKUPS_MIN, SETTINGS_FILE, STORE_ERRORS, THRESHOLDS, THRESHOLDS_TABLE, Threshold,
    Thresholds,
};
