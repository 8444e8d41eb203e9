//! Where the processor time of a cell goes: samples of call stacks, folded, compared and drawn.
//!
//! `perf` is put around the harness itself, which executes the cell in fresh processes of the engine. Only stacks
//! below the engine's measured operation count, so that starts of processes, the making of inputs and the checks of
//! answers are left out.

mod drawing;
mod execute;
mod folding;
mod inlined;
mod names;
mod perf;
mod script;
mod shares;

pub(crate) use drawing::{Picture, draw_difference, draw_side};
pub(crate) use execute::{Executed, Wanted, execute};
pub(crate) use folding::Folded;
pub(crate) use perf::Sampler;
pub(crate) use shares::{Side, growth_tables, heaviest_tables};
