//! What is kept of the log between operations, and what that is worth.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cache::CacheStats;
use crate::error::Result;
use crate::factory::Namespace;

/// The namespace of the newest snapshot, and counters of the snapshot's cache.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    stats: Mutex<CacheStats>,
    namespace: Mutex<Option<Arc<Namespace>>>,
}

impl Snapshots {
    /// Notes a refresh that took some time.
    pub(super) fn note(&self, kept: bool, unchanged: bool, took: Duration) {
        let mut stats = self.stats.lock().expect("no thread panics while it counts");
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if kept && unchanged {
            stats.hits += 1;
            stats.access_ns += ns;
        } else {
            stats.misses += 1;
            stats.compute_ns += ns;
            stats.stale += u64::from(kept);
        }
    }

    /// Returns the counters.
    pub(super) fn stats(&self) -> CacheStats {
        let mut stats = *self.stats.lock().expect("no thread panics while it counts");
        stats.entries = u64::from(stats.hits + stats.misses > 0);
        if let Some(mean) = stats.compute_ns.checked_div(stats.misses) {
            stats.saved_ns = (mean * stats.hits).saturating_sub(stats.access_ns);
        }
        stats
    }

    /// Returns the namespace kept, if it suits, or makes and keeps another.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn namespace(
        &self,
        suits: impl FnOnce(&Namespace) -> bool,
        make: impl FnOnce() -> Result<Namespace>,
    ) -> Result<Arc<Namespace>> {
        let mut kept = self.namespace.lock().expect("no thread panics while it makes a namespace");
        match &*kept {
            Some(namespace) if suits(namespace) => Ok(Arc::clone(namespace)),
            _ => Ok(Arc::clone(kept.insert(Arc::new(make()?)))),
        }
    }
}
