//! Derived nodes: what a factory makes of other nodes, by a configuration in the log.
//!
//! A [`Namespace`] is a snapshot with its derived nodes in place: relations, which are plans over the
//! relations of their inputs, and directories of such. Nothing is read to make it but the tree and the
//! configurations; columns come from plans. The factories' keys are described in docs/FACTORIES.md.

mod align;
mod column_rename;
mod config;
mod definition;
mod dynamic_dir;
mod expansion;
mod identity;
mod namespace;
mod recipe;
mod sql_derived;
mod temporal_reduce;
mod timeseries_join;
mod timeseries_pivot;
mod union;
mod view;

pub use definition::FACTORIES;
pub(crate) use definition::{Candidate, Definition};
pub(crate) use namespace::Namespace;
#[cfg(test)]
pub(crate) use temporal_reduce::ReduceColumn;
pub(crate) use temporal_reduce::Reduction;
pub(crate) use view::View;
