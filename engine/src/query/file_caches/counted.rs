//! DataFusion's cache with the counters of ours.
//!
//! DataFusion looks a value up, checks by itself whether it still describes the file, and if not makes a new
//! one and puts it. So a value that is put in place of another of the same file in another state tells that the
//! look-up before it was a miss, of a stale value.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion::common::{HashMap, Result, TableReference};
use datafusion::execution::cache::cache_manager::{
    CachedFileList, CachedFileMetadata, CachedFileMetadataEntry,
};
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheEntryInfo, CacheKey, CacheValue};

use crate::cache::{CacheStats, Counters};

pub(super) struct Counted<K: CacheKey, V: CacheValue> {
    inner: DefaultCache<K, V>,
    enabled: bool,
    counters: Counters,
    /// Locked over each step, so that it can be told what left in it.
    making: Mutex<Making<K>>,
}

/// The values that were looked up in vain and not put yet.
struct Making<K> {
    keys: HashSet<K>,
    /// When the first of them was missed, or the last one put.
    since: Instant,
}

/// What is told apart: two states of what a value describes.
pub(super) trait Describes {
    /// Tells whether another value describes the same state.
    fn describes_the_same(&self, other: &Self) -> bool;
}

impl Describes for CachedFileMetadataEntry {
    fn describes_the_same(&self, other: &Self) -> bool {
        self.is_valid_for(&other.meta)
    }
}

impl Describes for CachedFileMetadata {
    fn describes_the_same(&self, other: &Self) -> bool {
        self.is_valid_for(&other.meta, &other.schema_fingerprint)
    }
}

impl Describes for CachedFileList {
    fn describes_the_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl<K: CacheKey, V: CacheValue + Describes> Counted<K, V> {
    pub(super) fn new(name: &str, enabled: bool, bytes: usize, age_max: Option<Duration>) -> Self {
        let bytes = if enabled { bytes } else { 0 };
        Self {
            inner: DefaultCache::new_with_ttl(bytes, age_max).with_name(name),
            enabled,
            counters: Counters::default(),
            making: Mutex::new(Making { keys: HashSet::new(), since: Instant::now() }),
        }
    }

    /// Returns what was counted so far.
    ///
    /// The time of making values is that in which at least one was being made: they are made side by side.
    pub(super) fn stats(&self) -> CacheStats {
        let _making = self.lock();
        self.counters.stats(self.inner.len(), self.inner.memory_used())
    }

    /// Drops the values whose keys the test names stale; returns how many there were.
    pub(super) fn invalidate(&self, is_stale: impl Fn(&K) -> bool) -> usize {
        let _making = self.lock();
        let keys = self.inner.list_entries().into_keys().filter(is_stale);
        let dropped = keys.filter_map(|key| self.inner.remove(&key)).count();
        self.counters.stale(dropped);
        dropped
    }

    fn lock(&self) -> MutexGuard<'_, Making<K>> {
        // Nothing under the lock is left half done by a panic.
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: CacheKey, V: CacheValue + Describes> Cache<K, V> for Counted<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let started = Instant::now();
        let mut making = self.lock();
        let before = self.inner.len();
        let found = self.inner.get(key);
        // What is too old leaves when it is looked up.
        self.counters.evicted(before - self.inner.len());
        if found.is_some() {
            self.counters.hit(started.elapsed());
        } else {
            self.counters.miss();
            if making.keys.is_empty() {
                making.since = started;
            }
            making.keys.insert(key.clone());
        }
        found
    }

    fn put(&self, key: &K, value: V) -> Option<V> {
        let mut making = self.lock();
        let was_missed = making.keys.remove(key);
        if was_missed {
            let now = Instant::now();
            self.counters.computed(now - making.since);
            making.since = now;
        }
        let (before, size) = (self.inner.len(), value.size());
        let replaced = self.inner.put(key, value.clone());
        let is_stale = replaced.as_ref().is_some_and(|old| !old.describes_the_same(&value));
        if is_stale {
            self.counters.stale(1);
            if !was_missed {
                self.counters.hit_was_a_miss();
            }
        }
        // DataFusion keeps nothing that has no size, such as an empty listing; that is not for lack of room.
        if self.enabled && size > 0 {
            let without = before - usize::from(replaced.is_some());
            self.counters.evicted(without + 1 - self.inner.len());
        }
        replaced
    }

    fn remove(&self, key: &K) -> Option<V> {
        let _making = self.lock();
        let removed = self.inner.remove(key);
        self.counters.stale(usize::from(removed.is_some()));
        removed
    }

    fn contains_key(&self, key: &K) -> bool {
        self.inner.contains_key(key)
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn clear(&self) {
        let mut making = self.lock();
        making.keys.clear();
        self.inner.clear();
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn cache_limit(&self) -> usize {
        self.inner.cache_limit()
    }

    fn update_cache_limit(&self, limit: usize) {
        let _making = self.lock();
        let before = self.inner.len();
        self.inner.update_cache_limit(limit);
        self.counters.evicted(before - self.inner.len());
    }

    fn cache_ttl(&self) -> Option<Duration> {
        self.inner.cache_ttl()
    }

    fn update_cache_ttl(&self, ttl: Option<Duration>) {
        self.inner.update_cache_ttl(ttl);
    }

    fn drop_table_entries(&self, table: &TableReference) -> Result<()> {
        let _making = self.lock();
        let before = self.inner.len();
        self.inner.drop_table_entries(table)?;
        self.counters.stale(before - self.inner.len());
        Ok(())
    }

    fn list_entries(&self) -> HashMap<K, CacheEntryInfo<V>> {
        self.inner.list_entries()
    }
}
