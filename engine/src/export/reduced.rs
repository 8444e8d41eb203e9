//! Exporting reduced series by streaming: one pass over an input for all its resolutions.
//!
//! An input's rows come in time order and go through one reducer, whose buckets go to one writer for each
//! resolution. Of a stored input, only partitions whose rows have changed are computed: those that some
//! resolution does not have from the same versions.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use scenarios::Stage;

use super::layout::{Layout, Span};
use super::manifest::ExportedFile;
use super::previous::{Inputs, InputsOf, PreviousTarget};
use super::split::SplitWriter;
use super::stored::clip;
use crate::error::{Error, Result};
use crate::factory::{Reduction, View};
use crate::query::{QueryOptions, Relations, SOURCE, bounds, query, quoted};
use crate::series::{ReduceColumn, Reducer, Series, TimeRange, time_values};

/// Partitions that are looked at one by one at most.
const PARTITIONS_MAX: usize = 100_000;

/// A reduced series on its way out, one of those that share an input.
pub(super) struct Reduced<'a> {
    pub layout: Layout<'a>,
    pub resolution_us: i64,
    /// The digest of everything that the rows follow from.
    pub identity: [u8; 32],
    pub previous: Option<&'a PreviousTarget>,
}

/// What a reduction reads, and what it makes of it.
pub(super) struct Source {
    input: SchemaRef,
    /// The index of the time column.
    time: usize,
    /// The stored series, if it is one.
    series: Option<Series>,
    columns: Vec<ReduceColumn>,
    /// The columns of the result, the time first.
    pub schema: SchemaRef,
}

impl Source {
    /// Opens what a reduction reads; nothing if a column is of a type that streaming does not reduce.
    pub(super) fn open(view: &View<'_>, reduction: &Reduction) -> Result<Option<Self>> {
        let path = view.namespace().tree().path_of(reduction.input);
        let mut series = None;
        let input = if view.namespace().derived(reduction.input).is_some() {
            view.shown(reduction.input)?.provider.schema()
        } else {
            let opened = view.series(reduction.input, &path)?;
            Arc::clone(series.insert(opened).schema())
        };
        let index = |name: &str| {
            let message = || format!("it has no column '{name}'");
            input.index_of(name).map_err(|_| Error::Derived { path: path.clone(), message: message() })
        };
        let time = index(&reduction.time)?;
        // By another column than its own, a stored series is not in order.
        let series = series.filter(|series: &Series| series.time() == Some(time));
        let mut columns = Vec::with_capacity(reduction.columns.len());
        for column in &reduction.columns {
            let column_index = column.input.as_deref().map_or(Ok(time), index)?;
            columns.push(ReduceColumn { column: column_index, aggregate: column.aggregate });
        }
        // The first column of a result is its time, and a result without a reducible column is made by SQL.
        match Reducer::new(&input, time, &[reduction.resolution_us], &columns) {
            Ok(reducer) => {
                let schema = Arc::clone(reducer.schema());
                Ok(Some(Self { input, time, series, columns, schema }))
            }
            Err(_) => Ok(None),
        }
    }
}

/// Reduced series that share an input and its columns.
pub(super) struct ReducedExport<'a> {
    pub folder: &'a Path,
    pub view: &'a View<'a>,
    pub reduction: &'a Reduction,
    pub source: &'a Source,
    pub targets: Vec<Reduced<'a>>,
    pub range: TimeRange,
}

impl ReducedExport<'_> {
    /// Computes and writes what the last export does not have; the files and inputs of each target.
    pub(super) fn run(&self) -> Result<Vec<(Vec<ExportedFile>, Inputs)>> {
        let schema = &self.source.schema;
        let inputs: Vec<InputsOf> =
            self.targets.iter().map(|target| InputsOf::new(schema, &target.layout)).collect();
        let wholes: Vec<Inputs> = (self.targets.iter().zip(&inputs))
            .map(|(target, inputs)| inputs.of(self.range, std::iter::once(target.identity)))
            .collect();
        let kept: Option<Vec<_>> = (self.targets.iter().zip(&wholes))
            .map(|(target, whole)| target.previous.and_then(|previous| previous.all(whole)))
            .collect();
        let files = match kept {
            Some(files) => files,
            None => self.written(&inputs)?,
        };
        Ok(files.into_iter().zip(wholes).collect())
    }

    fn written(&self, inputs: &[InputsOf]) -> Result<Vec<Vec<ExportedFile>>> {
        let mut files: Vec<Vec<ExportedFile>> = self.targets.iter().map(|_| Vec::new()).collect();
        for (span, reused) in self.pieces(inputs)? {
            match reused {
                Some(reused) => {
                    (files.iter_mut().zip(reused)).for_each(|(files, reused)| files.extend(reused))
                }
                None => {
                    let range = clip(span, self.range);
                    for (files, new) in files.iter_mut().zip(self.pass(range)?) {
                        files.extend(new);
                    }
                }
            }
        }
        if let Some(series) = &self.source.series {
            for ((target, inputs), files) in self.targets.iter().zip(inputs).zip(&mut files) {
                for file in files.iter_mut().filter(|file| file.inputs.is_none()) {
                    let span = target.layout.span(file.first_us.unwrap_or_default())?;
                    file.inputs = Some(self.inputs(series, target, inputs, span));
                }
            }
        }
        Ok(files)
    }

    /// Returns the digest of what the buckets of a span follow from: a bucket may reach over its end.
    fn inputs(&self, series: &Series, target: &Reduced<'_>, inputs: &InputsOf, span: Span) -> Inputs {
        let range = clip(span, self.range);
        let end_us = range.end_us.map(|end| end.saturating_add(target.resolution_us));
        let read = TimeRange { start_us: range.start_us, end_us };
        let resolution = *blake3::hash(&target.resolution_us.to_le_bytes()).as_bytes();
        inputs.of(range, std::iter::once(resolution).chain(series.digests_in(read).map(|digest| digest.0)))
    }

    /// Cuts time into what all targets have from the last export, and what must be computed.
    #[expect(clippy::type_complexity, reason = "a span with the file of each target, if all have theirs")]
    fn pieces(&self, inputs: &[InputsOf]) -> Result<Vec<(Span, Option<Vec<Option<ExportedFile>>>)>> {
        let open = Span { begin_us: None, end_us: None };
        let all = || vec![(open, None)];
        let Some(series) = &self.source.series else { return Ok(all()) };
        let Some((first, last)) = series.bounds() else { return Ok(Vec::new()) };
        if self.targets.iter().all(|target| target.previous.is_none()) {
            return Ok(all());
        }
        let widest = self.targets.iter().map(|target| target.resolution_us).max().unwrap_or(0);
        let layout = &self.targets[0].layout;
        let mut pieces: Vec<(Span, Option<Vec<Option<ExportedFile>>>)> = Vec::new();
        // The first bucket may begin before the first row.
        let mut at = first.saturating_sub(widest);
        while at <= last {
            if pieces.len() == PARTITIONS_MAX {
                return Ok(all());
            }
            let span = layout.span(at)?;
            let reused = self.reused(series, inputs, span);
            match pieces.last_mut() {
                Some((before, None)) if reused.is_none() => before.end_us = span.end_us,
                _ => pieces.push((span, reused)),
            }
            let Some(next) = span.end_us else { break };
            at = next;
        }
        Ok(pieces)
    }

    /// Returns each target's file of a partition, if the last export has it for all of them.
    fn reused(&self, series: &Series, inputs: &[InputsOf], span: Span) -> Option<Vec<Option<ExportedFile>>> {
        let at = span.begin_us.unwrap_or_default();
        let file = |(target, inputs): (&Reduced<'_>, &InputsOf)| {
            let digest = self.inputs(series, target, inputs, span);
            target.previous.and_then(|previous| previous.file(&target.layout.file(at), &digest))
        };
        let files: Vec<Option<ExportedFile>> = self.targets.iter().zip(inputs).map(file).collect();
        files.iter().all(Option::is_some).then_some(files)
    }

    /// Computes the buckets that begin in a range, and writes them; the files of each target.
    fn pass(&self, range: TimeRange) -> Result<Vec<Vec<ExportedFile>>> {
        let recorder = self.view.planner().recorder();
        let Source { input, time, columns, schema, .. } = self.source;
        let resolutions: Vec<i64> = self.targets.iter().map(|target| target.resolution_us).collect();
        let mut reducer = Reducer::new(input, *time, &resolutions, columns)?;
        let mut writers: Vec<SplitWriter<'_>> = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            writers.push(SplitWriter::new(self.folder, &target.layout, schema, Some(0)));
        }
        let mut write = |index: usize, buckets: RecordBatch| {
            let _stage = recorder.stage(Stage::PartitionWrite);
            writers[index].write(&begun_in(&buckets, range)?)
        };
        let widest = resolutions.iter().copied().max().unwrap_or(0);
        let read = TimeRange { end_us: range.end_us.map(|end| end.saturating_add(widest)), ..range };
        for batch in self.rows(read)? {
            reducer.push(&batch?, &mut write)?;
        }
        reducer.finish(&mut write)?;
        let _stage = recorder.stage(Stage::PartitionWrite);
        writers.into_iter().map(SplitWriter::finish).collect()
    }

    /// Reads the input's rows of a range, in time order.
    fn rows(&self, range: TimeRange) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>>>> {
        if let Some(series) = &self.source.series {
            return Ok(Box::new(series.batches(range)?));
        }
        let shown = self.view.shown(self.reduction.input)?;
        let (bounds, time) = (bounds(&self.reduction.time, range), quoted(&self.reduction.time));
        let text = format!("SELECT * FROM {SOURCE}{bounds} ORDER BY {time}");
        let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
        let relations = Relations::from([(SOURCE.to_owned(), shown)]);
        Ok(Box::new(query(self.view.planner(), &relations, &text, options)?))
    }
}

/// Returns the buckets that begin in a range.
fn begun_in(buckets: &RecordBatch, range: TimeRange) -> Result<RecordBatch> {
    let times = time_values(buckets.column(0)).ok_or_else(|| Error::Damaged {
        place: "a reduced series".to_owned(),
        detail: "its first column holds no times".to_owned(),
    })?;
    let from = range.start_us.map_or(0, |start| times.partition_point(|at| *at < start));
    let to = range.end_us.map_or(times.len(), |end| times.partition_point(|at| *at < end));
    Ok(buckets.slice(from, to.saturating_sub(from)))
}
