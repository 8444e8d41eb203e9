//! `cargo xtask baseline`: what runs are compared with, and how a run becomes that.

use anyhow::{bail, ensure};
use scenarios::Cell;

use super::print;
use crate::baseline::Baseline;
use crate::cli::BaselineAction;
use crate::evaluation::why_not_blessed;
use crate::exit::Exit;
use crate::paths::Paths;
use crate::report::{Align, Table};
use crate::summary::Summary;
use crate::{resolve, selection};

/// Runs the command.
pub(crate) fn run(paths: &Paths, action: &BaselineAction) -> anyhow::Result<Exit> {
    match action {
        BaselineAction::Save { name } => save(paths, name),
        BaselineAction::List => list(paths),
        BaselineAction::Show { name } => show(paths, name),
        BaselineAction::Bless { reason, gate_again, suites } => bless(paths, reason, *gate_again, suites),
        BaselineAction::Check => check(paths),
    }
}

fn save(paths: &Paths, name: &str) -> anyhow::Result<Exit> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    ensure!(
        !name.is_empty() && !name.starts_with('.') && name.chars().all(plain),
        "'{name}' is no name for a baseline; use letters, digits, '-', '_' and '.'"
    );
    if selection::suite_names(&paths.suites())?.iter().any(|suite| suite == name) {
        bail!("'{name}' is a suite, whose baseline is made with bless; choose another name");
    }
    let record = resolve::latest(paths, None)?;
    let summary = Summary::of(&record);
    ensure!(record.end.is_some(), "run {} is not finished; continue it with --resume", summary.run);
    let measured = summary.measured();
    ensure!(!measured.cells.is_empty(), "run {} has no cell that did not fail", summary.run);
    let path = paths.saved().join(format!("{name}.json"));
    Baseline::new(&measured, &format!("saved from run {}", summary.run))
        .of_run(&summary.run, &record.header.started)
        .write(&path)?;
    print(&format!("saved run {} as '{name}': {}\n", summary.run, Paths::shown(&path)))?;
    let left_out = summary.cells.len() - measured.cells.len();
    if left_out > 0 {
        print(&format!("{left_out} failed cells are left out\n"))?;
    }
    Ok(Exit::Pass)
}

fn list(paths: &Paths) -> anyhow::Result<Exit> {
    let mut table = Table::new(&[
        ("name", Align::Left),
        ("kind", Align::Left),
        ("cells", Align::Right),
        ("revision", Align::Left),
        ("reason", Align::Left),
    ]);
    let mut rows = 0;
    for (kind, folder) in [("committed", paths.baselines()), ("saved", paths.saved())] {
        for name in resolve::baseline_names(&folder)? {
            let baseline = Baseline::read(&folder.join(format!("{name}.json")))?;
            let cells = baseline.cells.len().to_string();
            table.row(vec![name, kind.to_owned(), cells, baseline.revision, baseline.reason]);
            rows += 1;
        }
    }
    if rows == 0 {
        print("there is no baseline yet; after a run: cargo xtask baseline bless --reason '…'\n")?;
    } else {
        print(&table.terminal())?;
    }
    Ok(Exit::Pass)
}

fn show(paths: &Paths, name: &str) -> anyhow::Result<Exit> {
    let side = resolve::baseline(paths, name)?;
    let measured = &side.measured;
    let mut out = format!("{}\nmachine: {}\n", side.origin, measured.context.machine);
    out.push_str(&story(&resolve::stored(paths, name)?));
    for (id, phases) in &measured.cells {
        out.push_str(&format!("\n{id}\n"));
        let mut table =
            Table::new(&[("  phase", Align::Left), ("metric", Align::Left), ("value", Align::Right)]);
        for (phase, measured) in phases {
            let mut row = |name: &str, value: String| {
                table.row(vec![format!("  {}", phase.name()), name.to_owned(), value]);
            };
            for (name, values) in &measured.exact {
                row(name, values.to_string());
            }
            for (name, seen) in &measured.unstable {
                row(name, format!("unstable: {}", crate::verdict::seen_text(seen)));
            }
            for (name, value) in measured.medians.iter().filter(|(name, _)| !name.starts_with("stage.")) {
                row(name, crate::units::metric(name, *value));
            }
        }
        out.push_str(&table.terminal());
    }
    print(&out)?;
    Ok(Exit::Pass)
}

/// Says why a baseline is what it is: its reason, what changed with it, what was accepted.
fn story(baseline: &Baseline) -> String {
    let mut out = format!("reason: {}\n", baseline.reason);
    if !baseline.run.is_empty() {
        out.push_str(&format!("run: {}, begun {}\n", baseline.run, baseline.started));
    }
    if let Some(changes) = &baseline.changes {
        out.push_str(&changes.text());
    }
    for accepted in &baseline.accepted {
        out.push_str(&format!("accepted: {}\n", accepted.text()));
    }
    out
}

fn bless(paths: &Paths, reason: &str, gate_again: bool, suites: &[String]) -> anyhow::Result<Exit> {
    ensure!(!reason.trim().is_empty(), "the reason is empty; say why the numbers are right");
    let default = [selection::DEFAULT_SUITE.to_owned()];
    let suites = if suites.is_empty() { &default[..] } else { suites };
    let mut blessed = Vec::new();
    for name in suites {
        let suite = selection::read_suite(&paths.suites(), name)?;
        let record = resolve::latest(paths, Some(name))?;
        let cells: Vec<String> = suite.cells().iter().map(Cell::id).collect();
        if let Some(why) = why_not_blessed(&record, &cells) {
            bail!("not blessed: {why}");
        }
        let path = paths.baseline_of(name);
        let (old, lost) = Baseline::to_replace(&path)?;
        let mut new = Baseline::new(&Summary::of(&record).measured(), reason);
        if let Some(old) = old.as_ref().filter(|_| !gate_again) {
            new = new.keeping_unstable(old);
        }
        let new = new.of_run(&record.header.run, &record.header.started).replacing(old.as_ref());
        blessed.push((path, new, lost));
    }
    // Written only when every suite passed, so that a refusal changes nothing.
    for (path, baseline, lost) in blessed {
        if let Some(lost) = lost {
            print(&format!("what changed, and what was accepted before, is not known: {lost}\n"))?;
        }
        if let Some(changes) = &baseline.changes {
            print(&changes.text())?;
        }
        baseline.write(&path)?;
        let unstable: usize =
            baseline.unstable.values().flat_map(|phases| phases.values()).map(|metrics| metrics.len()).sum();
        print(&format!(
            "blessed run {} of revision {}: {} with {} cells, unstable counters: {unstable}\n",
            baseline.run,
            baseline.revision,
            Paths::shown(&path),
            baseline.cells.len()
        ))?;
    }
    Ok(Exit::Pass)
}

fn check(paths: &Paths) -> anyhow::Result<Exit> {
    let faults = faults(paths)?;
    let names = resolve::baseline_names(&paths.baselines())?;
    let mut out = String::new();
    for fault in &faults {
        out.push_str(&format!("{fault}\n"));
    }
    out.push_str(&format!("{} committed baselines, {} faults\n", names.len(), faults.len()));
    print(&out)?;
    Ok(if faults.is_empty() { Exit::Pass } else { Exit::Incomparable })
}

/// Checks every committed baseline against its suite, and says what is wrong.
pub(crate) fn faults(paths: &Paths) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for name in resolve::baseline_names(&paths.baselines())? {
        let path = paths.baseline_of(&name);
        let shown = Paths::shown(&path);
        match (Baseline::read(&path), selection::read_suite(&paths.suites(), &name)) {
            (Err(error), _) => faults.push(format!("{error:#}")),
            (Ok(_), Err(error)) => faults.push(format!("{shown}: {error:#}")),
            (Ok(baseline), Ok(suite)) => {
                let cells: Vec<String> = suite.cells().iter().map(Cell::id).collect();
                let found = baseline.mismatches(&name, &cells);
                faults.extend(found.iter().map(|fault| format!("{shown}: {fault}")));
            }
        }
    }
    Ok(faults)
}
