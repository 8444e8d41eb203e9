//! `cargo xtask claims`: measure what the ledger promises, and write docs/CLAIMS.md and its chart.

use std::path::Path;

use anyhow::Context as _;
use scenarios::{Cell, Claim, LEDGER, Ledger, Thresholds, nearest};

use super::print;
use crate::chart;
use crate::claims::{self, Document};
use crate::cli::{ClaimsOptions, Tier};
use crate::engine_store::Engine;
use crate::exit::{Exit, Stop};
use crate::fingerprint::Context;
use crate::paths::Paths;
use crate::record::{self, CutLine, EndLine, Header, Line, Record, RecordWriter, Side, run_folders};
use crate::runner::{self, Done, Surroundings};
use crate::work_folder::WorkFolder;
use crate::{clock, engine_build};

/// The name of the document, in `docs`.
const DOCUMENT: &str = "CLAIMS.md";

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &ClaimsOptions) -> anyhow::Result<Exit> {
    let ledger = Ledger::read(&paths.ledger())?;
    if options.check {
        return check(paths, &ledger);
    }
    if options.report {
        let record = latest(paths)?;
        return report(paths, &ledger, &record, &paths.claims().join(&record.header.run));
    }
    let selected = select(&ledger, &options.filters)?;
    let engine = engine_build::engine(paths, options.engine.as_deref())?;
    let header = header(paths, options, &selected, &engine)?;
    let (mut writer, header) = RecordWriter::create(&paths.claims(), header)?;
    let work = WorkFolder::make(paths)?;
    let surroundings = Surroundings::new(paths, Side::Head, &engine.binary, &work.path);
    std::fs::create_dir_all(&surroundings.ponds)?;
    let mut done = Done::default();
    runner::prepare(&surroundings, &header.planned, &mut writer, &mut done)?;
    let processes_cut =
        claims::measure(&surroundings, &header.planned, options.budget, &mut writer, &mut done)?;
    writer.append(&[Line::End(EndLine { ended: clock::text(clock::now_seconds()), processes_cut })])?;
    drop(work);
    let record = Record::read(writer.folder(), CutLine::Refuse)?;
    report(paths, &ledger, &record, writer.folder())
}

/// Selects claims by parts of their names and sources, in the order of the ledger.
fn select<'a>(ledger: &'a Ledger, filters: &[String]) -> anyhow::Result<Vec<&'a Claim>> {
    for filter in filters {
        if !ledger.claims.iter().any(|claim| claims::selects(std::slice::from_ref(filter), claim)) {
            let names = ledger.claims.iter().map(|claim| claim.name.as_str());
            let hint = nearest(filter, names).map_or_else(
                || "; the claims are in scenarios/suites/claims.toml".to_owned(),
                |close| format!("; did you mean '{close}'?"),
            );
            return Err(Stop::error(Exit::Usage, format!("no claim matches '{filter}'{hint}")));
        }
    }
    Ok(ledger.claims.iter().filter(|claim| claims::selects(filters, claim)).collect())
}

fn header(
    paths: &Paths,
    options: &ClaimsOptions,
    claims: &[&Claim],
    engine: &Engine,
) -> anyhow::Result<Header> {
    let now = clock::now_seconds();
    let planned = claims::plan(claims, options.rounds);
    Ok(Header {
        format: record::FORMAT,
        run: format!("{}-{LEDGER}", clock::stamp(now)),
        started: clock::text(now),
        suite: LEDGER.to_owned(),
        filters: options.filters.clone(),
        tier: Tier::All,
        against: None,
        base: None,
        engine_digest: engine.digest.clone(),
        thresholds: Thresholds::default(),
        context: Context::read(&paths.root, runner::greet(&engine.binary).ok().as_ref()),
        suite_cells: planned.iter().map(|planned| Cell::id(&planned.cell)).collect(),
        planned,
    })
}

/// Reads the latest finished run of all claims.
fn latest(paths: &Paths) -> anyhow::Result<Record> {
    for folder in run_folders(&paths.claims())?.iter().rev() {
        let record = Record::read(folder, CutLine::LeaveOut)?;
        if record.end.is_some() && record.header.filters.is_empty() {
            return Ok(record);
        }
    }
    Err(Stop::error(Exit::Usage, "there is no finished run of all claims; make one: cargo xtask claims"))
}

/// Writes what a run says: beside its samples and, if it measured all claims, to the documents.
fn report(paths: &Paths, ledger: &Ledger, record: &Record, folder: &Path) -> anyhow::Result<Exit> {
    let findings = claims::findings(ledger, record)?;
    let document = Document { ledger, record, findings: &findings };
    std::fs::write(folder.join("claims.json"), claims::json(&record.header, &findings))
        .context("cannot write claims.json")?;
    write(folder, &folder.join("images"), &document)?;
    print(&document.terminal())?;
    print(&format!("\nsamples: {}\n", Paths::shown(folder)))?;
    if record.header.filters.is_empty() {
        write(&paths.docs(), &paths.docs().join("images"), &document)?;
        print(&format!("written: {}\n", Paths::shown(&paths.docs().join(DOCUMENT))))?;
    } else {
        print("docs/CLAIMS.md is as it was: it is written when all claims are measured\n")?;
    }
    Ok(findings.iter().map(|finding| finding.verdict().exit()).fold(Exit::Pass, Exit::worse))
}

fn write(folder: &Path, images: &Path, document: &Document<'_>) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(DOCUMENT);
    std::fs::write(&path, document.markdown()).with_context(|| format!("cannot write {}", path.display()))?;
    chart::write_claims(images, document.findings)
}

/// Checks that the document states every claim as the ledger does.
fn check(paths: &Paths, ledger: &Ledger) -> anyhow::Result<Exit> {
    let path = paths.docs().join(DOCUMENT);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}; make it: cargo xtask claims", path.display()))?;
    let faults = claims::stale(ledger, &text);
    let mut out: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    out.push_str(&format!("{} claims, {} faults in docs/{DOCUMENT}\n", ledger.claims.len(), faults.len()));
    if !faults.is_empty() {
        out.push_str("where only words changed: cargo xtask claims --report; else: cargo xtask claims\n");
    }
    print(&out)?;
    Ok(if faults.is_empty() { Exit::Pass } else { Exit::Usage })
}
