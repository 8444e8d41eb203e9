//! What the times of two sides, measured in pairs, say about a change. Pure: no clock, no file, no process.
//!
//! docs/METHODOLOGY.md gives the procedure with its reasons and its measured error rates.

mod aligned;
#[cfg(test)]
mod cross_check;
mod decision;
mod design;
#[cfg(test)]
mod families;
mod multiplicity;
mod pairs;
mod rates;
mod swap_test;
mod turns;

pub(crate) use decision::{Call, Family, Judged, Margins};
pub(crate) use design::Design;
pub(crate) use multiplicity::benjamini_hochberg;
pub(crate) use pairs::Pairs;
pub(crate) use rates::Rate;
pub(crate) use swap_test::{Interval, SwapTest};
pub(crate) use turns::{Value, in_turn, means};
