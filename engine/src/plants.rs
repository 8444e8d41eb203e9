//! Faults that the harness plants to see whether it finds them. Without the feature `plants` there are none, and every
//! call here is nothing.
//!
//! The variable `POND_PLANT` names the fault: `slow=5` (percent of what is measured, by busy waiting),
//! `allocations=5` (percent of those there are), `footers` (each is read twice), `requests` (the store is asked for each
//! object once more), `pruning` (nothing is skipped by its times), `misses` (no cache remembers), `spills` (an import puts
//! aside every batch).

use crate::metrics::Recorder;

#[cfg(all(feature = "plants", not(debug_assertions)))]
compile_error!(
    "the feature `plants` is for `cargo xtask selftest`, which asserts what debug builds do; nothing else may have it"
);

#[cfg(feature = "plants")]
mod planted {
    use std::sync::OnceLock;

    /// A fault.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Plant {
        Slow(u32),
        Allocations(u32),
        Footers,
        Requests,
        Pruning,
        Misses,
        Spills,
    }

    /// Returns the fault of this process.
    pub(super) fn plant() -> Option<Plant> {
        static PLANT: OnceLock<Option<Plant>> = OnceLock::new();
        *PLANT.get_or_init(|| {
            let word = std::env::var("POND_PLANT").ok().filter(|word| !word.is_empty())?;
            Some(parse(&word).unwrap_or_else(|| panic!("POND_PLANT={word} names no fault")))
        })
    }

    fn parse(word: &str) -> Option<Plant> {
        match word.split_once('=') {
            Some(("slow", percent)) => percent.parse().ok().map(Plant::Slow),
            Some(("allocations", percent)) => percent.parse().ok().map(Plant::Allocations),
            None if word == "footers" => Some(Plant::Footers),
            None if word == "requests" => Some(Plant::Requests),
            None if word == "pruning" => Some(Plant::Pruning),
            None if word == "misses" => Some(Plant::Misses),
            None if word == "spills" => Some(Plant::Spills),
            _ => None,
        }
    }
}

/// Tells whether caches find what they keep.
#[inline]
pub(crate) fn remembers() -> bool {
    #[cfg(feature = "plants")]
    return planted::plant() != Some(planted::Plant::Misses);
    #[cfg(not(feature = "plants"))]
    true
}

/// Tells whether times outside what is asked for are skipped.
#[inline]
pub(crate) fn prunes() -> bool {
    #[cfg(feature = "plants")]
    return planted::plant() != Some(planted::Plant::Pruning);
    #[cfg(not(feature = "plants"))]
    true
}

/// Tells how often a footer is read that is read once.
#[inline]
pub(crate) fn footer_reads() -> usize {
    #[cfg(feature = "plants")]
    return if planted::plant() == Some(planted::Plant::Footers) { 2 } else { 1 };
    #[cfg(not(feature = "plants"))]
    1
}

/// Tells whether the store is asked for an object once more.
#[inline]
pub(crate) fn asks_again() -> bool {
    #[cfg(feature = "plants")]
    return planted::plant() == Some(planted::Plant::Requests);
    #[cfg(not(feature = "plants"))]
    false
}

/// Returns the bytes that an import may hold before it puts them aside, `usual` without a fault.
#[inline]
pub(crate) fn sort_bytes(usual: usize) -> usize {
    #[cfg(feature = "plants")]
    return if planted::plant() == Some(planted::Plant::Spills) { 0 } else { usual };
    #[cfg(not(feature = "plants"))]
    usual
}

/// Ends what is measured: it may be made to take longer, or to allocate more.
#[inline]
pub(crate) fn after_measured(took: std::time::Duration, allocated: u64, recorder: Option<&Recorder>) {
    #[cfg(feature = "plants")]
    {
        let _stage = recorder.map(|recorder| recorder.stage(scenarios::Stage::Execution));
        match planted::plant() {
            Some(planted::Plant::Slow(percent)) => {
                let until = std::time::Instant::now() + took * percent / 100;
                while std::time::Instant::now() < until {
                    std::hint::spin_loop();
                }
            }
            Some(planted::Plant::Allocations(percent)) => {
                for _ in 0..allocated * u64::from(percent) / 100 {
                    std::hint::black_box(Box::new([0_u8; 64]));
                }
            }
            _ => {}
        }
    }
    #[cfg(not(feature = "plants"))]
    let _ = (took, allocated, recorder);
}
