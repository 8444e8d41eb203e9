//! The allocator: how often, and for how many bytes, the program asked for memory, and what it keeps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Freed bytes that the program keeps.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 64 * 1024 * 1024;

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// How often this thread asked. It needs no destructor, so an allocation may reach it at any time.
    static OWN: Cell<u64> = const { Cell::new(0) };
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
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
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
pub fn allocations() -> (u64, u64) {
    (COUNT.load(Relaxed), BYTES.load(Relaxed))
}

/// Returns how often this thread asked for memory so far.
pub(super) fn own_allocations() -> u64 {
    OWN.get()
}

fn note(size: usize) {
    if cfg!(feature = "metrics") {
        OWN.set(OWN.get() + 1);
        COUNT.fetch_add(1, Relaxed);
        BYTES.fetch_add(size as u64, Relaxed);
    }
}
