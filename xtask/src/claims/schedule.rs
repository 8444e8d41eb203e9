//! In which order the sides of a pair are measured: by chance, and balanced.
//!
//! The order follows from a seed, so a run can be made again. Which side of a pair goes first is decided by a
//! coin for two rounds at a time, and the second has it the other way round: over every two rounds each side
//! is first once, so a drift of the machine favours neither.

use scenarios::Setting;

use crate::random;

/// Returns the order of the sides of one pair in a round.
pub(super) fn sides(seed: u64, round: u32, pair: usize) -> [Setting; 2] {
    let plain_first = random::coin(seed, round / 2, pair) == round.is_multiple_of(2);
    if plain_first { Setting::ALL } else { [Setting::Tuned, Setting::Plain] }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
