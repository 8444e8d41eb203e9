//! Row groups as they are stored: the times they span, and copying them without decoding.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;

use super::reader::{Series, TimeRange};
use crate::error::Result;
use crate::log::Content;
use crate::metrics::Counter;
use crate::plants;

/// Groups with more rows may have several pages, so that their page index is worth reading.
const PAGE_ROWS: u64 = 20_000;

/// Versions whose content is kept open while groups are copied.
const OPEN_MAX: usize = 8;

/// A row group of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredGroup {
    /// The number of the version among those that count.
    part: usize,
    /// The number within its file.
    index: usize,
    pub rows: u64,
    /// First and last time, inclusive; nothing if there is no time column, or no statistics say it.
    pub span: Option<(i64, i64)>,
    /// Whether it has the series' columns as they are.
    pub same: bool,
}

/// The row groups of a series that touch a range.
pub(crate) struct StoredGroups<'a> {
    series: &'a Series,
    /// In order of their first time, then of their versions.
    groups: Vec<StoredGroup>,
    /// The footers of the versions; nothing for one that does not touch the range.
    footers: Vec<Option<Arc<ParquetMetaData>>>,
    contents: RefCell<VecDeque<(usize, Content)>>,
}

impl Series {
    /// Lists the row groups that touch a range; reads footers only.
    ///
    /// # Errors
    /// If content is damaged.
    pub(crate) fn stored_groups(&self, range: TimeRange) -> Result<StoredGroups<'_>> {
        let mut stored = StoredGroups {
            series: self,
            groups: Vec::new(),
            footers: vec![None; self.parts.len()],
            contents: RefCell::default(),
        };
        for (number, part) in self.parts.iter().enumerate() {
            if part.span.is_some_and(|(first, last)| plants::prunes() && !range.touches(first, last)) {
                continue;
            }
            let content = stored.content(number);
            let footer = self.caches.footer(&content, part.rows > PAGE_ROWS)?;
            for (index, group) in footer.row_groups().iter().enumerate() {
                let span = self.time().and_then(|time| span(group, self.schema().field(time).name()));
                if span.is_none_or(|(first, last)| range.touches(first, last)) {
                    let rows = group.num_rows().unsigned_abs();
                    stored.groups.push(StoredGroup { part: number, index, rows, span, same: part.same });
                }
            }
            stored.footers[number] = Some(footer);
        }
        stored.groups.sort_by_key(|group| (group.span, group.part, group.index));
        Ok(stored)
    }
}

impl StoredGroups<'_> {
    /// Returns the groups in order of their first time, then of their versions.
    pub(crate) fn groups(&self) -> &[StoredGroup] {
        &self.groups
    }

    /// Tells whether groups, put one after the other, are the series' rows in order and in its columns.
    pub(crate) fn follow_each_other(&self, groups: &[StoredGroup]) -> bool {
        let file = |group: &StoredGroup| {
            let footer = self.footers[group.part].as_ref().expect("a listed group has a footer");
            footer.file_metadata().schema_descr().root_schema()
        };
        let in_order = |pair: &[StoredGroup]| match (pair[0].span, pair[1].span) {
            // Rows of equal time come in the order of their versions.
            (Some((_, last)), Some((first, _))) => {
                last < first || (last == first && pair[0].part <= pair[1].part)
            }
            _ => pair[0].part <= pair[1].part,
        };
        groups.iter().all(|group| group.same && file(group) == file(&groups[0]))
            && groups.windows(2).all(in_order)
    }

    /// Writes groups as a file without decoding them; returns the sink and the rows.
    ///
    /// # Errors
    /// If content is damaged or the sink fails.
    pub(crate) fn copy<W: Write + Send>(&self, groups: &[StoredGroup], sink: W) -> Result<(W, u64)> {
        let first = groups.first().expect("a file holds at least one group");
        let footer = self.footer(first);
        let properties = WriterProperties::builder()
            .set_created_by("pondmark".to_owned())
            .set_key_value_metadata(footer.file_metadata().key_value_metadata().cloned())
            .set_offset_index_disabled(groups.iter().all(|group| group.rows <= PAGE_ROWS))
            .set_sorting_columns(sorting(&footer.row_groups()[first.index]))
            .build();
        let schema = footer.file_metadata().schema_descr().root_schema_ptr();
        let mut writer = SerializedFileWriter::new(sink, schema, Arc::new(properties))?;
        let mut rows = 0;
        for group in groups {
            let content = self.content(group.part);
            let footer = self.footer(group);
            let stored = &footer.row_groups()[group.index];
            let mut copied = writer.next_row_group()?;
            for (number, column) in stored.columns().iter().enumerate() {
                let close = ColumnCloseResult {
                    bytes_written: column.compressed_size().unsigned_abs(),
                    rows_written: group.rows,
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: footer.column_index().map(|all| all[group.index][number].clone()),
                    offset_index: footer.offset_index().map(|all| all[group.index][number].clone()),
                };
                copied.append_column(&content, close)?;
            }
            copied.close()?;
            rows += group.rows;
        }
        self.series.recorder().count(Counter::GroupsCopied, groups.len() as u64);
        Ok((writer.into_inner()?, rows))
    }

    fn footer(&self, group: &StoredGroup) -> &Arc<ParquetMetaData> {
        self.footers[group.part].as_ref().expect("a listed group has a footer")
    }

    /// Returns a handle to a version's content that keeps what it has read, and is shared by its groups.
    fn content(&self, part: usize) -> Content {
        let mut contents = self.contents.borrow_mut();
        if let Some((_, content)) = contents.iter().find(|(number, _)| *number == part) {
            return content.clone();
        }
        if contents.len() == OPEN_MAX {
            contents.pop_front();
        }
        let content = self.series.parts[part].content.reopened();
        contents.push_back((part, content.clone()));
        content
    }
}

/// Returns the order that a group declares.
fn sorting(group: &RowGroupMetaData) -> Option<Vec<SortingColumn>> {
    group.sorting_columns().cloned()
}

/// Returns the first and the last time of a group, if its statistics say them.
pub(super) fn span(group: &RowGroupMetaData, time: &str) -> Option<(i64, i64)> {
    let column = group.columns().iter().find(|column| column.column_path().string() == time)?;
    match column.statistics()? {
        Statistics::Int64(stats) if stats.min_is_exact() && stats.max_is_exact() => {
            Some((*stats.min_opt()?, *stats.max_opt()?))
        }
        _ => None,
    }
}

/// Returns the first and the last time of a file, if the statistics of its groups say them.
pub(crate) fn footer_span(footer: &ParquetMetaData, time: &str) -> Option<(i64, i64)> {
    let spans: Option<Vec<(i64, i64)>> = footer.row_groups().iter().map(|group| span(group, time)).collect();
    let spans = spans?;
    Some((spans.iter().map(|span| span.0).min()?, spans.iter().map(|span| span.1).max()?))
}
