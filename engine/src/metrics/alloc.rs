//! The allocator: how often, and for how many bytes, the program asked for memory, how much it held at once, and what
//! it keeps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Freed bytes that the program keeps.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 64 * 1024 * 1024;

/// A thread tells others what it did when it holds this many bytes more: for each thread, peaks may be so much too low.
const GRAIN_BYTES: u64 = 16 * 1024;

/// Or this many less: for each other thread, and for one that has ended, peaks may be so much too high. A buffer that comes
/// and goes is not told again.
const SLACK_BYTES: u64 = 240 * 1024;

/// Or after this many allocations: counts are as exact as this, for each thread but the one that asks.
const GRAIN_COUNT: u64 = 64;

// Whether they are reached shows in single bits.
const _: () = assert!((SLACK_BYTES + GRAIN_BYTES).is_power_of_two() && GRAIN_COUNT.is_power_of_two());

/// What threads have told; in one line of the processor's caches, as all of it is written together.
#[repr(align(64))]
struct Told {
    count: AtomicU64,
    bytes: AtomicU64,
    /// What all threads hold.
    held: AtomicI64,
    /// The most of it so far.
    peak: AtomicI64,
}

static ALL: Told = Told {
    count: AtomicU64::new(0),
    bytes: AtomicU64::new(0),
    held: AtomicI64::new(0),
    peak: AtomicI64::new(0),
};

/// What a thread did.
struct Own {
    /// What it has not told yet.
    untold: Cell<Untold>,
    /// For how many bytes it asked.
    bytes: Cell<u64>,
    /// How many allocations it has told, and for how many bytes.
    told: Cell<(u64, u64)>,
    /// The most that all threads held when it told.
    peak: Cell<i64>,
}

thread_local! {
    // It needs no destructor, so an allocation may reach it at any time.
    static OWN: Own = const {
        Own {
            untold: Cell::new(Untold::NOTHING),
            bytes: Cell::new(0),
            told: Cell::new((0, 0)),
            peak: Cell::new(0),
        }
    };
}

/// Allocations, and the bytes taken less those given back, in one word: both change by one addition, and whether it is time
/// to tell shows in one look at its bits.
///
/// The upper 16 bits count. The lower 48 are bytes, and so many more that they stay positive until it is time to tell;
/// below zero they borrow from the count, which [`Self::count`] makes good. A request of more than 2^47 bytes, which no
/// system grants, is counted wrong.
#[derive(Clone, Copy)]
struct Untold(u64);

impl Untold {
    const NOTHING: Self = Self(SLACK_BYTES);

    const ONE: u64 = 1 << 48;

    /// The bits that are not all zero when it is time to tell.
    const DUE: u64 = !(((GRAIN_COUNT - 1) * Self::ONE) | (SLACK_BYTES + GRAIN_BYTES - 1));

    #[inline]
    fn allocated(self, bytes: usize) -> Self {
        Self(self.0.wrapping_add(Self::ONE + bytes as u64))
    }

    #[inline]
    fn given_back(self, bytes: usize) -> Self {
        Self(self.0.wrapping_sub(bytes as u64))
    }

    #[inline]
    fn is_due(self) -> bool {
        self.0 & Self::DUE != 0
    }

    fn count(self) -> u64 {
        self.0.wrapping_sub(self.lower() as u64) / Self::ONE
    }

    fn held(self) -> i64 {
        self.lower() - SLACK_BYTES as i64
    }

    /// The lower bits with their sign.
    fn lower(self) -> i64 {
        ((self.0 << 16) as i64) >> 16
    }
}

/// The system's allocator, counted; a binary installs it with `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator;

// SAFETY: every call goes unchanged to the system's allocator; the counters are independent atomics.
#[expect(unsafe_code, reason = "the trait of global allocators is unsafe to implement")]
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if note(layout.size()) {
            // SAFETY: the caller keeps the contract of `alloc`.
            return unsafe { tell_and_alloc(layout) };
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if note(layout.size()) {
            tell();
        }
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // It counts as one, whether it grows or shrinks.
        if note(new_size.saturating_sub(layout.size())) | release(layout.size().saturating_sub(new_size)) {
            tell();
        }
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if release(layout.size()) {
            // SAFETY: the caller keeps the contract of `dealloc`.
            return unsafe { tell_and_dealloc(pointer, layout) };
        }
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Tells the system's allocator to keep what is freed, up to 64 MiB, for the next who asks.
///
/// Encoders and decoders ask for the same large buffers for every column; giving their pages back and
/// having them cleared anew takes a sixth of the processor time of exporting many small files.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the allocator's options are set by a foreign function")]
    // SAFETY: the calls set options of the allocator, which may be done at any time.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_TOP_PAD, KEPT_BYTES / 4);
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES / 2);
    }
}

/// Returns allocations and bytes asked for so far; both stay zero without [`CountingAllocator`].
///
/// Those of this thread are complete, of any other up to 64 allocations are missing.
pub fn allocations() -> (u64, u64) {
    OWN.with(|own| {
        let (count, bytes) = (own.untold.get().count(), own.bytes.get() - own.told.get().1);
        (ALL.count.load(Relaxed) + count, ALL.bytes.load(Relaxed) + bytes)
    })
}

/// Begins to look for the most that is held at once; returns what is held now.
pub(crate) fn begin_peak() -> u64 {
    let held = held();
    ALL.peak.store(held, Relaxed);
    OWN.with(|own| own.peak.set(held));
    to_bytes(held)
}

/// Returns the most that was held at once since [`begin_peak`]; for each thread it may be 16 KiB too low, for each other
/// one 240 KiB too high.
pub(crate) fn peak_bytes() -> u64 {
    to_bytes(ALL.peak.load(Relaxed).max(held()))
}

/// Returns how often this thread asked for memory so far, and for how many bytes.
pub(super) fn own_allocations() -> (u64, u64) {
    OWN.with(|own| (own.told.get().0 + own.untold.get().count(), own.bytes.get()))
}

/// Returns the most that all threads held, seen by this one since it last asked.
pub(super) fn take_own_peak() -> u64 {
    let held = held();
    to_bytes(OWN.with(|own| own.peak.replace(held)).max(held))
}

/// Returns what all threads have told, and what this one has not.
fn held() -> i64 {
    ALL.held.load(Relaxed) + OWN.with(|own| own.untold.get().held())
}

fn to_bytes(held: i64) -> u64 {
    u64::try_from(held).unwrap_or(0)
}

/// Counts an allocation; returns whether it is time to tell.
#[inline]
fn note(size: usize) -> bool {
    cfg!(feature = "metrics")
        && OWN.with(|own| {
            let untold = own.untold.get().allocated(size);
            own.untold.set(untold);
            own.bytes.set(own.bytes.get() + size as u64);
            untold.is_due()
        })
}

/// Takes what is given back from what this thread holds; returns whether it is time to tell.
#[inline]
fn release(bytes: usize) -> bool {
    cfg!(feature = "metrics")
        && OWN.with(|own| {
            let untold = own.untold.get().given_back(bytes);
            own.untold.set(untold);
            untold.is_due()
        })
}

#[cold]
fn tell() {
    OWN.with(|own| {
        let untold = own.untold.replace(Untold::NOTHING);
        let (count, bytes) = (untold.count(), own.bytes.get());
        let (told_count, told_bytes) = own.told.get();
        own.told.set((told_count + count, bytes));
        ALL.count.fetch_add(count, Relaxed);
        ALL.bytes.fetch_add(bytes - told_bytes, Relaxed);
        let change = untold.held();
        let held = ALL.held.fetch_add(change, Relaxed) + change;
        if change > 0 {
            // Most often it is no new peak, and to look costs less than to write.
            if held > ALL.peak.load(Relaxed) {
                ALL.peak.fetch_max(held, Relaxed);
            }
            own.peak.set(own.peak.get().max(held));
        }
    });
}

// What is seldom done is kept out of what is done for every allocation: nothing need then be put aside for a call, and
// the allocator's own is the last.

/// # Safety
///
/// That of [`GlobalAlloc::alloc`].
#[cold]
#[inline(never)]
#[expect(unsafe_code, reason = "a part of the allocator")]
unsafe fn tell_and_alloc(layout: Layout) -> *mut u8 {
    tell();
    // SAFETY: the caller keeps the contract of `alloc`.
    unsafe { System.alloc(layout) }
}

/// # Safety
///
/// That of [`GlobalAlloc::dealloc`].
#[cold]
#[inline(never)]
#[expect(unsafe_code, reason = "a part of the allocator")]
unsafe fn tell_and_dealloc(pointer: *mut u8, layout: Layout) {
    tell();
    // SAFETY: the caller keeps the contract of `dealloc`.
    unsafe { System.dealloc(pointer, layout) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_word_holds_allocations_and_bytes(steps in prop::collection::vec((any::<bool>(), 0..40_000_usize), 0..120)) {
            let (mut count, mut held, mut untold) = (0_u64, 0_i64, Untold::NOTHING);
            for (allocates, bytes) in steps {
                if allocates {
                    (count, held, untold) = (count + 1, held + bytes as i64, untold.allocated(bytes));
                } else {
                    (held, untold) = (held - bytes as i64, untold.given_back(bytes));
                }
                prop_assert_eq!((untold.count(), untold.held()), (count, held));
                let due = count >= GRAIN_COUNT || held >= GRAIN_BYTES as i64 || held < -(SLACK_BYTES as i64);
                prop_assert_eq!(untold.is_due(), due);
            }
        }
    }

    #[test]
    fn requests_of_terabytes_are_held() {
        let bytes = 100 << 40;
        let untold = Untold::NOTHING.allocated(bytes);
        assert!(untold.is_due());
        assert_eq!((untold.count(), untold.held()), (1, bytes as i64));
        let untold = Untold::NOTHING.given_back(bytes);
        assert!(untold.is_due());
        assert_eq!((untold.count(), untold.held()), (0, -(bytes as i64)));
    }
}
