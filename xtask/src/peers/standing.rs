//! Where each contender stands: medians of what it needed, and how often the engine fits into that.
//!
//! A ratio is what the contender needed over what the engine needed in the same round, so that a slow minute
//! of the machine touches both. It is shown as the median, least and most over the rounds.

use scenarios::Phase;

use super::contender::{Contender, Task};
use super::record::{Check, Execution, ProcessLine, Record};
use crate::statistics::median;
use crate::units;

/// What a contender needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Elapsed time.
    Wall,
    /// User and system time.
    Cpu,
    /// Largest resident memory.
    Memory,
}

impl Cost {
    fn of(self, execution: &Execution) -> u64 {
        match self {
            Self::Wall => execution.wall_ns,
            Self::Cpu => execution.cpu_ns,
            Self::Memory => execution.peak_rss_bytes,
        }
    }
}

/// What a contender needed over what the engine needed, over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// The median.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The most.
    pub(crate) most: f64,
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (*ratios.first()?, *ratios.last()?);
        let upper = ratios[ratios.len() / 2];
        let lower = ratios[(ratios.len() - 1) / 2];
        Some(Self { median: lower.midpoint(upper), least, most })
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, least, most } = self;
        if least == most {
            return f.write_str(&times(*median));
        }
        write!(f, "{} ({}..{})", times(*median), times(*least), times(*most))
    }
}

/// Writes a ratio with two digits or three.
fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio < 9.95 => format!("{ratio:.2}"),
        _ if ratio < 99.5 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}

/// A contender at a task.
#[derive(Clone, Debug)]
pub(crate) struct Standing<'a> {
    /// The task.
    pub(crate) task: Task,
    /// Who did it.
    pub(crate) contender: &'a Contender,
    processes: Vec<&'a ProcessLine>,
    engine: Vec<&'a ProcessLine>,
}

/// Lists every contender at every task: by task, the engine first.
pub(crate) fn standings(record: &Record) -> Vec<Standing<'_>> {
    let mut keys: Vec<(Task, &Contender)> =
        record.processes.iter().map(|line| (line.task, &line.contender)).collect();
    keys.sort();
    keys.dedup();
    let lines_of = |task: Task, contender: &Contender| {
        let lines = record.processes.iter();
        lines.filter(|line| line.task == task && line.contender == *contender).collect()
    };
    let standing = |(task, contender)| Standing {
        task,
        contender,
        processes: lines_of(task, contender),
        engine: lines_of(task, &Contender::Engine),
    };
    keys.into_iter().map(standing).collect()
}

impl Standing<'_> {
    /// Returns the median cost over all executions of a phase; nothing if there is none.
    pub(crate) fn cost(&self, phase: Phase, cost: Cost) -> Option<u64> {
        let values: Vec<u64> =
            self.processes.iter().flat_map(|line| executions(line, phase)).map(|one| cost.of(one)).collect();
        median(&values)
    }

    /// Returns the cost over that of the engine; nothing for the engine itself, and where one of them failed.
    pub(crate) fn ratio(&self, phase: Phase, cost: Cost) -> Option<Ratio> {
        self.contender.peer()?;
        let of_round = |line: &ProcessLine| {
            let values: Vec<u64> = executions(line, phase).iter().map(|one| cost.of(one)).collect();
            median(&values)
        };
        let ratios = self.processes.iter().filter_map(|line| {
            let engine = self.engine.iter().find(|engine| engine.round == line.round)?;
            let (own, engine) = (of_round(line)?, of_round(engine)?);
            (engine > 0).then_some(own as f64 / engine as f64)
        });
        Ratio::of(ratios.collect())
    }

    /// Returns how many processes were measured.
    pub(crate) fn rounds(&self) -> usize {
        self.processes.iter().filter(|line| line.failure.is_none()).count()
    }

    /// Returns whether every process ended well and answered right.
    pub(crate) fn is_right(&self) -> bool {
        !self.processes.iter().any(|line| line.is_wrong())
    }

    /// Returns whether every process left one sorted file for each partition.
    pub(crate) fn is_in_order(&self) -> bool {
        self.processes.iter().all(|line| line.check.as_ref().is_some_and(Check::is_in_order))
    }

    /// Says in a few words what the checks found.
    pub(crate) fn answer(&self) -> String {
        if let Some(failure) = self.processes.iter().find_map(|line| line.failure.as_ref()) {
            let line = failure.lines().next().unwrap_or_default();
            return format!("FAILED: {}", shortened(line, 100));
        }
        let checks: Vec<_> = self.processes.iter().filter_map(|line| line.check.as_ref()).collect();
        if let Some(check) = checks.iter().find(|check| check.differences > 0) {
            let example = check.examples.first().map_or("", String::as_str);
            return format!(
                "WRONG: {} differences: {}",
                units::count(check.differences),
                shortened(example, 160)
            );
        }
        let most = |of: fn(&Check) -> u64| checks.iter().map(|check| of(check)).max().unwrap_or(0);
        let files = most(|check| check.files);
        let mut notes = Vec::new();
        if most(|check| check.unsorted) > 0 {
            let unsorted = most(|check| check.unsorted);
            notes.push(format!("{} of {} files unsorted", units::count(unsorted), units::count(files)));
        }
        if most(|check| check.split) > 0 {
            notes.push(format!("{} partitions in several files", units::count(most(|check| check.split))));
        }
        if notes.is_empty() { "right".to_owned() } else { format!("right, but {}", notes.join(", ")) }
    }
}

/// Returns who may be compared at a task: who answered right, in the modes that ran most often, and with files
/// in order, unless its peer has no such mode.
pub(crate) fn finalists<'a, 'b>(standings: &'b [Standing<'a>], task: Task) -> Vec<&'b Standing<'a>> {
    let right: Vec<_> = standings.iter().filter(|one| one.task == task && one.is_right()).collect();
    let rank = |one: &Standing<'_>| (one.is_in_order(), one.rounds());
    let is_best = |one: &&Standing<'_>| {
        let same = right.iter().filter(|other| other.contender.peer() == one.contender.peer());
        same.map(|other| rank(other)).max() == Some(rank(one))
    };
    right.iter().copied().filter(is_best).collect()
}

/// Returns the peer that needs least at a task, of those with files in order.
pub(crate) fn leader<'a, 'b>(
    standings: &'b [Standing<'a>],
    task: Task,
    phase: Phase,
    cost: Cost,
) -> Option<&'b Standing<'a>> {
    let peers = finalists(standings, task).into_iter();
    let peers = peers.filter(|one| one.contender.peer().is_some() && one.is_in_order());
    peers.filter(|one| one.cost(phase, cost).is_some()).min_by_key(|one| one.cost(phase, cost))
}

fn executions(line: &ProcessLine, phase: Phase) -> &[Execution] {
    match phase {
        Phase::Cold => line.executions.get(..1).unwrap_or_default(),
        Phase::Warm => line.executions.get(1..).unwrap_or_default(),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::contender::Mode;
    use super::super::record::tests::{line, peer};
    use super::super::record::{Absent, FORMAT, Input, Present};
    use super::*;
    use crate::fingerprint::{Context, Machine};

    /// Makes a record of two rounds: an engine, two modes of one peer, one of another.
    pub(crate) fn record() -> Record {
        let text = |text: &str| text.to_owned();
        let mut processes = vec![
            line(Task::Export, Contender::Engine, &[(100, 200), (10, 20)]),
            line(Task::Export, peer("duckdb", Mode::Pool), &[(400, 800), (50, 90)]),
            line(Task::Export, peer("duckdb", Mode::Bulk), &[(900, 900), (90, 100)]),
            line(Task::Export, peer("polars", Mode::Bulk), &[(300, 500), (40, 100)]),
            line(Task::Query, peer("polars", Mode::Bulk), &[(30, 50), (20, 30)]),
        ];
        processes[2].check.as_mut().unwrap().unsorted = 3;
        let mut second = vec![
            line(Task::Export, Contender::Engine, &[(200, 300), (20, 30)]),
            line(Task::Export, peer("duckdb", Mode::Pool), &[(400, 900), (60, 90)]),
            line(Task::Export, peer("polars", Mode::Bulk), &[(300, 600), (30, 100)]),
        ];
        second.iter_mut().for_each(|line| line.round = 1);
        processes.extend(second);
        let mut failed = line(Task::Query, Contender::Engine, &[]);
        failed.failure = Some(text("'combined' is no query; write point, range or aggregate\nmore"));
        failed.check = None;
        processes.push(failed);
        let machine = Machine {
            cpu: text("Some CPU"),
            cores: 2,
            memory_gib: 24,
            kernel: text("6.1"),
            rustc: text("rustc 1.95.0"),
            os: text("linux x86_64"),
        };
        let context = Context {
            revision: text("abc1234"),
            engine_version: text("0.1.0"),
            profile: text("release"),
            arch: text("x86_64"),
            machine,
        };
        let present = |name, version| Present { name: text(name), version: text(version) };
        Record {
            format: FORMAT,
            started: text("2026-01-02 03:04:05 UTC"),
            size: text("small"),
            rounds: 2,
            seed: 7,
            workers: 2,
            engine_digest: text("0123456789abcdef"),
            context,
            python: text("3.13.1"),
            present: vec![present("DuckDB", "2.0.0"), present("Polars", "2.1.0")],
            absent: vec![Absent { name: text("pyarrow"), reason: text("no wheel | for this machine") }],
            input: Input { files: 100, rows: 143_489, bytes: 1_700_000 },
            processes,
        }
    }

    #[test]
    fn ratios_are_of_one_round() {
        let record = record();
        let standings = standings(&record);
        let find = |label: &str, task| {
            standings.iter().find(|one| one.contender.label() == label && one.task == task).unwrap()
        };
        let duckdb = find("DuckDB, pool", Task::Export);
        // 400 / 100 and 400 / 200.
        let expect = Ratio { median: 3.0, least: 2.0, most: 4.0 };
        assert_eq!(duckdb.ratio(Phase::Cold, Cost::Wall), Some(expect));
        assert_eq!(expect.to_string(), "3.00 (2.00..4.00)");
        assert_eq!(Ratio { median: 3.0, least: 3.0, most: 3.0 }.to_string(), "3.00");
        assert_eq!(duckdb.cost(Phase::Cold, Cost::Cpu), Some(850_000_000));
        assert_eq!(duckdb.cost(Phase::Warm, Cost::Wall), Some(55_000_000));
        assert_eq!(duckdb.rounds(), 2);
        let engine = find("Pondmark", Task::Export);
        assert_eq!(engine.ratio(Phase::Cold, Cost::Wall), None);
        assert_eq!(engine.cost(Phase::Cold, Cost::Wall), Some(150_000_000));
        // The engine failed, so nobody can be compared with it.
        let alone = find("Polars, bulk", Task::Query);
        assert_eq!(alone.ratio(Phase::Warm, Cost::Wall), None);
        assert_eq!(alone.cost(Phase::Warm, Cost::Wall), Some(20_000_000));
    }

    #[test]
    fn the_engine_comes_first_in_each_task() {
        let record = record();
        let labels: Vec<String> = standings(&record).iter().map(|one| one.contender.label()).collect();
        assert_eq!(
            labels,
            ["Pondmark", "DuckDB, pool", "DuckDB, bulk", "Polars, bulk", "Pondmark", "Polars, bulk"]
        );
    }

    #[test]
    fn the_leader_differs_by_cost() {
        let record = record();
        let standings = standings(&record);
        let label = |phase, cost| {
            leader(&standings, Task::Export, phase, cost).map(|one| one.contender.label()).unwrap()
        };
        assert_eq!(label(Phase::Warm, Cost::Wall), "Polars, bulk");
        assert_eq!(label(Phase::Warm, Cost::Cpu), "DuckDB, pool");
        assert!(leader(&standings, Task::Reduce, Phase::Warm, Cost::Wall).is_none());
        let finalists: Vec<String> =
            finalists(&standings, Task::Export).iter().map(|one| one.contender.label()).collect();
        assert_eq!(finalists, ["Pondmark", "DuckDB, pool", "Polars, bulk"]);
    }

    #[test]
    fn answers_are_told_in_words() {
        let mut record = record();
        record.processes[3].check.as_mut().unwrap().differences = 1200;
        record.processes[3].check.as_mut().unwrap().examples = vec!["bay: 3 rows, expected 4".to_owned()];
        let answers: Vec<String> = standings(&record).iter().map(Standing::answer).collect();
        assert_eq!(
            answers,
            [
                "right",
                "right",
                "right, but 3 of 10 files unsorted",
                "WRONG: 1,200 differences: bay: 3 rows, expected 4",
                "FAILED: 'combined' is no query; write point, range or aggregate",
                "right"
            ]
        );
        let standings = standings(&record);
        assert!(standings[2].is_right() && !standings[3].is_right());
        assert_eq!(
            leader(&standings, Task::Export, Phase::Warm, Cost::Wall).unwrap().contender.label(),
            "DuckDB, pool"
        );
    }

    #[test]
    fn a_median_of_two_is_their_mean() {
        assert_eq!(Ratio::of(vec![]), None);
        assert_eq!(Ratio::of(vec![3.0]), Some(Ratio { median: 3.0, least: 3.0, most: 3.0 }));
        assert_eq!(Ratio::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(times(12.34), "12.3");
        assert_eq!(times(234.5), "234");
    }
}
