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

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What all threads hold, as they have told it, and the most of it so far.
static HELD: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

// None of these needs a destructor, so an allocation may reach them at any time.
thread_local! {
    /// How often this thread asked.
    static OWN_COUNT: Cell<u64> = const { Cell::new(0) };
    /// For how many bytes.
    static OWN_BYTES: Cell<u64> = const { Cell::new(0) };
    /// How much of both it has told.
    static TOLD: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    /// What this thread took and gave back, and has not told yet.
    static UNTOLD: Cell<i64> = const { Cell::new(0) };
    /// The most that all threads held when this one told.
    static OWN_PEAK: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted; a binary installs it with `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator;

// SAFETY: every call goes unchanged to the system's allocator; the counters are independent atomics.
#[expect(unsafe_code, reason = "the trait of global allocators is unsafe to implement")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size.saturating_sub(layout.size()));
        release(layout.size().saturating_sub(new_size));
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        release(layout.size());
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
    let (count, bytes) = TOLD.get();
    (COUNT.load(Relaxed) + OWN_COUNT.get() - count, BYTES.load(Relaxed) + OWN_BYTES.get() - bytes)
}

/// Begins to look for the most that is held at once; returns what is held now.
pub(crate) fn begin_peak() -> u64 {
    let held = held();
    PEAK.store(held, Relaxed);
    OWN_PEAK.set(held);
    to_bytes(held)
}

/// Returns the most that was held at once since [`begin_peak`], exact to 16 KiB for each thread.
pub(crate) fn peak_bytes() -> u64 {
    to_bytes(PEAK.load(Relaxed).max(held()))
}

/// Returns how often this thread asked for memory so far, and for how many bytes.
pub(super) fn own_allocations() -> (u64, u64) {
    (OWN_COUNT.get(), OWN_BYTES.get())
}

/// Returns the most that all threads held, seen by this one since it last asked.
pub(super) fn take_own_peak() -> u64 {
    let held = held();
    to_bytes(OWN_PEAK.replace(held).max(held))
}

/// Returns what all threads have told, and what this one has not.
fn held() -> i64 {
    HELD.load(Relaxed) + UNTOLD.get()
}

fn to_bytes(held: i64) -> u64 {
    u64::try_from(held).unwrap_or(0)
}

#[inline]
fn note(size: usize) {
    if cfg!(feature = "metrics") {
        let count = OWN_COUNT.get() + 1;
        OWN_COUNT.set(count);
        OWN_BYTES.set(OWN_BYTES.get() + size as u64);
        let untold = UNTOLD.get() + size as i64;
        UNTOLD.set(untold);
        if untold >= GRAIN_BYTES || count.is_multiple_of(GRAIN_COUNT) {
            tell();
        }
    }
}

/// Takes what is given back from what this thread holds.
#[inline]
fn release(bytes: usize) {
    if cfg!(feature = "metrics") {
        let untold = UNTOLD.get() - bytes as i64;
        UNTOLD.set(untold);
        if untold <= -GRAIN_BYTES {
            tell();
        }
    }
}

#[cold]
fn tell() {
    let (count, bytes) = (OWN_COUNT.get(), OWN_BYTES.get());
    let (told_count, told_bytes) = TOLD.replace((count, bytes));
    COUNT.fetch_add(count - told_count, Relaxed);
    BYTES.fetch_add(bytes - told_bytes, Relaxed);
    let untold = UNTOLD.replace(0);
    let held = HELD.fetch_add(untold, Relaxed) + untold;
    if untold > 0 {
        PEAK.fetch_max(held, Relaxed);
        OWN_PEAK.set(OWN_PEAK.get().max(held));
    }
}
