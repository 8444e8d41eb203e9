//! Stage times, work counters, allocations and traces of one pond handle.
//!
//! A [`Recorder`] belongs to a pond handle, so two ponds in one process do not mix their counts. Stage
//! times are exclusive per thread: entering an inner stage pauses the outer one, so the stages of one
//! thread never add up to more than its elapsed time. With several workers they add up over workers.
//! Without the feature `metrics`, every call here compiles to nothing.

mod access;
mod alloc;
mod counter;
mod process;
mod recorder;
mod trace;

pub use access::Access;
pub use alloc::{CountingAllocator, allocations, keep_freed_memory};
pub(crate) use alloc::{begin_peak, peak_bytes};
pub use counter::Counter;
pub use process::{ResidentMemory, cpu_time, resident_memory};
pub use recorder::{Recorder, StageGuard, Totals};
