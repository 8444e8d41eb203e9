//! The peers: DuckDB, Polars and pyarrow at the tasks of the engine.
//!
//! Each contender runs in a fresh process, in turn with the others; what it answers is compared with a
//! reference that none of them made. The peers are Python scripts, kept beside this file. Everything here
//! but [`environment`], [`script`] and [`turn`] is pure.

pub(crate) mod contender;
pub(crate) mod document;
pub(crate) mod environment;
pub(crate) mod record;
pub(crate) mod schedule;
pub(crate) mod script;
pub(crate) mod standing;
pub(crate) mod turn;
