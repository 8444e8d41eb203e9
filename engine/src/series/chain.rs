//! Chains: versions whose time spans follow each other, so that reading one after the other is sorted.

/// A version's event-time span, both ends inclusive, in microseconds.
pub(super) type Span = (i64, i64);

/// Puts spans into as few chains as possible; returns the indices of each chain in time order.
///
/// Two spans share a chain only if the earlier one ends strictly before the later one begins, so rows of
/// equal time are always in different chains. The number of chains is the largest number of spans that
/// overlap at one moment (interval partitioning by first fit on the begin).
pub(super) fn chains(spans: &[Span]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|index| (spans[*index].0, *index));
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for index in order {
        let begin = spans[index].0;
        let free = chains.iter_mut().find(|chain| {
            let last = *chain.last().expect("a chain is never empty");
            spans[last].1 < begin
        });
        match free {
            Some(chain) => chain.push(index),
            None => chains.push(vec![index]),
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn consecutive_spans_are_one_chain() {
        assert_eq!(chains(&[(0, 9), (10, 19), (20, 29)]), vec![vec![0, 1, 2]]);
        assert_eq!(chains(&[(20, 29), (0, 9), (10, 19)]), vec![vec![1, 2, 0]]);
    }

    #[test]
    fn touching_spans_are_two_chains() {
        assert_eq!(chains(&[(0, 10), (10, 19)]), vec![vec![0], vec![1]]);
    }

    proptest! {
        #[test]
        fn chains_are_sorted_disjoint_and_fewest(
            raw in prop::collection::vec((0i64..100, 0i64..30), 0..40),
        ) {
            let spans: Vec<Span> = raw.into_iter().map(|(begin, length)| (begin, begin + length)).collect();
            let found = chains(&spans);
            let mut all: Vec<usize> = found.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..spans.len()).collect::<Vec<_>>());
            for chain in &found {
                prop_assert!(chain.windows(2).all(|pair| spans[pair[0]].1 < spans[pair[1]].0));
            }
            let deepest = (0..131).map(|at| spans.iter().filter(|s| s.0 <= at && at <= s.1).count()).max();
            prop_assert_eq!(found.len(), deepest.unwrap_or(0));
        }
    }
}
