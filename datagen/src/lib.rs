//! The synthesizer of Pondmark: versioned time series that look like water and weather, from a seed.
//!
//! A [`PondSpec`] says how many series a pond has, how long, how dense and how untidy they are. It yields
//! its [`Series`] in path order; each series yields the record batches of each of its versions. Nothing
//! is kept: batches stream in constant memory, and any series or version can be made alone.
//!
//! # The same bytes on every machine
//! Each column draws from a stream of its own of `ChaCha8Rng`, keyed by the seed, the series number and
//! the column number, and a value depends only on that stream and on the row's place in time. Sines come
//! from the `libm` crate and are carried on by rotation; everything else is integer arithmetic or one of
//! the exactly rounded operations. Threads, hash order and the standard library's sines have no part.
//!
//! # Oddities
//! Gaps, nulls, rows sent twice, rows out of order, several versions, late rows, columns that appear
//! later and unit changes; see [`Oddities`] for their shares.

#![forbid(unsafe_code)]

mod batches;
mod error;
mod instrument;
mod names;
mod oddities;
mod plan;
mod series;
mod signal;
mod sizes;
mod spec;
mod stations;
mod streams;
mod write;

pub use error::DatagenError;
pub use oddities::Oddities;
pub use series::Series;
pub use sizes::SIZES;
pub use spec::{Layout, PondSpec};
pub use write::{Format, Options, Progress, Report, write};
