//! The cache: what leaves first, who computes, what is counted.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use engine::{Cache, CacheOptions, CacheStats, Policy};
use proptest::prelude::*;

fn options(bytes: usize, policy: Policy) -> CacheOptions {
    CacheOptions { enabled: true, bytes, policy }
}

/// Returns a cache in which a value weighs as much as it says, and its clock, in milliseconds.
fn cache(bytes: usize, policy: Policy) -> (Cache<u32, u32>, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(0));
    let (start, read) = (Instant::now(), Arc::clone(&now));
    let clock = move || start + Duration::from_millis(read.load(Ordering::SeqCst));
    (Cache::with_clock("test", options(bytes, policy), clock), now)
}

fn put(cache: &Cache<u32, u32>, key: u32, bytes: u32) -> u32 {
    cache.get_or_try(key, |value| *value as usize, || Ok::<_, Infallible>(bytes)).unwrap()
}

/// Lists which of the keys 0 to 9 are held; looking them up counts, so it is the last step of a test.
fn held(cache: &Cache<u32, u32>) -> Vec<u32> {
    (0..10).filter(|key| cache.get(key).is_some()).collect()
}

#[test]
fn a_full_cache_drops_what_was_not_used_for_longest() {
    let (cache, _) = cache(3, Policy::Lru);
    for key in [1, 2, 3, 1, 4, 2] {
        put(&cache, key, 1);
    }
    // 1 was used again, so 4 drove out 2, and 2, computed once more, drove out 3.
    assert_eq!(held(&cache), [1, 2, 4]);
    assert_eq!(cache.stats().evictions, 2);
}

#[test]
fn a_full_cache_drops_what_came_first() {
    let (cache, _) = cache(3, Policy::Fifo);
    for key in [1, 2, 3, 1, 4, 2] {
        put(&cache, key, 1);
    }
    assert_eq!(held(&cache), [2, 3, 4]);
    assert_eq!(cache.stats().evictions, 1);
}

#[test]
fn a_value_leaves_at_its_age() {
    let (cache, now) = cache(100, Policy::Ttl(Duration::from_secs(60)));
    put(&cache, 1, 1);
    now.store(59_999, Ordering::SeqCst);
    put(&cache, 2, 1);
    assert_eq!((cache.get(&1), cache.get(&2)), (Some(1), Some(1)));
    now.store(60_000, Ordering::SeqCst);
    assert_eq!((cache.get(&1), cache.get(&2)), (None, Some(1)));
    assert_eq!(cache.stats().evictions, 1);
    // It is computed anew, and its age begins again.
    put(&cache, 1, 7);
    now.store(119_999, Ordering::SeqCst);
    assert_eq!(held(&cache), [1]);
}

#[test]
fn the_bound_holds_for_any_weight() {
    let (cache, _) = cache(10, Policy::Lru);
    for (key, bytes) in [(1, 4), (2, 4), (3, 4)] {
        put(&cache, key, bytes);
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.bytes, stats.evictions), (2, 8, 1));
    // Larger than the bound: handed out, not kept, and nothing leaves for it.
    assert_eq!(put(&cache, 4, 11), 11);
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.bytes, stats.evictions), (2, 8, 2));
    // As large as the bound: all others leave.
    put(&cache, 5, 10);
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.bytes, stats.evictions), (1, 10, 4));
    // A value in place of another needs only the difference.
    cache.insert(5, 9, 9);
    put(&cache, 6, 1);
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.bytes, stats.evictions, stats.stale), (2, 10, 4, 1));
    assert_eq!(held(&cache), [5, 6]);
}

#[test]
fn a_bound_of_nothing_keeps_nothing() {
    let (cache, _) = cache(0, Policy::Lru);
    put(&cache, 1, 0);
    assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
}

#[test]
fn a_cache_that_is_off_computes_always_and_shows_the_waste() {
    let off = CacheOptions { enabled: false, bytes: 100, policy: Policy::Lru };
    let cache: Cache<u32, u32> = Cache::new("off", off);
    cache.insert(1, 5, 1);
    for _ in 0..3 {
        assert_eq!(put(&cache, 1, 1), 1);
    }
    assert_eq!((cache.get(&1), cache.remove(&1), cache.invalidate(|_| true)), (None, None, 0));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (0, 4, 0));
    assert_eq!(stats.hit_ratio(), Some(0.0));
}

#[test]
fn threads_that_miss_together_compute_once() {
    let cache: Cache<u32, u32> = Cache::new("test", options(100, Policy::Lru));
    let (computed, start) = (AtomicUsize::new(0), Barrier::new(8));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let compute = || {
                    computed.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(20));
                    Ok::<_, Infallible>(42)
                };
                assert_eq!(cache.get_or_try(1, |_| 1, compute), Ok(42));
            });
        }
    });
    assert_eq!(computed.into_inner(), 1);
    assert_eq!((cache.stats().hits, cache.stats().misses), (7, 1));
}

/// Lets four threads ask for one key; the first three to compute do as told, and the fourth returns 4.
fn three_mishaps(mishap: impl Fn() -> Result<u32, String> + Sync) -> (Vec<Option<u32>>, CacheStats) {
    let cache: Cache<u32, u32> = Cache::new("test", options(100, Policy::Lru));
    let (tried, start) = (AtomicUsize::new(0), Barrier::new(4));
    let mut got = thread::scope(|scope| {
        let ask = || {
            start.wait();
            let compute = || {
                thread::sleep(Duration::from_millis(5));
                if tried.fetch_add(1, Ordering::SeqCst) < 3 { mishap() } else { Ok(4) }
            };
            let result = catch_unwind(AssertUnwindSafe(|| cache.get_or_try(1, |_| 1, compute)));
            result.ok().and_then(Result::ok)
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    got.sort();
    assert_eq!(cache.get(&1), Some(4));
    (got, cache.stats())
}

#[test]
fn who_waited_for_a_failure_tries_again() {
    let (got, stats) = three_mishaps(|| Err("no".to_owned()));
    assert_eq!(got, [None, None, None, Some(4)]);
    assert_eq!((stats.misses, stats.hits, stats.entries), (4, 1, 1));
}

#[test]
fn who_waited_for_a_panic_tries_again() {
    let (got, stats) = three_mishaps(|| panic!("planned"));
    assert_eq!(got, [None, None, None, Some(4)]);
    assert_eq!((stats.misses, stats.hits, stats.entries), (4, 1, 1));
}

#[test]
fn computing_may_look_up_other_keys() {
    fn fibonacci(cache: &Cache<u32, u32>, n: u32) -> u32 {
        let compute = || {
            let sum = if n < 2 { n } else { fibonacci(cache, n - 1) + fibonacci(cache, n - 2) };
            Ok::<_, Infallible>(sum)
        };
        cache.get_or_try(n, |_| 1, compute).unwrap()
    }
    let (cache, _) = cache(100, Policy::Lru);
    assert_eq!(fibonacci(&cache, 30), 832_040);
    assert_eq!((cache.stats().misses, cache.stats().hits), (31, 28));
}

#[test]
fn a_key_that_needs_itself_does_not_hang() {
    let (cache, _) = cache(100, Policy::Lru);
    let outer = cache.get_or_try(1, |_| 1, || Ok::<_, Infallible>(put(&cache, 1, 5) + 1));
    assert_eq!((outer, cache.get(&1)), (Ok(6), Some(5)));
}

#[test]
fn what_is_stale_leaves_and_is_counted() {
    let (cache, _) = cache(100, Policy::Lru);
    for key in 0..6 {
        put(&cache, key, 2);
    }
    assert_eq!(cache.invalidate(|key| key % 2 == 0), 3);
    assert_eq!((cache.remove(&1), cache.remove(&1)), (Some(2), None));
    cache.insert(3, 7, 3);
    let stats = cache.stats();
    assert_eq!((stats.stale, stats.entries, stats.bytes, stats.evictions), (5, 2, 5, 0));
    assert_eq!(cache.get(&3), Some(7));
    cache.clear();
    assert_eq!((cache.stats().entries, cache.stats().bytes, cache.stats().stale), (0, 0, 5));
    // The whole bound is there again.
    put(&cache, 1, 60);
    put(&cache, 2, 40);
    assert_eq!((cache.stats().entries, cache.stats().evictions), (2, 0));
}

#[test]
fn what_began_before_an_invalidation_is_not_kept_after_it() {
    let (cache, _) = cache(100, Policy::Lru);
    let ask = |change: &dyn Fn()| {
        let compute = || {
            change();
            Ok::<_, Infallible>(1)
        };
        cache.get_or_try(1, |_| 1, compute)
    };
    assert_eq!(ask(&|| assert_eq!(cache.invalidate(|key| *key == 1), 0)), Ok(1));
    assert_eq!(cache.get(&1), None);
    assert_eq!(ask(&|| assert_eq!(cache.remove(&1), None)), Ok(1));
    assert_eq!(cache.get(&1), None);
    assert_eq!(ask(&|| cache.clear()), Ok(1));
    assert_eq!(cache.get(&1), None);
    assert_eq!(ask(&|| cache.insert(1, 9, 1)), Ok(1));
    assert_eq!(cache.get(&1), Some(9));
}

#[test]
fn the_time_that_hits_save_is_that_of_the_misses() {
    let (cache, now) = cache(100, Policy::Lru);
    let compute = |ms| {
        let (cache, now) = (&cache, &now);
        move |key| {
            let work = || {
                now.fetch_add(ms, Ordering::SeqCst);
                Ok::<_, Infallible>(1)
            };
            cache.get_or_try(key, |_| 1, work).unwrap()
        }
    };
    compute(10)(1);
    compute(30)(2);
    let before = cache.stats();
    assert_eq!((before.compute_ns, before.saved_ns), (40_000_000, 0));
    for _ in 0..3 {
        compute(1_000)(2);
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.access_ns, stats.compute_ns), (3, 0, 40_000_000));
    assert_eq!(stats.saved_ns, 60_000_000, "three hits at the mean of 20 ms");
    assert_eq!(stats.hit_ratio(), Some(0.6));
    let since = stats.since(&before);
    assert_eq!((since.hits, since.misses, since.saved_ns, since.entries), (3, 0, 60_000_000, 2));
}

/// A cache as plain as can be: the first of the list leaves first.
struct Model {
    lru: bool,
    bytes: usize,
    held: Vec<(u32, u32, usize)>,
    stats: CacheStats,
}

impl Model {
    fn get(&mut self, key: u32) -> Option<u32> {
        let Some(at) = self.held.iter().position(|held| held.0 == key) else {
            self.stats.misses += 1;
            return None;
        };
        self.stats.hits += 1;
        let found = self.held[at];
        if self.lru {
            self.held.remove(at);
            self.held.push(found);
        }
        Some(found.1)
    }

    fn remove(&mut self, is_stale: impl Fn(u32) -> bool) {
        let before = self.held.len();
        self.held.retain(|held| !is_stale(held.0));
        self.stats.stale += (before - self.held.len()) as u64;
    }

    fn insert(&mut self, key: u32, value: u32, bytes: usize) {
        self.remove(|held| held == key);
        let bytes = bytes.max(1);
        if bytes > self.bytes {
            self.stats.evictions += 1;
            return;
        }
        while self.weight() + bytes > self.bytes {
            self.held.remove(0);
            self.stats.evictions += 1;
        }
        self.held.push((key, value, bytes));
    }

    fn weight(&self) -> usize {
        self.held.iter().map(|held| held.2).sum()
    }
}

#[derive(Clone, Debug)]
enum Step {
    GetOrTry(u32, Option<u32>),
    Get(u32),
    Insert(u32, u32),
    Remove(u32),
    Invalidate(u32),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..12u32, proptest::option::weighted(0.9, 0..9u32)).prop_map(|(key, v)| Step::GetOrTry(key, v)),
        2 => (0..12u32).prop_map(Step::Get),
        2 => (0..12u32, 0..9u32).prop_map(|(key, value)| Step::Insert(key, value)),
        1 => (0..12u32).prop_map(Step::Remove),
        1 => (2..5u32).prop_map(Step::Invalidate),
        1 => Just(Step::Clear),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn it_behaves_as_a_plain_list(steps in steps(), lru in any::<bool>(), bytes in prop_oneof![0..30usize, Just(10_000)]) {
        let (cache, _) = cache(bytes, if lru { Policy::Lru } else { Policy::Fifo });
        let mut model = Model { lru, bytes, held: Vec::new(), stats: CacheStats::default() };
        for step in steps {
            match step {
                Step::GetOrTry(key, outcome) => {
                    let got = cache.get_or_try(key, |value| *value as usize, || outcome.ok_or(()));
                    let expect = model.get(key).or_else(|| {
                        let value = outcome?;
                        model.insert(key, value, value as usize);
                        Some(value)
                    });
                    prop_assert_eq!(got.ok(), expect);
                }
                Step::Get(key) => prop_assert_eq!(cache.get(&key), model.get(key)),
                Step::Insert(key, value) => {
                    cache.insert(key, value, value as usize);
                    model.insert(key, value, value as usize);
                }
                Step::Remove(key) => {
                    cache.remove(&key);
                    model.remove(|held| held == key);
                }
                Step::Invalidate(by) => {
                    cache.invalidate(|key| key % by == 0);
                    model.remove(|key| key % by == 0);
                }
                Step::Clear => {
                    cache.clear();
                    model.held.clear();
                }
            }
            let expect = CacheStats {
                entries: model.held.len() as u64,
                bytes: model.weight() as u64,
                ..model.stats
            };
            prop_assert_eq!(cache.stats(), expect);
        }
    }
}

#[test]
fn many_threads_see_only_what_belongs_to_a_key() {
    let cache: Cache<u32, (u32, u32)> = Cache::new("test", options(20, Policy::Lru));
    let computed = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..8u32 {
            let (cache, computed) = (&cache, &computed);
            scope.spawn(move || {
                for round in 0..2_000u32 {
                    let key = (round * 7 + thread * 13) % 40;
                    let compute = || {
                        computed.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, Infallible>((key, key * key))
                    };
                    assert_eq!(cache.get_or_try(key, |_| 1, compute), Ok((key, key * key)));
                    if round % 100 == 0 {
                        cache.invalidate(|held| *held == key);
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    assert_eq!(stats.hits + stats.misses, 16_000);
    assert_eq!(stats.misses, computed.into_inner());
    assert!(stats.bytes <= 20 && stats.entries == stats.bytes);
    let kept: HashMap<u32, (u32, u32)> = (0..40).filter_map(|key| Some((key, cache.get(&key)?))).collect();
    assert_eq!(kept.len() as u64, stats.entries);
}
