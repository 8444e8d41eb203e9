//! A series as a DataFusion table: Parquet scans over pond content, sorted, pruned by event time.
//!
//! Versions that follow each other in time form one file group, so a group is sorted from end to end and
//! its order is declared to the planner. Versions outside a filter's time range are left out before the
//! plan is built. Delta's own scan would declare no order (see docs/ARCHITECTURE.md).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result as PlanResult, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricBuilder;
use scenarios::Stage;

use super::chain::chains;
use super::content_reader::ContentFactory;
use super::pruning::{passing, range_of};
use super::reader::{Part, Series, TimeRange};
use crate::metrics::Counter;

/// The address under which scans look for their store; content is read past it.
const STORE_URL: &str = "pond://content/";

/// Metrics of a scan: versions left out by their time bounds, and versions in it, both labelled with the path.
pub(crate) const FILES_PRUNED: &str = "pond_files_pruned";
pub(crate) const FILES_SCANNED: &str = "pond_files_scanned";
pub(crate) const PATH_LABEL: &str = "path";

/// A table or series for the planner, or several of them as one: all columns by name, and what tells them apart.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    members: Vec<Member>,
    /// The columns that hold what the members were captured by; they come first.
    labels: Vec<FieldRef>,
    /// The stored columns of all members together.
    columns: SchemaRef,
    /// The labels, then the stored columns.
    schema: SchemaRef,
    /// The index of the time column among the stored columns, if all members have the same.
    time: Option<usize>,
}

/// One of the series of a table.
#[derive(Clone, Debug)]
struct Member {
    series: Series,
    /// The value of each label.
    captures: Vec<String>,
}

/// A version of a member.
#[derive(Clone, Copy)]
struct Stored<'a> {
    member: &'a Member,
    part: &'a Part,
}

impl SeriesTable {
    /// Makes a table of a series.
    pub(crate) fn new(series: Series) -> Self {
        let recorder = Arc::clone(series.recorder());
        let _stage = recorder.stage(Stage::ProviderCreation);
        recorder.count(Counter::ProvidersBuilt, 1);
        let columns = Arc::clone(series.schema());
        let (schema, time) = (Arc::clone(&columns), series.time());
        let member = Member { series, captures: Vec::new() };
        Self { members: vec![member], labels: Vec::new(), columns, schema, time }
    }

    /// Makes one table of several, each with its captures; nothing if one of them is no stored series.
    ///
    /// One scan reads them all. A plan for each, united, would cost planning and a stream for each.
    /// `columns` are those of all tables, united; each capture is the value of the label in its place.
    pub(crate) fn united<'a>(
        tables: impl IntoIterator<Item = (&'a dyn TableProvider, &'a [String])>,
        labels: &[String],
        columns: SchemaRef,
    ) -> Option<Self> {
        let mut members = Vec::new();
        for (table, captures) in tables {
            let [one] = table.downcast_ref::<Self>()?.members.as_slice() else { return None };
            let captures = captures.iter().take(labels.len()).cloned().collect();
            members.push(Member { series: one.series.clone(), captures });
        }
        let labels: Vec<FieldRef> =
            labels.iter().map(|label| Arc::new(Field::new(label, DataType::Utf8, false))).collect();
        let time = members.first()?.time_in(&columns);
        let time = time.filter(|_| members.iter().all(|member| member.time_in(&columns) == time));
        let fields: Fields = labels.iter().chain(columns.fields()).cloned().collect();
        Some(Self { members, labels, schema: Arc::new(Schema::new(fields)), columns, time })
    }

    /// Returns the members that the filters let pass, as far as their captures tell.
    fn members_in(&self, state: &dyn Session, filters: &[Expr]) -> PlanResult<Vec<&Member>> {
        let captures = |label: usize| self.members.iter().map(move |member| member.captures[label].as_str());
        let kept = passing(state, filters, &self.labels, self.members.len(), captures)?;
        Ok(self.members.iter().zip(kept).filter(|(_, kept)| *kept).map(|(member, _)| member).collect())
    }

    fn file(&self, Stored { member, part }: Stored<'_>) -> PartitionedFile {
        let path = part.content.digest().to_string();
        let mut columns: Vec<ColumnStatistics> =
            self.columns.fields().iter().map(|_| ColumnStatistics::new_unknown()).collect();
        if let (Some(time), Some((first, last))) = (member.time_in(&self.columns), part.span) {
            let scalar = |us| ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
            columns[time].min_value = Precision::Exact(scalar(first));
            columns[time].max_value = Precision::Exact(scalar(last));
            columns[time].null_count = Precision::Exact(0);
        }
        let statistics = Statistics {
            num_rows: Precision::Exact(part.rows as usize),
            total_byte_size: Precision::Absent,
            column_statistics: columns,
        };
        let captures = member.captures.iter().map(|capture| ScalarValue::from(capture.as_str()));
        PartitionedFile::new(path, part.content.size())
            .with_partition_values(captures.collect())
            .with_statistics(Arc::new(statistics))
    }

    /// Returns the order of the rows, for a scan or a sort.
    fn ordering(&self) -> Option<LexOrdering> {
        let time = self.time?;
        let column = Column::new(self.columns.field(time).name(), time);
        LexOrdering::new([PhysicalSortExpr::new(
            Arc::new(column),
            arrow::compute::SortOptions::new(false, false),
        )])
    }

    /// Says in words what is scanned.
    fn title(&self) -> String {
        match self.members.as_slice() {
            [one] => one.series.path().to_owned(),
            [first, others @ ..] => format!("{} and {} more", first.series.path(), others.len()),
            [] => String::new(),
        }
    }

    /// Returns the columns to read, of the stored columns with the labels after them.
    fn stored_projection(&self, projection: Option<&Vec<usize>>) -> Option<Vec<usize>> {
        let (labels, columns) = (self.labels.len(), self.columns.fields().len());
        if labels == 0 {
            return projection.cloned();
        }
        let stored = |index: usize| if index < labels { columns + index } else { index - labels };
        Some(match projection {
            Some(wanted) => wanted.iter().copied().map(stored).collect(),
            None => (0..labels + columns).map(stored).collect(),
        })
    }
}

impl Member {
    /// Returns the index of its time column among `columns`, if it is of the same type there.
    fn time_in(&self, columns: &Schema) -> Option<usize> {
        let own = self.series.schema().field(self.series.time()?);
        let index = columns.index_of(own.name()).ok()?;
        (columns.field(index).data_type() == own.data_type()).then_some(index)
    }

    /// Returns the versions that have a row which the filters let pass, as far as times tell.
    fn parts_in(&self, filters: &[Expr], columns: &Schema) -> Vec<&Part> {
        let time = self.time_in(columns).map(|time| columns.field(time).name());
        self.series.parts_in(time.map_or_else(TimeRange::default, |time| range_of(filters, time)))
    }
}

#[async_trait]
impl TableProvider for SeriesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let members = self.members_in(state, filters)?;
        let parts = |member| Member::parts_in(member, filters, &self.columns);
        let stored: Vec<Stored<'_>> = members
            .into_iter()
            .flat_map(|member| parts(member).into_iter().map(move |part| Stored { member, part }))
            .collect();
        let spans: Vec<_> = stored.iter().map(|one| one.part.span.unwrap_or((i64::MIN, i64::MAX))).collect();
        let group = |chain: Vec<usize>| chain.into_iter().map(|index| self.file(stored[index])).collect();
        let mut groups: Vec<FileGroup> = chains(&spans).into_iter().map(group).map(FileGroup::new).collect();
        if groups.is_empty() {
            // A scan without partitions cannot be sorted.
            groups.push(FileGroup::default());
        }
        let contents = stored.iter().map(|one| &one.part.content);
        let first = &self.members[0].series;
        let factory = ContentFactory::new(contents, &first.caches, first.recorder());
        let table = TableSchema::builder(Arc::clone(&self.columns))
            .with_table_partition_cols(self.labels.clone())
            .build();
        let mut expected = Statistics::new_unknown(table.table_schema());
        // Not as a certainty, which would be an answer by itself.
        let rows: u64 = stored.iter().map(|one| one.part.rows).sum();
        expected.num_rows = Precision::Inexact(rows as usize);
        let source = ParquetSource::new(table)
            .with_pushdown_filters(true)
            // Stored files have no Bloom filters, and the search for them would open each file twice.
            .with_bloom_filter_on_read(false)
            .with_parquet_file_reader_factory(Arc::new(factory));
        // The scan says itself what it left out, so that any plan with it can be analysed.
        let label = || MetricBuilder::new(source.metrics()).with_new_label(PATH_LABEL, self.title());
        let all: usize = self.members.iter().map(|member| member.series.parts.len()).sum();
        label().global_counter(FILES_PRUNED).add(all - stored.len());
        label().global_counter(FILES_SCANNED).add(stored.len());
        first.recorder().count(Counter::VersionsScanned, stored.len() as u64);
        let url = ObjectStoreUrl::parse(STORE_URL)?;
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(expected)
            .with_output_ordering(self.ordering().into_iter().collect())
            .with_projection_indices(self.stored_projection(projection))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        // The scan leaves out versions, row groups and pages; the filter above it stays.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let rows: u64 = self.members.iter().map(|member| member.series.rows()).sum();
        statistics.num_rows = Precision::Exact(rows as usize);
        Some(statistics)
    }
}
