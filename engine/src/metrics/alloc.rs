//! The allocator: how often, and for how many bytes, the program asked for memory, how much it held at once, and what
//! it keeps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Freed bytes that the program keeps.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 64 * 1024 * 1024;

/// A thread tells others what it did when what it holds has changed by this many bytes: peaks are as exact as this, for
/// each thread.
const GRAIN_BYTES: i64 = 16 * 1024;

/// And after this many allocations: counts are as exact as this, for each thread but the one that asks.
const GRAIN_COUNT: u64 = 64;

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
    /// How often it asked.
    count: Cell<u64>,
    /// For how many bytes.
    bytes: Cell<u64>,
    /// How much of both it has told.
    told: Cell<(u64, u64)>,
    /// What it took and gave back, and has not told yet.
    untold: Cell<i64>,
    /// The most that all threads held when it told.
    peak: Cell<i64>,
}

thread_local! {
    // It needs no destructor, so an allocation may reach it at any time.
    static OWN: Own = const {
        Own {
            count: Cell::new(0),
            bytes: Cell::new(0),
            told: Cell::new((0, 0)),
            untold: Cell::new(0),
            peak: Cell::new(0),
        }
    };
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
        let (count, bytes) = own.told.get();
        (ALL.count.load(Relaxed) + own.count.get() - count, ALL.bytes.load(Relaxed) + own.bytes.get() - bytes)
    })
}

/// Begins to look for the most that is held at once; returns what is held now.
pub(crate) fn begin_peak() -> u64 {
    let held = held();
    ALL.peak.store(held, Relaxed);
    OWN.with(|own| own.peak.set(held));
    to_bytes(held)
}

/// Returns the most that was held at once since [`begin_peak`], exact to 16 KiB for each thread.
pub(crate) fn peak_bytes() -> u64 {
    to_bytes(ALL.peak.load(Relaxed).max(held()))
}

/// Returns how often this thread asked for memory so far, and for how many bytes.
pub(super) fn own_allocations() -> (u64, u64) {
    OWN.with(|own| (own.count.get(), own.bytes.get()))
}

/// Returns the most that all threads held, seen by this one since it last asked.
pub(super) fn take_own_peak() -> u64 {
    let held = held();
    to_bytes(OWN.with(|own| own.peak.replace(held)).max(held))
}

/// Returns what all threads have told, and what this one has not.
fn held() -> i64 {
    ALL.held.load(Relaxed) + OWN.with(|own| own.untold.get())
}

fn to_bytes(held: i64) -> u64 {
    u64::try_from(held).unwrap_or(0)
}

/// Counts an allocation; returns whether it is time to tell.
#[inline]
fn note(size: usize) -> bool {
    cfg!(feature = "metrics")
        && OWN.with(|own| {
            let count = own.count.get() + 1;
            own.count.set(count);
            own.bytes.set(own.bytes.get() + size as u64);
            let untold = own.untold.get() + size as i64;
            own.untold.set(untold);
            untold >= GRAIN_BYTES || count.is_multiple_of(GRAIN_COUNT)
        })
}

/// Takes what is given back from what this thread holds; returns whether it is time to tell.
#[inline]
fn release(bytes: usize) -> bool {
    cfg!(feature = "metrics")
        && OWN.with(|own| {
            let untold = own.untold.get() - bytes as i64;
            own.untold.set(untold);
            untold <= -GRAIN_BYTES
        })
}

#[cold]
fn tell() {
    OWN.with(|own| {
        let (count, bytes) = (own.count.get(), own.bytes.get());
        let (told_count, told_bytes) = own.told.replace((count, bytes));
        ALL.count.fetch_add(count - told_count, Relaxed);
        ALL.bytes.fetch_add(bytes - told_bytes, Relaxed);
        let untold = own.untold.replace(0);
        let held = ALL.held.fetch_add(untold, Relaxed) + untold;
        if untold > 0 {
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
