//! Exporting a stored series: which partitions must be written, and whether by copying or by cutting.
//!
//! Row groups that lie in one partition, in order and in the series' own columns, are copied as they are
//! encoded. Everything else is decoded and cut. A partition that the last export has from the same
//! versions is not touched at all.

use std::path::Path;
use std::sync::Arc;

use scenarios::Stage;

use super::layout::{CountedFile, Layout, Span, at_file};
use super::manifest::ExportedFile;
use super::previous::{Inputs, InputsOf, PreviousTarget};
use super::split::SplitWriter;
use super::sql::{self, Copied};
use crate::error::{Error, Result};
use crate::knobs::Copy;
use crate::query::Planner;
use crate::series::{Series, StoredGroup, StoredGroups, TimeRange};

/// Partitions with more groups than this are written anew if their groups are small.
const SMALL_GROUPS_MAX: usize = 8;

/// Groups with fewer rows on average than this are small: readers pay for each.
const SMALL_GROUP_ROWS: u64 = 1_024;

/// Partitions that a region is cut into at most before it is written as a whole.
const REGION_PARTITIONS_MAX: usize = 100_000;

/// One stored series on its way out.
pub(super) struct StoredExport<'a> {
    pub folder: &'a Path,
    pub layout: &'a Layout<'a>,
    pub series: &'a Series,
    pub range: TimeRange,
    pub inputs: InputsOf,
    pub previous: Option<&'a PreviousTarget>,
    pub planner: &'a Planner,
}

/// Partitions that row groups tie together: a group never reaches into another region.
struct Region {
    span: Span,
    groups: Vec<StoredGroup>,
}

/// A span of whole partitions, and what to do with it.
struct Piece {
    span: Span,
    reused: Option<ExportedFile>,
}

impl StoredExport<'_> {
    /// Writes what the last export does not have; returns all files, in time order, and their inputs.
    pub(super) fn run(&self) -> Result<(Vec<ExportedFile>, Inputs)> {
        let whole = self.inputs.of_series(self.series, self.range);
        if let Some(files) = self.previous.and_then(|previous| previous.all(&whole)) {
            return Ok((files, whole));
        }
        let mut files = self.written()?;
        for file in files.iter_mut().filter(|file| file.inputs.is_none()) {
            let span = match file.first_us {
                Some(at) => self.layout.span(at)?,
                None => Span { begin_us: None, end_us: None },
            };
            file.inputs = Some(self.inputs(span));
        }
        Ok((files, whole))
    }

    fn written(&self) -> Result<Vec<ExportedFile>> {
        let copy = self.planner.knobs().copy();
        if copy == Copy::Sql {
            return self.by_sql();
        }
        if self.series.time().is_none() {
            return self.rows(TimeRange::default());
        }
        if copy == Copy::Split && self.previous.is_none() {
            return self.rows(self.range);
        }
        let stored = self.series.stored_groups(self.range)?;
        let mut files = Vec::new();
        for region in self.regions(stored.groups())? {
            for piece in self.pieces(&region)? {
                match piece.reused {
                    Some(file) => files.push(file),
                    None => self.piece(&stored, &region, piece.span, &mut files)?,
                }
            }
        }
        Ok(files)
    }

    fn by_sql(&self) -> Result<Vec<ExportedFile>> {
        let copied = Copied {
            path: self.series.path(),
            shown: &self.planner.shown_series(self.series)?,
            range: self.range,
        };
        sql::export(self.folder, self.layout, &copied, self.planner)
    }

    /// Returns the digest of everything that the rows of a span follow from.
    fn inputs(&self, span: Span) -> Inputs {
        self.inputs.of_series(self.series, clip(span, self.range))
    }

    /// Puts groups that share a partition into one region.
    fn regions(&self, groups: &[StoredGroup]) -> Result<Vec<Region>> {
        let mut regions: Vec<Region> = Vec::new();
        for group in groups {
            let span = match group.span {
                Some((first, last)) => {
                    let (first, last) = (self.layout.span(first)?, self.layout.span(last)?);
                    Span { begin_us: first.begin_us, end_us: last.end_us }
                }
                // Without statistics nothing is known of its place: everything is one region.
                None => Span { begin_us: None, end_us: None },
            };
            match regions.last_mut() {
                Some(region) if region.span.overlaps(span) => {
                    region.span = region.span.hull(span);
                    region.groups.push(*group);
                }
                _ => regions.push(Region { span, groups: vec![*group] }),
            }
        }
        Ok(regions)
    }

    /// Cuts a region into what the last export has and what must be written.
    fn pieces(&self, region: &Region) -> Result<Vec<Piece>> {
        let whole = || vec![Piece { span: region.span, reused: None }];
        let Some(previous) = self.previous else { return Ok(whole()) };
        let Some(partitions) = self.partitions(region.span)? else { return Ok(whole()) };
        let mut pieces: Vec<Piece> = Vec::new();
        for span in partitions {
            let at = span.begin_us.unwrap_or_default();
            let reused = previous.file(&self.layout.file(at), &self.inputs(span));
            match pieces.last_mut() {
                Some(last) if last.reused.is_none() && reused.is_none() => last.span = last.span.hull(span),
                _ => pieces.push(Piece { span, reused }),
            }
        }
        Ok(pieces)
    }

    /// Lists the partitions of a span; nothing if there are too many to list.
    fn partitions(&self, span: Span) -> Result<Option<Vec<Span>>> {
        let (Some(begin), Some(end)) = (span.begin_us, span.end_us) else { return Ok(Some(vec![span])) };
        let mut partitions = Vec::new();
        let mut at = begin;
        while at < end {
            if partitions.len() == REGION_PARTITIONS_MAX {
                return Ok(None);
            }
            let partition = self.layout.span(at)?;
            partitions.push(partition);
            let Some(next) = partition.end_us else { break };
            at = next;
        }
        Ok(Some(partitions))
    }

    /// Writes the partitions of a span: by copying if it is one partition made of whole groups.
    fn piece(
        &self,
        stored: &StoredGroups<'_>,
        region: &Region,
        span: Span,
        files: &mut Vec<ExportedFile>,
    ) -> Result<()> {
        if self.planner.knobs().copy() == Copy::Passthrough && self.is_copyable(stored, region, span)? {
            files.push(self.copied(stored, &region.groups)?);
            return Ok(());
        }
        files.extend(self.rows(clip(span, self.range))?);
        Ok(())
    }

    fn is_copyable(&self, stored: &StoredGroups<'_>, region: &Region, span: Span) -> Result<bool> {
        let groups = &region.groups;
        let Some((first, _)) = groups[0].span else { return Ok(false) };
        if span != region.span || self.layout.span(first)? != span {
            return Ok(false);
        }
        let inside = |group: &StoredGroup| {
            group.span.is_some_and(|(first, last)| self.range.holds(first) && self.range.holds(last))
        };
        let rows: u64 = groups.iter().map(|group| group.rows).sum();
        let small = groups.len() > SMALL_GROUPS_MAX && rows < groups.len() as u64 * SMALL_GROUP_ROWS;
        Ok(!small && groups.iter().all(inside) && stored.follow_each_other(groups))
    }

    fn copied(&self, stored: &StoredGroups<'_>, groups: &[StoredGroup]) -> Result<ExportedFile> {
        let _stage = self.series.recorder().stage(Stage::PartitionWrite);
        let first_us = groups.first().and_then(|group| group.span).map(|span| span.0);
        let last_us = groups.iter().filter_map(|group| group.span).map(|span| span.1).max();
        let path = self.layout.file(first_us.unwrap_or_default());
        let sink = CountedFile::create(self.folder, &path)?;
        let (sink, rows) = stored.copy(groups, sink).map_err(|error| at_file(error, self.folder, &path))?;
        Ok(ExportedFile { path, rows, bytes: sink.close()?, first_us, last_us, inputs: None, reused: false })
    }

    /// Decodes the rows of a range and cuts them.
    fn rows(&self, range: TimeRange) -> Result<Vec<ExportedFile>> {
        let (schema, time) = (self.series.schema(), self.series.time());
        let recorder: &Arc<_> = self.series.recorder();
        let mut writer = SplitWriter::new(self.folder, self.layout, schema, time);
        for batch in self.series.batches(range)? {
            let _stage = recorder.stage(Stage::PartitionWrite);
            writer.write(&batch?)?;
        }
        let _stage = recorder.stage(Stage::PartitionWrite);
        writer.finish()
    }
}

impl Span {
    /// Tells whether two spans, the later one given, share a time.
    fn overlaps(self, later: Self) -> bool {
        match (self.end_us, later.begin_us) {
            (Some(end), Some(begin)) => begin < end,
            _ => true,
        }
    }

    /// Returns the span from the begin of the first to the later end.
    fn hull(self, later: Self) -> Self {
        let begin_us = self.begin_us.zip(later.begin_us).map(|(a, b)| a.min(b));
        Self { begin_us, end_us: self.end_us.zip(later.end_us).map(|(a, b)| a.max(b)) }
    }
}

/// Returns the part of a range that lies in a span.
pub(super) fn clip(span: Span, range: TimeRange) -> TimeRange {
    let later = |a: Option<i64>, b: Option<i64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let earlier = |a: Option<i64>, b: Option<i64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    TimeRange { start_us: later(span.begin_us, range.start_us), end_us: earlier(span.end_us, range.end_us) }
}

/// Fails for a series without a time column if times matter to an export.
pub(super) fn check_time(
    path: &str,
    time: Option<usize>,
    layout: &Layout<'_>,
    range: TimeRange,
) -> Result<()> {
    if time.is_none() && (layout.units().finest().is_some() || !range.is_all()) {
        let message = "it has no time column, so it cannot be cut by time; leave it out of the pattern, or export \
                       it with --temporal \"\"";
        return Err(Error::Export { path: path.to_owned(), message: message.to_owned() });
    }
    Ok(())
}
