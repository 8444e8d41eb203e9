//! Clocks, counters and allocations around one operation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cache::CacheStats;
use crate::metrics::{Totals, allocations, begin_peak, cpu_time, peak_bytes, resident_memory};
use crate::pond::Pond;

/// Clocks and allocations at one moment.
pub(super) struct Reading {
    wall: Instant,
    cpu: Duration,
    allocations: (u64, u64),
    held: u64,
}

/// The counters before an operation; a pond that is opened by it begins at zero.
#[derive(Default)]
pub(super) struct Recorded {
    totals: Totals,
    caches: BTreeMap<&'static str, CacheStats>,
}

impl Recorded {
    pub(super) fn before(pond: Option<&Pond>) -> Self {
        pond.map_or_else(Self::default, |pond| {
            // The peaks so far are of something else.
            pond.recorder().take_peaks().for_each(drop);
            Self { totals: pond.recorder().totals(), caches: pond.cache_stats() }
        })
    }
}

impl Reading {
    pub(super) fn take() -> Self {
        Self { allocations: allocations(), held: begin_peak(), cpu: cpu_time(), wall: Instant::now() }
    }

    /// Returns the time since this moment.
    pub(super) fn elapsed(&self) -> Duration {
        self.wall.elapsed()
    }

    /// Returns the number of allocations since this moment.
    pub(super) fn allocated(&self) -> u64 {
        allocations().0 - self.allocations.0
    }

    /// Returns all metrics from this moment until now.
    pub(super) fn until_now(&self, before: &Recorded, pond: Option<&Pond>) -> BTreeMap<String, u64> {
        let wall = self.wall.elapsed();
        let cpu = cpu_time().saturating_sub(self.cpu);
        let (count, bytes) = allocations();
        let peak = peak_bytes().saturating_sub(self.held);
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut metrics = BTreeMap::new();
        if let Some(pond) = pond {
            metrics = pond.recorder().totals().since(&before.totals);
            for (stage, bytes) in pond.recorder().take_peaks() {
                let name = format!("stage.{}.alloc_peak_bytes", stage.name());
                metrics.insert(name, bytes.saturating_sub(self.held));
            }
            for (name, now) in pond.cache_stats() {
                add_cache(
                    &mut metrics,
                    name,
                    &now.since(&before.caches.get(name).copied().unwrap_or_default()),
                );
            }
        }
        metrics.insert("wall_ns".to_owned(), ns(wall));
        metrics.insert("cpu_ns".to_owned(), ns(cpu));
        metrics.insert("alloc_count".to_owned(), count - self.allocations.0);
        metrics.insert("alloc_bytes".to_owned(), bytes - self.allocations.1);
        metrics.insert("alloc_peak_bytes".to_owned(), peak);
        if let Some(memory) = resident_memory() {
            metrics.insert("peak_rss_bytes".to_owned(), memory.peak_bytes);
        }
        metrics
    }
}

fn add_cache(metrics: &mut BTreeMap<String, u64>, name: &str, stats: &CacheStats) {
    for (what, value) in stats.metrics() {
        metrics.insert(format!("cache.{name}.{what}"), value);
    }
}
