//! One generic cache that counts: bounded by bytes, with a policy of what leaves, and a switch.
//!
//! It knows keys, values and counters, never queries or paths. A key holds the identity and the version or
//! digest of what it describes, so that most values never become stale; the rest are invalidated.
//! Which value leaves is left to `foyer-memory`, with one shard, so that the order is exact. All use of it
//! is under one lock, which is never held while a value is computed.
//!
//! Invariants: a value is never computed before the look-up; the bytes held never exceed the bound; what
//! began to be computed before an invalidation is not kept after it. Counters repeat with one worker.

mod disk;
mod flight;
mod stats;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foyer_memory::{CacheBuilder, EvictionConfig, FifoConfig, LruConfig};
use futures::FutureExt;

pub use disk::{DiskCache, DiskStats};
pub use stats::CacheStats;
pub(crate) use stats::Counters;

use crate::plants;
use flight::Flight;

/// Which value leaves a full cache first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The one that was not used for longest.
    Lru,
    /// The one that came first.
    Fifo,
    /// As [`Policy::Lru`]; a value of this age leaves when it is looked up.
    Ttl(Duration),
}

/// What a cache may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Whether anything is kept; if not, every look-up is a miss, so that ratios show the waste.
    pub enabled: bool,
    /// Bytes that the values may hold, as the callers weigh them.
    pub bytes: usize,
    /// Which value leaves first.
    pub policy: Policy,
}

/// A cache of computed values, safe to share between threads.
///
/// Values are handed out as clones, so they should be cheap to clone. A value must not use its own cache
/// when it is dropped. Computing may look up other keys, here and elsewhere, as long as no two keys need
/// each other.
pub struct Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    name: &'static str,
    options: CacheOptions,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    counters: Counters,
    state: Mutex<State<K, V>>,
}

struct State<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    kept: foyer_memory::Cache<K, Kept<V>>,
    /// What is being computed now, and would be kept.
    flights: HashMap<K, Arc<Flight<V>>>,
}

struct Kept<V> {
    value: V,
    bytes: usize,
    since: Instant,
}

/// What a look-up found.
enum Found<V> {
    Kept(V),
    /// Another thread computes it.
    Elsewhere(Arc<Flight<V>>),
    /// Nobody does; the flight is registered, and the caller's to fly.
    Absent(Arc<Flight<V>>),
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Makes an empty cache.
    pub fn new(name: &'static str, options: CacheOptions) -> Self {
        Self::with_clock(name, options, Instant::now)
    }

    /// Makes an empty cache that reads the time from a given clock.
    pub fn with_clock(
        name: &'static str,
        options: CacheOptions,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let state = State { kept: store(options), flights: HashMap::new() };
        let counters = Counters::default();
        Self { name, options, clock: Box::new(clock), counters, state: Mutex::new(state) }
    }

    /// Returns the cache's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tells whether anything is kept.
    pub fn enabled(&self) -> bool {
        self.options.enabled
    }

    /// Returns the value of a key, which it computes and keeps if it is not there.
    ///
    /// Of threads that miss the same key together, one computes and the others wait and share its value, which
    /// counts as a hit. If it fails or panics, they try themselves.
    ///
    /// # Errors
    /// If the value is not there and cannot be computed; then nothing is kept.
    pub fn get_or_try<E>(
        &self,
        key: K,
        weigh: impl FnOnce(&V) -> usize,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if !self.options.enabled {
            return self.compute(compute);
        }
        if !plants::remembers() {
            self.remove(&key);
        }
        let started = (self.clock)();
        loop {
            let shared = match self.look_up(&key) {
                Found::Kept(value) => Some(value),
                Found::Elsewhere(flight) => flight.wait(),
                Found::Absent(flight) => {
                    let mut landing = Landing { cache: self, key: Some(key), flight, value: None };
                    let value = self.compute(compute)?;
                    landing.value = Some((value.clone(), weigh(&value)));
                    return Ok(value);
                }
            };
            if let Some(value) = shared {
                self.counters.hit((self.clock)() - started);
                return Ok(value);
            }
        }
    }

    /// Returns the value of a key if it is there.
    pub fn get(&self, key: &K) -> Option<V> {
        let started = (self.clock)();
        let found = if self.options.enabled && plants::remembers() {
            self.lock().get(key, self, started)
        } else {
            None
        };
        match &found {
            Some(_) => self.counters.hit((self.clock)() - started),
            None => self.counters.miss(),
        }
        found
    }

    /// Keeps a value, in place of the one that the key had; no look-up is counted.
    pub fn insert(&self, key: K, value: V, bytes: usize) {
        if self.options.enabled {
            let mut state = self.lock();
            state.flights.remove(&key);
            state.keep(key, value, bytes, self);
        }
    }

    /// Drops the value of a key, which is stale, and returns it.
    pub fn remove(&self, key: &K) -> Option<V> {
        let mut state = self.lock();
        state.flights.remove(key);
        let removed = state.kept.remove(key)?;
        self.counters.stale(1);
        Some(removed.value.clone())
    }

    /// Drops every value whose key the test names stale; returns how many there were.
    ///
    /// What is being computed for such a key goes to those who wait for it, and is not kept.
    pub fn invalidate(&self, mut is_stale: impl FnMut(&K) -> bool) -> usize {
        let mut state = self.lock();
        state.flights.retain(|key, _| !is_stale(key));
        let before = state.kept.entries();
        let flushed = state.kept.flush_if(|key, _| is_stale(key)).now_or_never();
        flushed.expect("nothing stands behind the memory that could make it wait");
        let dropped = before - state.kept.entries();
        self.counters.stale(dropped);
        dropped
    }

    /// Drops everything; counters stay.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.flights.clear();
        // Not `kept.clear()`: foyer 0.22 empties the store by it, but goes on counting its bytes.
        let old = std::mem::replace(&mut state.kept, store(self.options));
        drop(state);
        drop(old);
    }

    /// Returns what was counted so far.
    pub fn stats(&self) -> CacheStats {
        let state = self.lock();
        self.counters.stats(state.kept.entries(), state.kept.usage())
    }

    fn look_up(&self, key: &K) -> Found<V> {
        let now = (self.clock)();
        let mut state = self.lock();
        if let Some(value) = state.get(key, self, now) {
            return Found::Kept(value);
        }
        // A value that is looked up while this very thread computes it is computed once more: waiting would
        // never end.
        if let Some(flight) = state.flights.get(key)
            && !flight.is_of_this_thread()
        {
            return Found::Elsewhere(Arc::clone(flight));
        }
        let flight = Arc::new(Flight::new());
        state.flights.insert(key.clone(), Arc::clone(&flight));
        Found::Absent(flight)
    }

    fn compute<E>(&self, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        self.counters.miss();
        let started = (self.clock)();
        let computed = compute();
        self.counters.computed((self.clock)() - started);
        computed
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        // Only a caller's test of keys can panic under the lock, and every step before it is complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> State<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn get(&self, key: &K, cache: &Cache<K, V>, now: Instant) -> Option<V> {
        let found = self.kept.get(key)?;
        if let Policy::Ttl(age) = cache.options.policy
            && now.saturating_duration_since(found.since) >= age
        {
            drop(found);
            self.kept.remove(key);
            cache.counters.evicted(1);
            return None;
        }
        Some(found.value.clone())
    }

    fn keep(&self, key: K, value: V, bytes: usize, cache: &Cache<K, V>) {
        // Before the new value comes, because foyer makes room for it before it takes the old one out.
        if self.kept.remove(&key).is_some() {
            cache.counters.stale(1);
        }
        // Nothing is free, or the number of values would have no bound.
        let bytes = bytes.max(1);
        if bytes > cache.options.bytes {
            cache.counters.evicted(1);
            return;
        }
        let before = self.kept.entries();
        self.kept.insert(key, Kept { value, bytes, since: (cache.clock)() });
        cache.counters.evicted(before + 1 - self.kept.entries());
    }
}

fn store<K, V>(options: CacheOptions) -> foyer_memory::Cache<K, Kept<V>>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let policy: EvictionConfig = match options.policy {
        Policy::Fifo => FifoConfig::default().into(),
        // All in one list: a second one, of lower rank, would make the order that of two queues.
        Policy::Lru | Policy::Ttl(_) => LruConfig { high_priority_pool_ratio: 1.0 }.into(),
    };
    let weigh = |_: &K, kept: &Kept<V>| kept.bytes;
    // A shard of no bytes would be warned of; nothing that weighs more than the bound reaches it anyway.
    CacheBuilder::new(options.bytes.max(1))
        .with_shards(1)
        .with_eviction_config(policy)
        .with_weighter(weigh)
        .build()
}

/// The end of a flight: however its pilot leaves, those who wait are told.
struct Landing<'a, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    cache: &'a Cache<K, V>,
    /// Taken when it lands.
    key: Option<K>,
    flight: Arc<Flight<V>>,
    /// The value and its bytes, if it was computed.
    value: Option<(V, usize)>,
}

impl<K, V> Drop for Landing<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut state = self.cache.lock();
        // Otherwise the key was invalidated meanwhile, or its value set.
        if state.flights.get(&key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            state.flights.remove(&key);
            if let Some((value, bytes)) = &self.value {
                state.keep(key, value.clone(), *bytes, self.cache);
            }
        }
        drop(state);
        self.flight.land(self.value.take().map(|(value, _)| value));
    }
}

impl<K, V> fmt::Debug for Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, options, .. } = self;
        f.debug_struct("Cache").field("name", name).field("options", options).finish_non_exhaustive()
    }
}
