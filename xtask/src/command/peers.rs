//! `cargo xtask bench peers`: the engine and its peers at the same tasks, in turn; answers checked.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::print;
use crate::cli::{PeersOptions, PondSize};
use crate::engine_store::Engine;
use crate::exit::{Exit, Stop};
use crate::fingerprint::Context;
use crate::paths::Paths;
use crate::peers::contender::{Contender, Task, contenders};
use crate::peers::environment::Environment;
use crate::peers::record::{FORMAT, Input, ProcessLine, Record};
use crate::peers::turn::Arena;
use crate::peers::{document, schedule};
use crate::progress::Progress;
use crate::record::Side;
use crate::runner::{self, Surroundings};
use crate::work_folder::WorkFolder;
use crate::{chart, clock, engine_build, interrupt, random};

/// The sizes that the documents show.
const DOCUMENTED: [PondSize; 2] = [PondSize::Small, PondSize::Medium];

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &PeersOptions) -> anyhow::Result<Exit> {
    let mut sizes = options.sizes.clone();
    sizes.sort();
    sizes.dedup();
    let environment = Environment::make(&paths.target.join("pondmark"), options.python.as_deref())?;
    for one in &environment.absent {
        eprintln!("{} is absent: {}", one.name, one.reason);
    }
    if environment.peers.is_empty() {
        return Err(Stop::error(Exit::Incomparable, "no peer is there, so there is nothing to compare with"));
    }
    let engine = engine_build::engine(paths, options.engine.as_deref())?;
    let seconds = clock::now_seconds();
    let folder = paths.peers().join(clock::stamp(seconds));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut records = Vec::new();
    for size in &sizes {
        let head = head(paths, options, &environment, &engine, (size.name(), seconds))?;
        let file = folder.join(format!("{}.json", size.name()));
        records.push(measure(paths, &environment, &engine, head, &file)?);
    }
    report(paths, &folder, &records, sizes == DOCUMENTED)?;
    let wrong = records.iter().flat_map(|record| &record.processes).any(ProcessLine::is_wrong);
    Ok(if wrong { Exit::Failed } else { Exit::Pass })
}

/// Makes the record of one size, without what will be measured.
fn head(
    paths: &Paths,
    options: &PeersOptions,
    environment: &Environment,
    engine: &Engine,
    (size, seconds): (&str, u64),
) -> anyhow::Result<Record> {
    // An engine that does not greet is still run: then every task says why it failed.
    let context = Context::read(&paths.root, runner::greet(&engine.binary).ok().as_ref());
    Ok(Record {
        format: FORMAT,
        started: clock::text(seconds),
        size: size.to_owned(),
        rounds: options.rounds,
        seed: seconds,
        workers: usize::try_from(context.machine.cores).unwrap_or(1).max(1),
        engine_digest: engine.digest.clone(),
        context,
        python: environment.version.clone(),
        present: environment.present.clone(),
        absent: environment.absent.clone(),
        input: Input { files: 0, rows: 0, bytes: 0 },
        processes: Vec::new(),
    })
}

/// Measures one size: everyone once, then the best ones in every further round. The record is kept in a file as
/// it grows, so that what an interrupted run measured is not lost.
fn measure(
    paths: &Paths,
    environment: &Environment,
    engine: &Engine,
    mut record: Record,
    file: &Path,
) -> anyhow::Result<Record> {
    let work = WorkFolder::make(paths)?;
    let surroundings = Surroundings::new(paths, Side::Head, &engine.binary, &work.path);
    std::fs::create_dir_all(&surroundings.ponds)?;
    let size = record.size.clone();
    let arena = Arena {
        python: &environment.python,
        surroundings: &surroundings,
        size: &size,
        workers: record.workers,
    };
    record.input = prepare(&arena)?;
    let of_task =
        |task: Task| contenders(task, &environment.peers).into_iter().map(move |contender| (task, contender));
    let mut due: Vec<(Task, Contender)> = Task::ALL.into_iter().flat_map(of_task).collect();
    for round in 0..record.rounds {
        let progress = Progress::start(due.len());
        for (task, contender) in random::shuffled(due.clone(), record.seed, round) {
            let line = take(&arena, round, (task, &contender), &progress)?;
            interrupt::check()?;
            record.processes.push(line);
            record.write(file)?;
        }
        if round == 0 {
            due = schedule::best(&record.processes);
        }
    }
    Ok(record)
}

/// Makes the ponds, the input of the peers and the references; nothing of this is measured.
fn prepare(arena: &Arena<'_>) -> anyhow::Result<Input> {
    let progress = Progress::start(1);
    progress.now(&format!("prepare {}", arena.size), None);
    for (task, message) in arena.prepare(&progress) {
        progress.warn(&format!("{} {}: the engine cannot prepare it: {message}", arena.size, task.name()));
    }
    let made = arena.make_input().and_then(|input| arena.make_references().map(|()| input));
    made.map_err(|error| Stop::error(Exit::Failed, format!("nothing can be measured: {error:#}")))
}

fn take(
    arena: &Arena<'_>,
    round: u32,
    (task, contender): (Task, &Contender),
    progress: &Progress,
) -> anyhow::Result<ProcessLine> {
    let what = format!("{} {}, round {}: {}", arena.size, task.name(), round + 1, contender.label());
    progress.now(&what, None);
    let line = arena.take(round, task, contender)?;
    let examples = line.check.as_ref().map_or_else(String::new, |check| check.examples.join("; "));
    match (&line.failure, line.is_wrong()) {
        (Some(failure), _) => progress.warn(&format!("{what}: {failure}")),
        (None, true) => progress.warn(&format!("{what}: a wrong answer: {examples}")),
        (None, false) => progress.line(&what),
    }
    progress.step();
    Ok(line)
}

/// Writes report and chart to the folder of the run, and to the documents if all their sizes were measured.
fn report(paths: &Paths, folder: &Path, records: &[Record], documented: bool) -> anyhow::Result<()> {
    let command = format!("cargo xtask bench peers --rounds {}", records.first().map_or(0, |one| one.rounds));
    let write = |path: PathBuf, chart: &str| {
        std::fs::write(&path, document::markdown(records, &command, chart))
            .with_context(|| format!("cannot write {}", path.display()))
    };
    chart::write_peers(folder, records)?;
    write(folder.join("PEERS.md"), "peers.svg")?;
    print(&document::terminal(records))?;
    let mut written = vec![Paths::shown(folder)];
    if documented {
        let docs = paths.root.join("docs");
        chart::write_peers(&docs.join("images"), records)?;
        write(docs.join("PEERS.md"), "images/peers.svg")?;
        written.push(Paths::shown(&docs.join("PEERS.md")));
    }
    print(&format!("\nreport: {}\n", written.join(" and ")))
}
