//! Streams of random bits: which generator, which key, which stream for what.
//!
//! The generator is `ChaCha8Rng`. Its key comes from the spec's seed, its stream number from the series
//! and a lane within the series. Lanes below 2^15 are columns; the others are listed here.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Whatever is decided once per series.
pub(crate) const LANE_PLAN: u16 = 0xffff;
/// What happens to single rows.
pub(crate) const LANE_ROWS: u16 = 0xfffe;
/// Missing spans.
pub(crate) const LANE_GAPS: u16 = 0xfffd;
/// Late rows.
pub(crate) const LANE_LATE: u16 = 0xfffc;
/// Names and metadata of stations; the stream's series number is the station's number here.
pub(crate) const LANE_STATION: u16 = 0xfffb;
/// Times at which the cycles of a station peak; the stream's series number is the station's number here.
pub(crate) const LANE_PHASES: u16 = 0xfffa;

/// The key of a pond's generators.
pub(crate) type Key = [u8; 32];

/// Derives the key from a spec's seed.
pub(crate) fn key(seed: u64) -> Key {
    blake3::derive_key("pondmark datagen 2025 stream key", &seed.to_le_bytes())
}

/// Returns the generator of one lane of one series, at its first word.
pub(crate) fn stream(key: &Key, series: u32, lane: u16) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(*key);
    rng.set_stream((u64::from(series) << 16) | u64::from(lane));
    rng
}

/// Returns a whole number from 0 to `below - 1`; the bias is below 2^-32 for the small bounds used here.
pub(crate) fn below(rng: &mut ChaCha8Rng, below: u64) -> u64 {
    debug_assert!(below > 0);
    ((u128::from(rng.next_u64()) * u128::from(below)) >> 64) as u64
}

/// Returns a number from -1 (inclusive) to 1 (exclusive), a multiple of 2^-31.
pub(crate) fn signed_unit(bits: u32) -> f64 {
    f64::from(bits.cast_signed()) / 2_147_483_648.0
}

/// Returns the number below which a uniform `u32` falls with a probability of `ppm` millionths.
pub(crate) fn threshold(ppm: u32) -> u64 {
    (u64::from(ppm) << 32) / 1_000_000
}
