//! The recorder: where stages and counters of one pond handle add up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use scenarios::{STAGES, Stage};

use super::access::{Access, Accesses};
use super::alloc::{own_allocations, take_own_peak};
use super::counter::Counter;
use super::trace::Trace;
use crate::error::Result;

/// Whether recording is compiled in.
const ENABLED: bool = cfg!(feature = "metrics");

/// Adds up stage times and work counters; shared by all parts of one pond handle.
#[derive(Debug)]
pub struct Recorder {
    stage_ns: [AtomicU64; STAGES.len()],
    stage_count: [AtomicU64; STAGES.len()],
    stage_allocs: [AtomicU64; STAGES.len()],
    stage_alloc_bytes: [AtomicU64; STAGES.len()],
    stage_peaks: [AtomicU64; STAGES.len()],
    counters: Vec<AtomicU64>,
    /// No counter: those are sent as the metrics of a cell, and this one would be missing from every baseline.
    store_errors: AtomicU64,
    trace: Option<Trace>,
    accesses: Option<Accesses>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(false)
    }
}

thread_local! {
    /// The stages open on this thread, outermost first.
    static OPEN: RefCell<Vec<OpenStage>> = const { RefCell::new(Vec::new()) };
}

/// What a stage took so far, and where it stood when it was last resumed.
struct OpenStage {
    resumed: Mark,
    spent_ns: u64,
    spent_allocs: u64,
    spent_bytes: u64,
    peak_bytes: u64,
}

/// A moment of a thread.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    allocs: u64,
    bytes: u64,
}

impl Mark {
    fn now() -> Self {
        let (allocs, bytes) = own_allocations();
        Self { at: Instant::now(), allocs, bytes }
    }
}

impl OpenStage {
    fn enter(now: Mark) -> Self {
        take_own_peak();
        Self { resumed: now, spent_ns: 0, spent_allocs: 0, spent_bytes: 0, peak_bytes: 0 }
    }

    /// Adds what was taken since the stage was resumed.
    fn pause(&mut self, now: Mark) {
        self.spent_ns += elapsed_ns(self.resumed.at, now.at);
        self.spent_allocs += now.allocs - self.resumed.allocs;
        self.spent_bytes += now.bytes - self.resumed.bytes;
        self.peak_bytes = self.peak_bytes.max(take_own_peak());
    }
}

impl Recorder {
    /// Makes a recorder; a tracing one also keeps every stage as a span, for [`Recorder::write_trace`].
    pub fn new(tracing: bool) -> Self {
        Self {
            stage_ns: Default::default(),
            stage_count: Default::default(),
            stage_allocs: Default::default(),
            stage_alloc_bytes: Default::default(),
            stage_peaks: Default::default(),
            counters: Counter::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            store_errors: AtomicU64::new(0),
            trace: (ENABLED && tracing).then(Trace::new),
            accesses: None,
        }
    }

    /// Makes the recorder remember accesses by path, for [`Recorder::accesses`].
    #[must_use]
    pub fn with_accesses(mut self) -> Self {
        self.accesses = Some(Accesses::default());
        self
    }

    /// Enters a stage; the guard leaves it when dropped, on the same thread.
    pub fn stage(&self, stage: Stage) -> StageGuard<'_> {
        if ENABLED {
            let now = Mark::now();
            OPEN.with_borrow_mut(|open| {
                if let Some(outer) = open.last_mut() {
                    outer.pause(now);
                }
                open.push(OpenStage::enter(now));
            });
            return StageGuard { recorder: self, stage, entered: Some(now.at), thread_bound: PhantomData };
        }
        StageGuard { recorder: self, stage, entered: None, thread_bound: PhantomData }
    }

    /// Adds to a counter.
    #[inline]
    pub fn count(&self, counter: Counter, amount: u64) {
        if ENABLED {
            self.counters[counter as usize].fetch_add(amount, Relaxed);
        }
    }

    /// Notes that a request to the store, or a read of stored content, failed.
    #[cold]
    pub(crate) fn store_error(&self) {
        self.store_errors.fetch_add(1, Relaxed);
    }

    /// Returns how many requests to the store and reads of stored content failed so far.
    pub fn store_errors(&self) -> u64 {
        self.store_errors.load(Relaxed)
    }

    /// Notes a request for a range of a stored file, if accesses are recorded.
    #[inline]
    pub(crate) fn request(&self, class: &'static str, path: impl FnOnce() -> PathBuf, range: Range<u64>) {
        if let Some(accesses) = &self.accesses {
            accesses.request(class, path(), range);
        }
    }

    /// Notes that the footer of a stored file was decoded, if accesses are recorded.
    #[inline]
    pub(crate) fn footer(&self, class: &'static str, path: impl FnOnce() -> PathBuf) {
        if let Some(accesses) = &self.accesses {
            accesses.footer(class, path());
        }
    }

    /// Returns the accesses so far in path order, relative to a folder; none if they are not recorded.
    pub fn accesses(&self, root: &Path) -> Vec<Access> {
        self.accesses.as_ref().map_or_else(Vec::new, |accesses| accesses.list(root))
    }

    /// Returns everything recorded so far.
    pub fn totals(&self) -> Totals {
        let mut values = BTreeMap::new();
        if ENABLED {
            for stage in STAGES {
                let of = |values: &[AtomicU64]| values[stage as usize].load(Relaxed);
                values.insert(format!("stage.{}.ns", stage.name()), of(&self.stage_ns));
                values.insert(format!("stage.{}.count", stage.name()), of(&self.stage_count));
                values.insert(format!("stage.{}.allocs", stage.name()), of(&self.stage_allocs));
                values.insert(format!("stage.{}.alloc_bytes", stage.name()), of(&self.stage_alloc_bytes));
            }
            for counter in Counter::ALL {
                values.insert(counter.name().to_owned(), self.counters[*counter as usize].load(Relaxed));
            }
        }
        Totals { values }
    }

    /// Returns the most bytes that the program held at once in each stage that was entered since this was last asked.
    pub(crate) fn take_peaks(&self) -> impl Iterator<Item = (Stage, u64)> {
        let taken =
            STAGES.into_iter().map(|stage| (stage, self.stage_peaks[stage as usize].swap(0, Relaxed)));
        taken.filter(|(_, bytes)| *bytes > 0)
    }

    /// Writes the spans in Chrome's trace format; nothing if the recorder does not trace.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_trace(&self, path: &Path) -> Result<()> {
        self.trace.as_ref().map_or(Ok(()), |trace| trace.write(path))
    }
}

/// A stage that is open on this thread.
#[must_use = "a stage ends when its guard is dropped"]
#[derive(Debug)]
pub struct StageGuard<'a> {
    recorder: &'a Recorder,
    stage: Stage,
    entered: Option<Instant>,
    /// Guards nest per thread, so they must not travel to another one.
    thread_bound: PhantomData<*const ()>,
}

impl Drop for StageGuard<'_> {
    fn drop(&mut self) {
        let Some(entered) = self.entered else { return };
        let now = Mark::now();
        let closed = OPEN.with_borrow_mut(|open| {
            let mut closed = open.pop().expect("every guard pushed its stage");
            closed.pause(now);
            if let Some(outer) = open.last_mut() {
                outer.resumed = now;
            }
            closed
        });
        let (recorder, stage) = (self.recorder, self.stage as usize);
        recorder.stage_ns[stage].fetch_add(closed.spent_ns, Relaxed);
        recorder.stage_count[stage].fetch_add(1, Relaxed);
        recorder.stage_allocs[stage].fetch_add(closed.spent_allocs, Relaxed);
        recorder.stage_alloc_bytes[stage].fetch_add(closed.spent_bytes, Relaxed);
        recorder.stage_peaks[stage].fetch_max(closed.peak_bytes, Relaxed);
        if let Some(trace) = &recorder.trace {
            trace.add(self.stage, entered, now.at);
        }
    }
}

/// Values of all stages and counters at one moment, by metric name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    values: BTreeMap<String, u64>,
}

impl Totals {
    /// Returns what was added between `earlier` and this.
    pub fn since(&self, earlier: &Self) -> BTreeMap<String, u64> {
        self.values
            .iter()
            .map(|(name, value)| (name.clone(), value - earlier.values.get(name).copied().unwrap_or(0)))
            .collect()
    }

    /// Returns one value, or zero if nothing of the name was recorded.
    pub fn get(&self, name: &str) -> u64 {
        self.values.get(name).copied().unwrap_or(0)
    }
}

fn elapsed_ns(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;

    #[test]
    fn an_inner_stage_pauses_the_outer_one() {
        let recorder = Recorder::default();
        let begin = Instant::now();
        {
            let _outer = recorder.stage(Stage::Execution);
            for _ in 0..3 {
                let _inner = recorder.stage(Stage::ParquetRead);
                std::hint::black_box((0..10_000).sum::<u64>());
            }
        }
        let elapsed = elapsed_ns(begin, Instant::now());
        let totals = recorder.totals();
        let sum = totals.get("stage.execution.ns") + totals.get("stage.parquet_read.ns");
        assert!(sum <= elapsed, "{sum} > {elapsed}: a span was counted twice");
        assert_eq!(totals.get("stage.execution.count"), 1);
        assert_eq!(totals.get("stage.parquet_read.count"), 3);
    }

    #[test]
    fn since_takes_the_difference() {
        let recorder = Recorder::default();
        recorder.count(Counter::RowsRead, 5);
        let before = recorder.totals();
        recorder.count(Counter::RowsRead, 7);
        assert_eq!(recorder.totals().since(&before)["rows_read"], 7);
    }
}
