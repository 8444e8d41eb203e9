//! Export: matched series become Parquet files in hive-partitioned folders, with a manifest.
//!
//! A unit of work is one target; units run `jobs` at a time and give the same files in any order. Names,
//! encodings and order depend on the data alone, so the same data gives the same bytes. Everything is
//! written aside and put in place at the end; what the last export has already is left where it is.

mod derived;
mod layout;
mod manifest;
mod previous;
mod publish;
mod reduced;
mod split;
mod sql;
mod stored;
mod target;
mod workers;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::datatypes::SchemaRef;
use scenarios::Stage;

pub use manifest::{ExportedFile, ExportedTarget, MANIFEST_FORMAT, MANIFEST_NAME, Manifest};

use crate::error::Result;
use crate::factory::{Reduction, View};
use crate::knobs::{Copy, Reduce};
use crate::metrics::Counter;
use crate::series::{TimeRange, Units};
use crate::tree::{NodeId, Pattern};
use derived::DerivedExport;
use layout::Layout;
use previous::{Inputs, InputsOf, Previous};
use publish::Staging;
use reduced::{Reduced, ReducedExport, Source};
use stored::{StoredExport, check_time};
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

/// A step of an export, as its workers come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportStep<'a> {
    /// A worker begins with a series, and with those that are reduced from the same input.
    Begun {
        /// The path of the first of them.
        path: &'a str,
    },
    /// Some series are done, of all that there are.
    Done {
        /// Series that are done.
        done: u64,
        /// All series.
        total: u64,
    },
}

/// Told of the steps of an export.
pub(crate) type Told<'a> = &'a (dyn Fn(ExportStep<'_>) + Sync);

/// Exports series of a snapshot.
///
/// # Errors
/// If nothing matches, content is damaged, or files cannot be written; then `dir` is as it was before.
pub(crate) fn export(view: &View<'_>, options: &ExportOptions, told: Told<'_>) -> Result<Manifest> {
    let (planner, recorder) = (view.planner(), view.planner().recorder());
    let targets = find_targets(view, &options.patterns)?;
    let (staging, found) = {
        let _stage = recorder.stage(Stage::MetadataCollection);
        let staging = Staging::begin(&options.dir)?;
        let found = Previous::find(staging.dir(), &options.patterns, options.replace)?;
        (staging, found)
    };
    let previous = if planner.knobs().incremental() { found } else { Previous::default() };
    let export = Export { view, options, folder: staging.folder(), previous: &previous };
    let exported = {
        let _stage = recorder.stage(Stage::Execution);
        export.all(&targets, told)?
    };
    let _stage = recorder.stage(Stage::MetadataCollection);
    let manifest = Manifest::new(options, exported);
    manifest.write(staging.folder())?;
    if manifest.files().any(|file| file.reused) {
        let now: HashSet<&str> = manifest.files().map(|file| file.path.as_str()).collect();
        let gone = previous.files().filter(|path| !now.contains(path));
        staging.merge(gone.map(str::to_owned).collect())?;
    } else {
        staging.publish()?;
    }
    Ok(manifest)
}

/// One export on its way.
struct Export<'a> {
    view: &'a View<'a>,
    options: &'a ExportOptions,
    /// The folder that new files are written to.
    folder: &'a Path,
    previous: &'a Previous,
}

/// What one worker does at a time.
struct Unit {
    /// The targets, by their number.
    targets: Vec<usize>,
    /// How they are all reduced from one input, if they are and may be by streaming.
    reduction: Option<Reduction>,
}

impl Export<'_> {
    /// Exports targets with `jobs` workers; results come in the order of the targets.
    fn all(&self, targets: &[Target], told: Told<'_>) -> Result<Vec<ExportedTarget>> {
        let units = self.units(targets)?;
        let done = AtomicUsize::new(0);
        let total = targets.len() as u64;
        told(ExportStep::Done { done: 0, total });
        let results = workers::run(units.len(), self.options.jobs, |index| {
            let unit = &units[index];
            told(ExportStep::Begun { path: &targets[unit.targets[0]].path });
            let exported = self.unit(unit, targets)?;
            let done = done.fetch_add(unit.targets.len(), Ordering::Relaxed) + unit.targets.len();
            told(ExportStep::Done { done: done as u64, total });
            Ok(exported)
        });
        let mut exported: Vec<(usize, ExportedTarget)> = Vec::with_capacity(targets.len());
        // After a failure later units have no result; the first failure in order is the one reported.
        for (unit, result) in units.iter().zip(results) {
            let Some(result) = result else { continue };
            exported.extend(unit.targets.iter().copied().zip(result?));
        }
        exported.sort_by_key(|(target, _)| *target);
        Ok(exported.into_iter().map(|(_, exported)| exported).collect())
    }

    /// Puts targets into units: reductions of one input together, anything else alone.
    fn units(&self, targets: &[Target]) -> Result<Vec<Unit>> {
        let knobs = self.view.planner().knobs();
        let streaming = knobs.reduce() == Reduce::Streaming && knobs.copy() != Copy::Sql;
        let mut units: Vec<Unit> = Vec::with_capacity(targets.len());
        let mut reduced: HashMap<Vec<NodeId>, usize> = HashMap::new();
        for (index, target) in targets.iter().enumerate() {
            let reduction = if streaming { self.view.reduction(target.node)? } else { None };
            if let Some(reduction) = &reduction {
                if let Some(unit) = reduced.get(&reduction.siblings) {
                    units[*unit].targets.push(index);
                    continue;
                }
                reduced.insert(reduction.siblings.clone(), units.len());
            }
            units.push(Unit { targets: vec![index], reduction });
        }
        Ok(units)
    }

    fn unit(&self, unit: &Unit, targets: &[Target]) -> Result<Vec<ExportedTarget>> {
        let of_unit: Vec<&Target> = unit.targets.iter().map(|index| &targets[*index]).collect();
        if let Some(reduction) = &unit.reduction
            && let Some(exported) = self.reduced(reduction, &of_unit)?
        {
            return Ok(exported);
        }
        of_unit.into_iter().map(|target| self.one(target)).collect()
    }

    /// Exports reductions of one input by streaming; nothing if a column cannot be reduced so.
    fn reduced(&self, reduction: &Reduction, targets: &[&Target]) -> Result<Option<Vec<ExportedTarget>>> {
        let namespace = self.view.namespace();
        let Some(source) = Source::open(self.view, reduction)? else { return Ok(None) };
        let mut reduced = Vec::with_capacity(targets.len());
        for target in targets {
            let resolution_us = namespace.resolution_us(target.node).expect("the target is a reduction");
            reduced.push(Reduced {
                layout: Layout::new(target, &self.options.temporal, &source.schema),
                resolution_us,
                identity: namespace.identity(target.node)?,
                previous: self.previous.target(&target.path),
            });
        }
        let export = ReducedExport {
            folder: self.folder,
            view: self.view,
            reduction,
            source: &source,
            targets: reduced,
            range: self.options.range,
        };
        let outcomes = export.run()?;
        let exported = targets.iter().zip(&export.targets).zip(outcomes);
        Ok(Some(
            exported
                .map(|((target, reduced), (files, inputs))| {
                    self.exported(target, &reduced.layout, &source.schema, Some(0), files, inputs)
                })
                .collect(),
        ))
    }

    fn one(&self, target: &Target) -> Result<ExportedTarget> {
        if self.view.namespace().derived(target.node).is_some() {
            return self.derived(target);
        }
        let series = self.view.series(target.node, &target.path)?;
        let layout = Layout::new(target, &self.options.temporal, series.schema());
        check_time(&target.path, series.time(), &layout, self.options.range)?;
        let export = StoredExport {
            folder: self.folder,
            layout: &layout,
            series: &series,
            range: self.options.range,
            inputs: InputsOf::new(series.schema(), &layout),
            previous: self.previous.target(&target.path),
            planner: self.view.planner(),
        };
        let (files, inputs) = export.run()?;
        Ok(self.exported(target, &layout, series.schema(), series.time(), files, inputs))
    }

    fn derived(&self, target: &Target) -> Result<ExportedTarget> {
        let shown = self.view.shown(target.node)?;
        let schema = shown.provider.schema();
        let layout = Layout::new(target, &self.options.temporal, &schema);
        let time = shown.time_column.as_deref().and_then(|time| schema.index_of(time).ok());
        check_time(&target.path, time, &layout, self.options.range)?;
        let export = DerivedExport {
            folder: self.folder,
            layout: &layout,
            path: &target.path,
            shown: &shown,
            range: self.options.range,
            previous: self.previous.target(&target.path),
            planner: self.view.planner(),
        };
        let (files, inputs) = export.run()?;
        Ok(self.exported(target, &layout, &schema, time, files, inputs))
    }

    fn exported(
        &self,
        target: &Target,
        layout: &Layout<'_>,
        schema: &SchemaRef,
        time: Option<usize>,
        files: Vec<ExportedFile>,
        inputs: Inputs,
    ) -> ExportedTarget {
        self.count(&files);
        ExportedTarget {
            path: target.path.clone(),
            captures: target.captures.clone(),
            folder: target.folder.clone(),
            rows: files.iter().map(|file| file.rows).sum(),
            first_us: files.first().and_then(|file| file.first_us),
            last_us: files.last().and_then(|file| file.last_us),
            partition_columns: layout.partition_columns(),
            schema: Arc::clone(schema),
            time,
            files,
            inputs: Some(inputs),
        }
    }

    /// Counts what was written, and what was there already.
    fn count(&self, files: &[ExportedFile]) {
        let recorder = self.view.planner().recorder();
        for file in files {
            if file.reused {
                recorder.count(Counter::PartitionsReused, 1);
                continue;
            }
            recorder.count(Counter::RowsWritten, file.rows);
            recorder.count(Counter::FilesWritten, 1);
            recorder.count(Counter::BytesWritten, file.bytes);
            recorder.count(Counter::PartitionsWritten, 1);
        }
    }
}
