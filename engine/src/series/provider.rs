//! A series as a DataFusion table: Parquet scans over pond content, sorted, pruned by event time.
//!
//! Versions that follow each other in time form one file group, so a group is sorted from end to end and
//! its order is declared to the planner. Versions outside a filter's time range are left out before the
//! plan is built. Delta's own scan would declare no order (see docs/ARCHITECTURE.md).

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result as PlanResult, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use scenarios::Stage;

use super::caches::SeriesCaches;
use super::reader::{Part, Series, TimeRange};
use crate::log::Content;
use crate::metrics::{Counter, Recorder};

/// The address under which scans look for their store; content is read past it.
const STORE_URL: &str = "pond://content/";

/// Metrics of a scan: versions left out by their time bounds, and versions in it, both labelled with the path.
pub(crate) const FILES_PRUNED: &str = "pond_files_pruned";
pub(crate) const FILES_SCANNED: &str = "pond_files_scanned";
pub(crate) const PATH_LABEL: &str = "path";

/// DataFusion's name for the bytes that readers of a scan ask for.
pub(crate) const BYTES_SCANNED: &str = "bytes_scanned";

/// A table or series for the planner.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    series: Series,
}

impl SeriesTable {
    /// Makes a table of a series.
    pub(crate) fn new(series: Series) -> Self {
        let recorder = Arc::clone(series.recorder());
        let _stage = recorder.stage(Stage::ProviderCreation);
        recorder.count(Counter::ProvidersBuilt, 1);
        Self { series }
    }

    fn file(&self, part: &Part) -> PartitionedFile {
        let path = part.content.digest().to_string();
        let mut columns: Vec<ColumnStatistics> =
            self.series.schema().fields().iter().map(|_| ColumnStatistics::new_unknown()).collect();
        if let (Some(time), Some((first, last))) = (self.series.time(), part.span) {
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
        PartitionedFile::new(path, part.content.size()).with_statistics(Arc::new(statistics))
    }

    /// Returns what the planner may expect of versions; not as a certainty, which would be an answer by itself.
    fn expected(&self, parts: &[&Part]) -> Statistics {
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        let mut statistics = Statistics::new_unknown(self.series.schema());
        statistics.num_rows = Precision::Inexact(rows as usize);
        statistics
    }

    /// Returns the order of the rows, for a scan or a sort.
    fn ordering(&self) -> Option<LexOrdering> {
        let time = self.series.time()?;
        let column = Column::new(self.series.schema().field(time).name(), time);
        LexOrdering::new([PhysicalSortExpr::new(
            Arc::new(column),
            arrow::compute::SortOptions::new(false, false),
        )])
    }

    /// Returns the time range outside which the filters let no row pass.
    fn range(&self, filters: &[Expr]) -> TimeRange {
        let mut range = TimeRange::default();
        if let Some(time) = self.series.time() {
            let name = self.series.schema().field(time).name();
            filters.iter().for_each(|filter| narrow(&mut range, filter, name));
        }
        range
    }
}

#[async_trait]
impl TableProvider for SeriesTable {
    fn schema(&self) -> arrow::datatypes::SchemaRef {
        Arc::clone(self.series.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let parts = self.series.parts_in(self.range(filters));
        let mut contents = HashMap::new();
        let mut groups = Vec::new();
        for chain in self.series.chains_of(&parts) {
            let mut files = Vec::new();
            for index in chain {
                let file = self.file(parts[index]);
                contents.insert(file.object_meta.location.to_string(), parts[index].content.clone());
                files.push(file);
            }
            groups.push(FileGroup::new(files));
        }
        let factory = ContentFactory {
            contents,
            caches: Arc::clone(&self.series.caches),
            recorder: Arc::clone(self.series.recorder()),
        };
        let files: usize = groups.iter().map(FileGroup::len).sum();
        let source = ParquetSource::new(Arc::clone(self.series.schema()))
            .with_pushdown_filters(true)
            // Stored files have no Bloom filters, and the search for them would open each file twice.
            .with_bloom_filter_on_read(false)
            .with_parquet_file_reader_factory(Arc::new(factory));
        // The scan says itself what it left out, so that any plan with it can be analysed.
        let label =
            || MetricBuilder::new(source.metrics()).with_new_label(PATH_LABEL, self.series.path().to_owned());
        label().global_counter(FILES_PRUNED).add(self.series.parts_in(TimeRange::default()).len() - files);
        label().global_counter(FILES_SCANNED).add(files);
        let url = ObjectStoreUrl::parse(STORE_URL)?;
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(self.expected(&parts))
            .with_output_ordering(self.ordering().into_iter().collect())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        // The scan leaves out versions, row groups and pages; the filter above it stays.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(self.series.schema());
        statistics.num_rows = Precision::Exact(self.series.rows() as usize);
        Some(statistics)
    }
}

/// Narrows a range by a comparison of the time column with a timestamp; other filters change nothing.
fn narrow(range: &mut TimeRange, filter: &Expr, time: &str) {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return };
    if *op == Operator::And {
        narrow(range, left, time);
        narrow(range, right, time);
        return;
    }
    let (at, op) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) if column.name == time => (micros(value), Some(*op)),
        (Expr::Literal(value, _), Expr::Column(column)) if column.name == time => (micros(value), op.swap()),
        _ => return,
    };
    let (Some(at), Some(op)) = (at, op) else { return };
    let later_start = |start: i64| Some(range.start_us.map_or(start, |old| old.max(start)));
    let earlier_end = |end: i64| Some(range.end_us.map_or(end, |old| old.min(end)));
    match op {
        Operator::GtEq => range.start_us = later_start(at),
        Operator::Gt => range.start_us = later_start(at.saturating_add(1)),
        Operator::Lt => range.end_us = earlier_end(at),
        Operator::LtEq => range.end_us = earlier_end(at.saturating_add(1)),
        Operator::Eq => {
            (range.start_us, range.end_us) = (later_start(at), earlier_end(at.saturating_add(1)));
        }
        _ => {}
    }
}

/// Returns a literal as microseconds, if it is a time that microseconds can hold exactly.
fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampMicrosecond(Some(us), _) => Some(*us),
        ScalarValue::TimestampMillisecond(Some(ms), _) => ms.checked_mul(1000),
        ScalarValue::TimestampSecond(Some(s), _) => s.checked_mul(1_000_000),
        ScalarValue::TimestampNanosecond(Some(ns), _) if ns % 1000 == 0 => Some(ns / 1000),
        _ => None,
    }
}

/// Gives scans their readers, by the digest in the file's name.
struct ContentFactory {
    contents: HashMap<String, Content>,
    caches: Arc<SeriesCaches>,
    recorder: Arc<Recorder>,
}

impl fmt::Debug for ContentFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentFactory({} files)", self.contents.len())
    }
}

impl ParquetFileReaderFactory for ContentFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> PlanResult<Box<dyn AsyncFileReader + Send>> {
        let path = file.object_meta.location.to_string();
        let content = self
            .contents
            .get(&path)
            .ok_or_else(|| DataFusionError::Internal(format!("no content {path} in this scan")))?;
        let (content, caches) = (content.reopened(), Arc::clone(&self.caches));
        let scanned = MetricBuilder::new(metrics).counter(BYTES_SCANNED, partition_index);
        let recorder = Arc::clone(&self.recorder);
        Ok(Box::new(ContentAsync { content, caches, recorder, scanned }))
    }
}

/// Reads content for an asynchronous scan; the reads themselves are short and local.
struct ContentAsync {
    content: Content,
    caches: Arc<SeriesCaches>,
    recorder: Arc<Recorder>,
    /// The scan's count of bytes, which its reader keeps.
    scanned: Count,
}

impl AsyncFileReader for ContentAsync {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let _stage = self.recorder.stage(Stage::ParquetRead);
        self.scanned.add((range.end - range.start) as usize);
        let read = self.content.read(range).map_err(|error| ParquetError::External(Box::new(error)));
        async move { read }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let page_index =
            options.is_some_and(|options| options.column_index_policy() != PageIndexPolicy::Skip);
        let footer = self.caches.footer(&self.content, page_index);
        let footer = footer.map_err(|error| ParquetError::External(Box::new(error)));
        async move { footer }.boxed()
    }
}
