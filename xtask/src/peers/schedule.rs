//! Who runs after the first round, in which everyone runs.

use super::contender::{Contender, Task};
use super::record::{Check, Execution, ProcessLine};

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
