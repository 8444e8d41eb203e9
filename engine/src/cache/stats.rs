//! What a cache counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a cache did, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Look-ups that found a value.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Values that left for others or for their age, and those too large to be kept at all.
    pub evictions: u64,
    /// Values replaced or dropped because what they describe has changed.
    pub stale: u64,
    /// Values held.
    pub entries: u64,
    /// Bytes held, as the cache weighs them.
    pub bytes: u64,
    /// Time of the look-ups that hit, with the wait for other threads that computed.
    pub access_ns: u64,
    /// What the hits would have cost at the mean cost of computing, less what they did cost.
    pub saved_ns: u64,
    /// Time spent on computing values, with what that asked of other caches.
    pub compute_ns: u64,
}

impl CacheStats {
    /// Returns the share of look-ups that hit, if there were any.
    pub fn hit_ratio(&self) -> Option<f64> {
        let lookups = self.hits + self.misses;
        (lookups > 0).then(|| self.hits as f64 / lookups as f64)
    }

    /// Returns what is reported, by the names of the vocabulary: `cache.<cache>.<what>`.
    pub(crate) fn metrics(&self) -> [(&'static str, u64); 7] {
        [
            ("hits", self.hits),
            ("misses", self.misses),
            ("evictions", self.evictions),
            ("stale", self.stale),
            ("bytes", self.bytes),
            ("access_ns", self.access_ns),
            ("saved_ns", self.saved_ns),
        ]
    }

    /// Returns what two caches of one kind counted together.
    pub fn with(&self, other: &Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            evictions: self.evictions + other.evictions,
            stale: self.stale + other.stale,
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
            access_ns: self.access_ns + other.access_ns,
            saved_ns: self.saved_ns + other.saved_ns,
            compute_ns: self.compute_ns + other.compute_ns,
        }
    }

    /// Returns what was counted after an earlier state of the same cache; what is held stays as it is.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            hits: self.hits - before.hits,
            misses: self.misses - before.misses,
            evictions: self.evictions - before.evictions,
            stale: self.stale - before.stale,
            access_ns: self.access_ns - before.access_ns,
            // It follows from a mean, which can fall.
            saved_ns: self.saved_ns.saturating_sub(before.saved_ns),
            compute_ns: self.compute_ns - before.compute_ns,
            ..*self
        }
    }
}

#[derive(Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
    stale: AtomicU64,
    access_ns: AtomicU64,
    computed: AtomicU64,
    compute_ns: AtomicU64,
}

impl Counters {
    pub(crate) fn hit(&self, took: Duration) {
        add(&self.hits, 1);
        add(&self.access_ns, nanoseconds(took));
    }

    pub(crate) fn miss(&self) {
        add(&self.misses, 1);
    }

    /// Counts a look-up that was counted as a hit as a miss, because the value found is stale.
    pub(crate) fn hit_was_a_miss(&self) {
        self.hits.fetch_sub(1, Ordering::Relaxed);
        add(&self.misses, 1);
    }

    pub(crate) fn evicted(&self, values: usize) {
        add(&self.evictions, values as u64);
    }

    pub(crate) fn stale(&self, values: usize) {
        add(&self.stale, values as u64);
    }

    /// Counts one computation; a miss need not have one.
    pub(crate) fn computed(&self, took: Duration) {
        add(&self.computed, 1);
        add(&self.compute_ns, nanoseconds(took));
    }

    pub(crate) fn stats(&self, entries: usize, bytes: usize) -> CacheStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (hits, access_ns, compute_ns) = (get(&self.hits), get(&self.access_ns), get(&self.compute_ns));
        let without = u128::from(hits) * u128::from(compute_ns) / u128::from(get(&self.computed).max(1));
        let without_ns = u64::try_from(without).unwrap_or(u64::MAX);
        CacheStats {
            hits,
            misses: get(&self.misses),
            evictions: get(&self.evictions),
            stale: get(&self.stale),
            entries: entries as u64,
            bytes: bytes as u64,
            access_ns,
            saved_ns: without_ns.saturating_sub(access_ns),
            compute_ns,
        }
    }
}

fn add(counter: &AtomicU64, what: u64) {
    counter.fetch_add(what, Ordering::Relaxed);
}

fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
