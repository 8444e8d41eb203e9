//! How scans read the content of a pond: past DataFusion's object store, counted.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result as PlanResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use scenarios::Stage;

use super::caches::SeriesCaches;
use crate::log::Content;
use crate::metrics::Recorder;

/// DataFusion's name for the bytes that readers of a scan ask for.
pub(crate) const BYTES_SCANNED: &str = "bytes_scanned";

/// Gives scans their readers, by the digest in the file's name.
pub(super) struct ContentFactory {
    contents: HashMap<String, Content>,
    caches: Arc<SeriesCaches>,
    recorder: Arc<Recorder>,
}

impl ContentFactory {
    /// Makes a factory of the readers of some content.
    pub(super) fn new<'a>(
        contents: impl IntoIterator<Item = &'a Content>,
        caches: &Arc<SeriesCaches>,
        recorder: &Arc<Recorder>,
    ) -> Self {
        let named = |content: &Content| (content.digest().to_string(), content.clone());
        Self {
            contents: contents.into_iter().map(named).collect(),
            caches: Arc::clone(caches),
            recorder: Arc::clone(recorder),
        }
    }
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
