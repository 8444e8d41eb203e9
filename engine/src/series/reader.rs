//! Reading a table or series in time order, on the caller's thread.

use std::sync::Arc;
use std::vec;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use scenarios::Stage;

use super::caches::{NodeColumns, NodeVersion, SeriesCaches};
use super::chain::chains;
use super::merge::Merge;
use super::schema::unite;
use super::stored::span;
use super::writer::time_values;
use crate::error::{Error, Result};
use crate::log::{Content, Digest, Snapshot, Version};
use crate::metrics::{Counter, Recorder};
use crate::plants;
use crate::tree::{EntryType, NodeId};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 16_384;

/// A half-open span of event times in microseconds; a missing end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// First time inside.
    pub start_us: Option<i64>,
    /// First time after.
    pub end_us: Option<i64>,
}

impl TimeRange {
    /// Tells whether a span with inclusive ends has a time inside.
    pub fn touches(&self, first_us: i64, last_us: i64) -> bool {
        self.start_us.is_none_or(|start| last_us >= start) && self.end_us.is_none_or(|end| first_us < end)
    }

    /// Tells whether a time is inside.
    pub fn holds(&self, at_us: i64) -> bool {
        self.touches(at_us, at_us)
    }

    /// Tells whether everything is inside.
    pub fn is_all(&self) -> bool {
        self.start_us.is_none() && self.end_us.is_none()
    }
}

/// A version of a series with its content.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub content: Content,
    /// Its place among the versions; rows of equal time come in this order.
    pub place: usize,
    pub rows: u64,
    /// First and last event time, inclusive; nothing for tables without a time column.
    pub span: Option<(i64, i64)>,
    /// Whether it has the columns of all versions together as they are.
    pub same: bool,
}

/// A table or series of a snapshot.
#[derive(Clone, Debug)]
pub struct Series {
    path: String,
    version: NodeVersion,
    schema: SchemaRef,
    time: Option<usize>,
    pub(super) parts: Vec<Part>,
    pub(super) caches: Arc<SeriesCaches>,
    recorder: Arc<Recorder>,
}

impl Series {
    /// Opens a table or series; reads the log only, no content.
    ///
    /// # Errors
    /// If the node is of another type, or the log contradicts itself.
    pub(crate) fn open(
        snapshot: &Snapshot,
        node: NodeId,
        path: &str,
        caches: &Arc<SeriesCaches>,
    ) -> Result<Self> {
        let recorder = Arc::clone(snapshot.recorder());
        let entry_type = snapshot.tree().node(node).entry_type;
        if !entry_type.is_queryable() {
            let expected = EntryType::Series.name();
            return Err(Error::WrongType { path: path.to_owned(), found: entry_type.name(), expected });
        }
        let contents = {
            let _stage = recorder.stage(Stage::FileDiscovery);
            snapshot.contents(node)?
        };
        let version = NodeVersion { node, versions: snapshot.version_count(node) as u64 };
        let columns = caches.schemas.get_or_try(version, weight, || {
            let _stage = recorder.stage(Stage::SchemaDiscovery);
            recorder.count(Counter::SchemasRead, 1);
            let versions: Vec<&Version> = contents.iter().map(|(version, _)| version).collect();
            united(path, &versions, caches)
        })?;
        let parts = contents
            .into_iter()
            .enumerate()
            .map(|(place, (version, content))| Part {
                content,
                place,
                rows: version.rows.unwrap_or(0),
                span: version.first_us.zip(version.last_us),
                same: columns.same[place],
            })
            .filter(|part| part.rows > 0)
            .collect();
        let NodeColumns { schema, time, .. } = columns;
        Ok(Self { path: path.to_owned(), version, schema, time, parts, caches: Arc::clone(caches), recorder })
    }

    /// Returns the node and how many versions it had.
    pub(crate) fn version(&self) -> NodeVersion {
        self.version
    }

    /// Returns the digests of the versions that touch a range, oldest first.
    pub(crate) fn digests_in(&self, range: TimeRange) -> impl Iterator<Item = Digest> {
        self.parts_in(range).into_iter().map(|part| part.content.digest())
    }

    /// Returns the path by which it was opened.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the columns of all versions together.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the index of the time column; a table may have none.
    pub fn time(&self) -> Option<usize> {
        self.time
    }

    /// Returns the number of rows of all versions together.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// Returns the first and the last event time, both inclusive.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let spans = || self.parts.iter().filter_map(|part| part.span);
        Some((spans().map(|span| span.0).min()?, spans().map(|span| span.1).max()?))
    }

    /// Reads the rows of a time range, sorted by time; all rows of a table without a time column.
    ///
    /// # Errors
    /// If content is damaged.
    pub fn batches(&self, range: TimeRange) -> Result<Batches> {
        let parts: Vec<&Part> = self.parts_in(range);
        let Some(time) = self.time else {
            let parts: Vec<Part> = parts.into_iter().cloned().collect();
            return Ok(Batches::One(Box::new(self.chain(parts, range))));
        };
        let mut inputs: Vec<Chain> = self
            .chains_of(&parts)
            .into_iter()
            .map(|chain| self.chain(chain.into_iter().map(|index| parts[index].clone()).collect(), range))
            .collect();
        match inputs.len() {
            0 => Ok(Batches::One(Box::new(self.chain(Vec::new(), range)))),
            1 => Ok(Batches::One(Box::new(inputs.remove(0)))),
            _ => Ok(Batches::Many(Box::new(Merge::new(inputs, time, |chain, _| chain.place)?))),
        }
    }

    /// Returns the versions that have rows in a range, oldest first.
    pub(super) fn parts_in(&self, range: TimeRange) -> Vec<&Part> {
        let touches = |span: Option<(i64, i64)>| span.is_none_or(|(a, b)| range.touches(a, b));
        self.parts.iter().filter(|part| touches(part.span) || !plants::prunes()).collect()
    }

    /// Puts parts into chains of consecutive time; indices into `parts`.
    pub(super) fn chains_of(&self, parts: &[&Part]) -> Vec<Vec<usize>> {
        let spans: Vec<_> = parts.iter().map(|part| part.span.unwrap_or((i64::MIN, i64::MAX))).collect();
        chains(&spans)
    }

    pub(crate) fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    fn chain(&self, parts: Vec<Part>, range: TimeRange) -> Chain {
        Chain {
            schema: Arc::clone(&self.schema),
            time: self.time.map(|time| (time, self.schema.field(time).name().clone())),
            range,
            recorder: Arc::clone(&self.recorder),
            caches: Arc::clone(&self.caches),
            parts: parts.into_iter(),
            place: 0,
            open: None,
        }
    }
}

/// The rows of a series in time order.
#[derive(Debug)]
pub enum Batches {
    /// Versions that follow each other.
    One(Box<Chain>),
    /// Versions that overlap.
    Many(Box<Merge<Chain>>),
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(chain) => chain.next(),
            Self::Many(merge) => merge.next(),
        }
    }
}

/// Reads versions one after the other, in the united schema.
pub struct Chain {
    schema: SchemaRef,
    time: Option<(usize, String)>,
    range: TimeRange,
    recorder: Arc<Recorder>,
    caches: Arc<SeriesCaches>,
    parts: vec::IntoIter<Part>,
    /// The place of the version that is open.
    place: usize,
    open: Option<ParquetRecordBatchReader>,
}

impl Chain {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let recorder = Arc::clone(&self.recorder);
        let _stage = recorder.stage(Stage::ParquetRead);
        loop {
            let Some(reader) = &mut self.open else {
                let Some(part) = self.parts.next() else { return Ok(None) };
                self.place = part.place;
                self.open = Some(self.open_part(&part)?);
                continue;
            };
            match reader.next().transpose()? {
                None => self.open = None,
                Some(batch) => {
                    recorder.count(Counter::RowsRead, batch.num_rows() as u64);
                    let batch = self.within_range(adapt(&batch, &self.schema)?)?;
                    if batch.num_rows() > 0 {
                        return Ok(Some(batch));
                    }
                }
            }
        }
    }

    /// Opens a version, and leaves out the row groups outside the range.
    fn open_part(&self, part: &Part) -> Result<ParquetRecordBatchReader> {
        let content = part.content.reopened();
        let footer = self.caches.footer(&content, false)?;
        let touches = |group| match &self.time {
            Some((_, name)) => span(group, name).is_none_or(|(first, last)| self.range.touches(first, last)),
            None => true,
        };
        let groups: Vec<usize> = footer
            .row_groups()
            .iter()
            .enumerate()
            .filter(|(_, group)| touches(group))
            .map(|(index, _)| index)
            .collect();
        self.recorder.count(Counter::RowGroupsRead, groups.len() as u64);
        let metadata = ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::new())?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(content, metadata);
        Ok(builder.with_row_groups(groups).with_batch_size(BATCH_ROWS).build()?)
    }

    fn within_range(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some((time, name)) = self.time.as_ref().filter(|_| !self.range.is_all()) else {
            return Ok(batch);
        };
        let times = time_values(batch.column(*time)).ok_or_else(|| Error::Damaged {
            place: format!("column '{name}'"),
            detail: "it holds no times".to_owned(),
        })?;
        let from = self.range.start_us.map_or(0, |start| times.partition_point(|at| *at < start));
        let to = self.range.end_us.map_or(times.len(), |end| times.partition_point(|at| *at < end));
        Ok(batch.slice(from, to.saturating_sub(from)))
    }
}

impl Iterator for Chain {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({} versions left)", self.parts.len())
    }
}

/// Brings a version's batch into the united schema: by name, missing columns as nulls.
fn adapt(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref().fields() == schema.fields() {
        return Ok(batch.clone());
    }
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            None => new_null_array(field.data_type(), batch.num_rows()),
            Some(column) if column.data_type() == field.data_type() => Arc::clone(column),
            Some(column) if column.null_count() == column.len() => {
                new_null_array(field.data_type(), batch.num_rows())
            }
            Some(column) => cast(column, field.data_type())?,
        });
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Unites the schemas of all versions; neighbours that share their bytes are decoded once.
fn united(path: &str, versions: &[&Version], caches: &SeriesCaches) -> Result<NodeColumns> {
    let damaged = |detail: String| Error::Damaged { place: path.to_owned(), detail };
    let mut schema: Option<SchemaRef> = None;
    let mut last: Option<&Arc<[u8]>> = None;
    let mut own: Vec<SchemaRef> = Vec::with_capacity(versions.len());
    let mut time_column = None;
    for version in versions {
        let bytes = version
            .schema
            .as_ref()
            .ok_or_else(|| damaged(format!("version {} has no schema", version.number)))?;
        time_column = version.time_column.as_ref().or(time_column);
        if last == Some(bytes)
            && let Some(before) = own.last()
        {
            own.push(Arc::clone(before));
            continue;
        }
        last = Some(bytes);
        let next = caches.decoded(bytes)?;
        own.push(Arc::clone(&next));
        schema = Some(match schema {
            None => next,
            Some(before) if Arc::ptr_eq(&before, &next) => before,
            Some(before) => Arc::new(unite(&before, &next).map_err(|(column, a, b)| {
                damaged(format!("column '{column}' is {a} in one version and {b} in another"))
            })?),
        });
    }
    let schema = schema.unwrap_or_else(|| Arc::new(Schema::empty()));
    let time = match time_column {
        None => None,
        Some(name) => Some(schema.index_of(name).map_err(|_| damaged(format!("it has no column '{name}'")))?),
    };
    let same = own.iter().map(|one| Arc::ptr_eq(one, &schema) || *one == schema).collect();
    Ok(NodeColumns { schema, time, same })
}

/// Weighs columns for their cache.
fn weight(columns: &NodeColumns) -> usize {
    columns.schema.fields().size() + columns.same.len()
}
