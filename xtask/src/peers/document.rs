//! The comparison with peers as text: a report for the terminal, and `docs/PEERS.md`.

use scenarios::Phase;

use super::contender::Task;
use super::record::Record;
use super::standing::{Cost, Standing, leader, standings};
use crate::report::{Align, Table};
use crate::units;

/// Writes the report for the terminal.
pub(crate) fn terminal(records: &[Record]) -> String {
    let mut out = String::new();
    for record in records {
        let standings = standings(record);
        for task in Task::ALL {
            out.push_str(&format!("\n{}: {}\n", size_and_task(record, task), task.about()));
            out.push_str(&table(&standings, task).terminal());
            out.push_str(&leads(&standings, task));
        }
    }
    if let Some(record) = records.first() {
        out.push_str(&absent(record, ""));
    }
    out
}

/// Writes `docs/PEERS.md`.
pub(crate) fn markdown(records: &[Record], command: &str, chart: &str) -> String {
    let mut out = HEAD.replace("{command}", command);
    if let Some(record) = records.first() {
        out.push_str(&surroundings(record));
        out.push_str(&absent(record, "- "));
    }
    out.push_str(&format!("\n![Wall and processor time of each contender at each task]({chart})\n"));
    for record in records {
        let standings = standings(record);
        let input = &record.input;
        out.push_str(&format!(
            "\n## Size {}: {} series, {} rows, {} as files\n",
            record.size,
            units::count(input.files),
            units::count(input.rows),
            units::bytes(input.bytes)
        ));
        for task in Task::ALL {
            out.push_str(&format!("\n### {}: {}\n\n", size_and_task(record, task), task.about()));
            out.push_str(&table(&standings, task).markdown());
            out.push_str(&format!("\n{}", leads(&standings, task)));
        }
    }
    out.push_str(METHOD);
    out
}

const HEAD: &str = "\
# Peers

What DuckDB, Polars and pyarrow need for the tasks of the engine, alternated with it in one run. This file is made by
`{command}`; do not edit it.

";

const METHOD: &str = "
## How this was measured

Every contender runs in a fresh process, once a round, in a random order. A process does its task twice: *cold* first,
then *warm*. A ratio is what a contender needed over what Pondmark needed in the same round; shown are the median and,
in brackets, the least and the most over the rounds. Every mode of a peer runs in the first round; of each peer and task
the mode with the least wall time and the one with the least processor time run in all rounds.

*loop* is one series after the other with the threads of the library; *pool* is one process for each core, each with
one thread and a share of the series; *bulk* is one query over all series of an instrument. Each is written the way
users of the library would write it, with its default settings and zstd: see `xtask/src/peers/with_*.py`.

The peers get the friendlier task:

- Their input is one Parquet file for each series: all versions merged, sorted by time, duplicates kept, exported from
  the same pond. Pondmark reads the pond: its log, several versions of a series, late rows, and it checks the digest of
  every byte.
- Their clocks start after the interpreter, the workers and the imports. That of Pondmark starts before the pond is
  opened.
- They write no manifest and exchange no folder at once.

Wall time is elapsed time, CPU is user and system time of all processes, memory is the largest resident memory; of a
pool it is the sum over its processes, and each includes the interpreter and the library. The operating system's file
cache is warm for all.

Every output is compared with a reference that neither the engine nor a peer made: `xtask/src/peers/check.py` computes
it from the input with numpy. It compares rows, times, nulls, minima, maxima and sums of every column of every exported
file; every value of a reduced one; and every row of a query. Pondmark's answer to the query is compared by its digest.
Times, counts, minima and maxima must be equal, sums and means to nine digits. Whether a file is sorted by time is
looked at in every file; a peer that leaves some unsorted is told so above. That the input is what was generated is
shown elsewhere: the suites state the answers of exports.
";

fn size_and_task(record: &Record, task: Task) -> String {
    format!("{}, {}", task.name(), record.size)
}

fn table(standings: &[Standing<'_>], task: Task) -> Table {
    let mut table = Table::new(&[
        ("contender", Align::Left),
        ("rounds", Align::Right),
        ("cold wall", Align::Right),
        ("÷ Pondmark", Align::Right),
        ("cold CPU", Align::Right),
        ("÷ Pondmark", Align::Right),
        ("warm wall", Align::Right),
        ("÷ Pondmark", Align::Right),
        ("warm CPU", Align::Right),
        ("÷ Pondmark", Align::Right),
        ("memory", Align::Right),
        ("answer", Align::Left),
    ]);
    for standing in standings.iter().filter(|standing| standing.task == task) {
        let mut row = vec![standing.contender.label(), standing.rounds().to_string()];
        for phase in [Phase::Cold, Phase::Warm] {
            for cost in [Cost::Wall, Cost::Cpu] {
                row.push(standing.cost(phase, cost).map_or_else(none, units::nanoseconds));
                row.push(standing.ratio(phase, cost).map_or_else(none, |ratio| ratio.to_string()));
            }
        }
        row.push(standing.cost(Phase::Warm, Cost::Memory).map_or_else(none, units::bytes));
        row.push(standing.answer());
        table.row(row);
    }
    table
}

fn none() -> String {
    "–".to_owned()
}

/// Says how far the engine is ahead of, or behind, the best of the peers.
fn leads(standings: &[Standing<'_>], task: Task) -> String {
    let mut parts = Vec::new();
    for phase in [Phase::Cold, Phase::Warm] {
        for (cost, name) in [(Cost::Wall, "wall"), (Cost::Cpu, "CPU")] {
            let Some(leader) = leader(standings, task, phase, cost) else { continue };
            if let Some(ratio) = leader.ratio(phase, cost) {
                let label = leader.contender.label();
                parts.push(format!("{} {name} {ratio} by {label}", phase.name()));
            }
        }
    }
    let engine = standings.iter().find(|one| one.task == task && one.contender.peer().is_none());
    match (parts.is_empty(), engine) {
        (false, _) => format!("Best peer ÷ Pondmark: {}.\n", parts.join("; ")),
        (true, Some(engine)) if !engine.is_right() => {
            "Pondmark has no right answer, so nobody is compared with it.\n".to_owned()
        }
        _ => "No peer has a right answer, so Pondmark is compared with none.\n".to_owned(),
    }
}

fn surroundings(record: &Record) -> String {
    let versions: Vec<String> =
        record.present.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
    let context = &record.context;
    format!(
        "- {} rounds, begun {}; {} workers each.\n- Pondmark {} at {}, {} build.\n- {}; Python {}.\n- {}.\n",
        record.rounds,
        record.started,
        record.workers,
        context.engine_version,
        context.revision,
        context.profile,
        versions.join(", "),
        record.python,
        context.machine
    )
}

fn absent(record: &Record, bullet: &str) -> String {
    let line = |one: &super::record::Absent| format!("{bullet}{} is absent: {}\n", one.name, one.reason);
    record.absent.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::standing::tests::record;
    use super::*;

    #[test]
    fn the_terminal_shows_every_contender_and_who_is_absent() {
        let text = terminal(&[record()]);
        let (export, rest) = text.split_once("\nreduce, small").unwrap();
        let columns = |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).count();
        insta::assert_snapshot!(export.lines().nth(1).unwrap(), @"export, small: every series to Parquet files by year and month: zstd, sorted by time");
        assert!(export.lines().skip(2).take(5).all(|line| columns(line) == 12), "{export}");
        insta::assert_snapshot!(export.lines().nth(4).unwrap(), @"DuckDB, pool       2     400 ms  3.00 (2.00..4.00)    850 ms  3.50 (3.00..4.00)    55.0 ms  4.00 (3.00..5.00)   90.0 ms  3.75 (3.00..4.50)  100 MiB  right");
        insta::assert_snapshot!(export.lines().nth(7).unwrap(), @"Best peer ÷ Pondmark: cold wall 2.25 (1.50..3.00) by Polars, bulk; cold CPU 2.25 (2.00..2.50) by Polars, bulk; warm wall 2.75 (1.50..4.00) by Polars, bulk; warm CPU 3.75 (3.00..4.50) by DuckDB, pool.");
        assert!(rest.contains("No peer has a right answer, so Pondmark is compared with none."), "{rest}");
        assert!(rest.contains("Pondmark has no right answer, so nobody is compared with it."), "{rest}");
        assert!(rest.ends_with("pyarrow is absent: no wheel | for this machine\n"), "{rest}");
    }

    #[test]
    fn the_document_names_its_command_and_its_surroundings() {
        let text = markdown(&[record()], "cargo xtask bench peers", "images/peers.svg");
        let (head, tables) = text.split_once("\n### export, small").unwrap();
        insta::assert_snapshot!(head, @r"
        # Peers

        What DuckDB, Polars and pyarrow need for the tasks of the engine, alternated with it in one run. This file is made by
        `cargo xtask bench peers`; do not edit it.

        - 2 rounds, begun 2026-01-02 03:04:05 UTC; 2 workers each.
        - Pondmark 0.1.0 at abc1234, release build.
        - DuckDB 2.0.0, Polars 2.1.0; Python 3.13.1.
        - Some CPU, 2 cores, 24 GiB, linux x86_64, kernel 6.1, rustc 1.95.0.
        - pyarrow is absent: no wheel | for this machine

        ![Wall and processor time of each contender at each task](images/peers.svg)

        ## Size small: 100 series, 143,489 rows, 1.62 MiB as files
        ");
        let row = tables.lines().find(|line| line.starts_with("| DuckDB, bulk")).unwrap();
        insta::assert_snapshot!(row, @"| DuckDB, bulk | 1 | 900 ms | 9.00 | 900 ms | 4.50 | 90.0 ms | 9.00 | 100 ms | 5.00 | 100 MiB | right, but 3 of 10 files unsorted |");
        assert!(
            text.lines()
                .filter(|line| !line.starts_with('|'))
                .all(|line| line.chars().count() < 130 || line.contains("Best peer"))
        );
    }
}
