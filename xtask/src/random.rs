//! Repeatable randomness: what is measured when, and which labels are swapped.
//!
//! ChaCha with 8 rounds, a stream per purpose; the seed is written down with every run, so that its order can be had
//! again.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Returns a seed that follows from a text, such as the name of a run (FNV-1a).
pub(crate) fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Returns the numbers of one purpose; streams of one seed are independent of each other.
pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut numbers = ChaCha8Rng::seed_from_u64(seed);
    numbers.set_stream(stream);
    numbers
}

/// Returns items in the random order of a round.
pub(crate) fn shuffled<T>(mut items: Vec<T>, seed: u64, round: u32) -> Vec<T> {
    items.shuffle(&mut stream(seed, u64::from(round)));
    items
}

/// Tosses the coin of an item in a round.
pub(crate) fn coin(seed: u64, round: u32, item: usize) -> bool {
    stream(seed, 1 << 63 | u64::from(round) << 31 | item as u64).random()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_round_has_every_item_once_in_a_repeatable_order() {
        let orders: BTreeSet<Vec<u32>> = (0..20).map(|round| shuffled((0..6).collect(), 7, round)).collect();
        assert!(orders.len() > 15, "{}", orders.len());
        assert!(orders.iter().all(|order| order.iter().collect::<BTreeSet<_>>().len() == 6));
        assert_eq!(shuffled((0..6).collect(), 7, 3), shuffled((0..6).collect::<Vec<_>>(), 7, 3));
        assert_ne!(shuffled((0..60).collect(), 7, 3), shuffled((0..60).collect::<Vec<_>>(), 8, 3));
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut at = [[0_u32; 4]; 4];
        for round in 0..4_000 {
            for (place, item) in shuffled(vec![0, 1, 2, 3], 11, round).into_iter().enumerate() {
                at[item][place] += 1;
            }
        }
        // 1,000 each is expected, with a standard deviation of 27.
        assert!(at.iter().flatten().all(|count| (880..1_120).contains(count)), "{at:?}");
    }

    #[test]
    fn coins_are_fair_and_do_not_follow_each_other() {
        let tossed: Vec<bool> = (0..4_000).map(|round| coin(5, round / 20, round as usize % 20)).collect();
        let heads = tossed.iter().filter(|heads| **heads).count();
        let changes = tossed.windows(2).filter(|two| two[0] != two[1]).count();
        assert!((1_850..2_150).contains(&heads), "{heads}");
        assert!((1_850..2_150).contains(&changes), "{changes}");
    }

    #[test]
    fn seeds_follow_from_names() {
        assert_eq!(seed(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(seed("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(seed("20260101T000000Z-claims"), seed("20260101T000001Z-claims"));
    }
}
