//! Who runs when: in each round every contender once, in an order that is random and repeatable.

use super::contender::{Contender, Task};
use super::record::{Check, Execution, ProcessLine};

/// SplitMix64 (Steele, Lea and Flood, 2014): enough to shuffle a handful of processes.
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Shuffles a round; the same seed and round give the same order.
pub(crate) fn shuffled<T>(mut items: Vec<T>, seed: u64, round: u32) -> Vec<T> {
    let mut random = Random(seed ^ (u64::from(round) << 32));
    for last in (1..items.len()).rev() {
        // The bias of the remainder is far below one in a million for so few items.
        let chosen = random.next() % (last as u64 + 1);
        items.swap(last, usize::try_from(chosen).expect("smaller than an index"));
    }
    items
}

/// Chooses who goes on after the first round: of each peer and task the mode with the least wall time and the
/// one with the least processor time. One that failed does not go on, and one whose files were not in order
/// only if its peer has no other.
pub(crate) fn best(first: &[ProcessLine]) -> Vec<(Task, Contender)> {
    let mut chosen = Vec::new();
    for line in first {
        let rivals = first.iter().filter(|other| {
            other.task == line.task && other.contender.peer() == line.contender.peer() && !other.is_wrong()
        });
        let rivals: Vec<&ProcessLine> = rivals.collect();
        let in_order = |line: &&ProcessLine| line.check.as_ref().is_some_and(Check::is_in_order);
        let some_in_order = rivals.iter().any(in_order);
        let candidates = rivals.into_iter().filter(|rival| !some_in_order || in_order(rival));
        let least = |cost: fn(&Execution) -> u64| {
            let total = |line: &&ProcessLine| line.executions.iter().map(cost).sum::<u64>();
            candidates.clone().min_by_key(total).map(|best| (best.task, best.contender.clone()))
        };
        chosen.extend(least(|execution| execution.wall_ns));
        chosen.extend(least(|execution| execution.cpu_ns));
    }
    // A seeded shuffle is repeatable only from a fixed order.
    chosen.sort();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::super::contender::Mode;
    use super::super::record::tests::{line, peer};
    use super::*;

    #[test]
    fn a_round_has_everyone_once_in_a_repeatable_order() {
        let items: Vec<u32> = (0..12).collect();
        let first = shuffled(items.clone(), 7, 0);
        assert_eq!(shuffled(items.clone(), 7, 0), first);
        assert_ne!(shuffled(items.clone(), 7, 1), first);
        assert_ne!(shuffled(items.clone(), 8, 0), first);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, items);
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut first = [0_u32; 4];
        for round in 0..4_000 {
            first[shuffled(vec![0_usize, 1, 2, 3], 1, round)[0]] += 1;
        }
        // A thousand are expected, with a standard deviation of 27.
        assert!(first.iter().all(|count| (850..1150).contains(count)), "{first:?}");
    }

    #[test]
    fn the_best_modes_go_on() {
        let mut failed = line(Task::Export, peer("polars", Mode::Bulk), &[(1, 1)]);
        failed.failure = Some("killed".to_owned());
        let mut unsorted = line(Task::Export, peer("polars", Mode::Loop), &[(8, 8)]);
        unsorted.check.as_mut().unwrap().unsorted = 1;
        let mut only_one = line(Task::Reduce, peer("polars", Mode::Bulk), &[(8, 8)]);
        only_one.check.as_mut().unwrap().unsorted = 1;
        let first = [
            only_one,
            line(Task::Export, Contender::Engine, &[(50, 90), (40, 80)]),
            line(Task::Export, peer("duckdb", Mode::Loop), &[(30, 30), (30, 30)]),
            line(Task::Export, peer("duckdb", Mode::Pool), &[(20, 40), (20, 40)]),
            line(Task::Export, peer("duckdb", Mode::Bulk), &[(40, 50), (40, 50)]),
            failed,
            unsorted,
            line(Task::Export, peer("polars", Mode::Pool), &[(9, 9)]),
            line(Task::Query, peer("polars", Mode::Bulk), &[(3, 3)]),
        ];
        let labels: Vec<String> =
            best(&first).iter().map(|(task, one)| format!("{} {}", task.name(), one.label())).collect();
        assert_eq!(
            labels,
            [
                "export Pondmark",
                "export DuckDB, loop",
                "export DuckDB, pool",
                "export Polars, pool",
                "reduce Polars, bulk",
                "query Polars, bulk"
            ]
        );
    }
}
