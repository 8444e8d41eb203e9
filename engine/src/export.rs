//! Export: matched series become Parquet files in hive-partitioned folders, with a manifest.
//!
//! Rows come sorted by time, so one pass with one open writer per worker suffices: a partition ends where
//! the next begins, found by binary search. Names, encodings and order depend on the data alone, so the
//! same data gives the same bytes. Everything is written aside and put in place at once.

mod manifest;
mod partition;
mod publish;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use scenarios::Stage;

pub use manifest::{ExportedFile, ExportedTarget, MANIFEST_FORMAT, MANIFEST_NAME, Manifest};

use crate::error::{Error, Result};
use crate::log::Snapshot;
use crate::series::{TimeRange, Units};
use crate::tree::Pattern;
use partition::PartitionWriter;
use publish::Staging;
use target::{Target, find_targets};

/// What is exported, and how.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The series, by pattern; a series that several match is exported once, by the first.
    pub patterns: Vec<Pattern>,
    /// The folder to make or to replace.
    pub dir: PathBuf,
    /// The partitions; none for one file per series.
    pub temporal: Units,
    /// The rows, by event time.
    pub range: TimeRange,
    /// Series exported at a time.
    pub jobs: usize,
    /// Whether an export of other patterns may be replaced.
    pub replace: bool,
}

/// Exports series of a snapshot; `progress` is told of series done and of all.
///
/// # Errors
/// If nothing matches, content is damaged, or files cannot be written; then `dir` is as it was before.
pub(crate) fn export(
    snapshot: &Snapshot,
    options: &ExportOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Manifest> {
    let recorder = snapshot.recorder();
    let targets = find_targets(snapshot, &options.patterns)?;
    let staging = Staging::begin(&options.dir, &options.patterns, options.replace)?;
    let exported = {
        let _stage = recorder.stage(Stage::Execution);
        export_all(snapshot, &targets, options, staging.folder(), progress)?
    };
    let manifest = {
        let _stage = recorder.stage(Stage::MetadataCollection);
        let manifest = Manifest::new(options, exported);
        manifest.write(staging.folder())?;
        manifest
    };
    let _stage = recorder.stage(Stage::MetadataCollection);
    staging.publish()?;
    Ok(manifest)
}

/// Exports targets with `jobs` workers; results come in the order of the targets.
fn export_all(
    snapshot: &Snapshot,
    targets: &[Target],
    options: &ExportOptions,
    folder: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<ExportedTarget>> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results: Mutex<Vec<Option<Result<ExportedTarget>>>> =
        Mutex::new(targets.iter().map(|_| None).collect());
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(target) = targets.get(index) else { break };
            let result = export_one(snapshot, target, options, folder);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            results.lock().expect("no worker panics while it stores a result")[index] = Some(result);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(done as u64, targets.len() as u64);
        }
    };
    let jobs = options.jobs.clamp(1, targets.len().max(1));
    // The caller's thread is one of the workers.
    std::thread::scope(|scope| {
        (1..jobs).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let results = results.into_inner().expect("no worker panicked while it stored a result");
    let mut exported = Vec::with_capacity(targets.len());
    // After a failure later targets have no result; the first failure in order is the one reported.
    for result in results.into_iter().flatten() {
        exported.push(result?);
    }
    Ok(exported)
}

fn export_one(
    snapshot: &Snapshot,
    target: &Target,
    options: &ExportOptions,
    folder: &Path,
) -> Result<ExportedTarget> {
    let series = target.open(snapshot)?;
    let recorder = snapshot.recorder();
    if series.time().is_none() && (options.temporal.finest().is_some() || !options.range.is_all()) {
        return Err(Error::Export {
            path: target.path.clone(),
            message:
                "it has no time column, so it cannot be cut by time; leave it out of the pattern, or export \
                      it with --temporal \"\""
                    .to_owned(),
        });
    }
    let mut writer = PartitionWriter::new(folder, target, &series, &options.temporal, recorder);
    for batch in series.batches(options.range)? {
        let _stage = recorder.stage(Stage::PartitionWrite);
        writer.write(&batch?)?;
    }
    let _stage = recorder.stage(Stage::PartitionWrite);
    writer.finish()
}
