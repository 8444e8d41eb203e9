//! In which order pairs and their sides are measured: by chance, and balanced.
//!
//! The order follows from a seed, so a run can be made again. Pairs are shuffled in every round. Which side
//! of a pair goes first is decided by a coin for two rounds at a time, and the second has it the other way
//! round: over every two rounds each side is first once, so a drift of the machine favours neither.

use scenarios::Setting;

/// A sequence of pseudo-random numbers (SplitMix64): a few steps with good bits are all that an order needs.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// Makes the seed of a run from its name (64-bit FNV-1a).
pub(super) fn seed(run: &str) -> u64 {
    run.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Returns the order of the pairs in a round.
pub(super) fn pairs(seed: u64, round: u32, count: usize) -> Vec<usize> {
    let mut numbers = Numbers(seed ^ (u64::from(round) << 32));
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        // The bias of the remainder is far below what an order could show.
        let other = (numbers.next() % (last as u64 + 1)) as usize;
        order.swap(last, other);
    }
    order
}

/// Returns the order of the sides of one pair in a round.
pub(super) fn sides(seed: u64, round: u32, pair: usize) -> [Setting; 2] {
    let mut numbers = Numbers(seed ^ (u64::from(round / 2) << 32) ^ ((pair as u64 + 1) << 48));
    let plain_first = (numbers.next() & 1 == 1) == round.is_multiple_of(2);
    if plain_first { Setting::ALL } else { [Setting::Tuned, Setting::Plain] }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference() {
        // The first outputs of SplitMix64 with seed 1234567, as its authors' program prints them.
        let mut numbers = Numbers(1_234_567);
        assert_eq!([numbers.next(), numbers.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn every_pair_comes_once_a_round_in_changing_order() {
        let orders: BTreeSet<Vec<usize>> = (0..20).map(|round| pairs(7, round, 6)).collect();
        assert!(orders.len() > 15);
        for order in orders {
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 6);
        }
        assert_eq!(pairs(7, 3, 6), pairs(7, 3, 6));
        assert_eq!(pairs(7, 0, 0), Vec::<usize>::new());
    }

    #[test]
    fn each_side_is_first_in_one_of_two_rounds() {
        for pair in 0..50 {
            for round in [0, 2, 40] {
                assert_ne!(sides(7, round, pair), sides(7, round + 1, pair));
            }
        }
        let plain_first = (0..400).filter(|pair| sides(7, 0, *pair)[0] == Setting::Plain).count();
        assert!((150..250).contains(&plain_first), "{plain_first}");
    }

    #[test]
    fn runs_have_seeds_of_their_own() {
        assert_eq!(seed(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(seed("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(seed("20260101T000000Z-claims"), seed("20260101T000001Z-claims"));
    }
}
