//! What is kept of series between uses: their columns, and decoded footers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use scenarios::Stage;

use super::schema::decode_schema;
use crate::cache::{Cache, CacheOptions, DiskCache};
use crate::error::Result;
use crate::log::{Content, Digest};
use crate::metrics::{Counter, Recorder};
use crate::plants;
use crate::tree::NodeId;

/// Raised when footers are kept on disk in another way.
const FOOTER_ENCODING: u8 = 1;

/// A stored node as of one of its versions: versions are only ever added, so their number says it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeVersion {
    /// The node.
    pub node: NodeId,
    /// How many versions it has.
    pub versions: u64,
}

/// The columns of all versions of a node together.
#[derive(Clone, Debug)]
pub(crate) struct NodeColumns {
    pub schema: SchemaRef,
    /// The index of the time column.
    pub time: Option<usize>,
    /// For each version that counts, whether it has these columns as they are.
    pub same: Arc<[bool]>,
}

/// The schemas that versions name, decoded: versions with the same bytes share one.
#[derive(Debug, Default)]
struct Decoded(Mutex<HashMap<Arc<[u8]>, SchemaRef>>);

/// The caches of one pond handle that know of series.
#[derive(Debug)]
pub(crate) struct SeriesCaches {
    pub schemas: Cache<NodeVersion, NodeColumns>,
    /// What is shared among the entries of `schemas`; nothing if none are kept.
    decoded: Option<Decoded>,
    /// By digest of the content, and by whether the page index was asked for.
    footers: Cache<(Digest, bool), Arc<ParquetMetaData>>,
    /// Footers kept between processes.
    disk: Option<DiskCache>,
    recorder: Arc<Recorder>,
}

impl SeriesCaches {
    pub(crate) fn new(
        schemas: CacheOptions,
        footers: CacheOptions,
        disk: Option<DiskCache>,
        recorder: Arc<Recorder>,
    ) -> Self {
        Self {
            decoded: schemas.enabled.then(Decoded::default),
            schemas: Cache::new("schema", schemas),
            footers: Cache::new("footer", footers),
            disk,
            recorder,
        }
    }

    /// Decodes the schema of a version.
    ///
    /// # Errors
    /// If the bytes are no schema.
    pub(super) fn decoded(&self, bytes: &Arc<[u8]>) -> Result<SchemaRef> {
        let Some(Decoded(known)) = &self.decoded else { return decode_schema(bytes) };
        let mut known = known.lock().expect("no thread panics while it holds the schemas");
        if let Some(schema) = known.get(bytes) {
            return Ok(Arc::clone(schema));
        }
        let schema = decode_schema(bytes)?;
        known.insert(Arc::clone(bytes), Arc::clone(&schema));
        Ok(schema)
    }

    /// Returns the cache of footers, for its counters.
    pub(crate) fn footers(&self) -> &Cache<(Digest, bool), Arc<ParquetMetaData>> {
        &self.footers
    }

    /// Returns the footer of some content, decoded; with the page index if it is asked for and there.
    ///
    /// # Errors
    /// If the content is damaged.
    pub(crate) fn footer(&self, content: &Content, page_index: bool) -> Result<Arc<ParquetMetaData>> {
        let weigh = |footer: &Arc<ParquetMetaData>| footer.memory_size();
        self.footers.get_or_try((content.digest(), page_index), weigh, || self.read(content, page_index))
    }

    fn read(&self, content: &Content, page_index: bool) -> Result<Arc<ParquetMetaData>> {
        let _stage = self.recorder.stage(Stage::ParquetRead);
        let policy = if page_index { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let mut key = content.digest().0.to_vec();
        key.extend([FOOTER_ENCODING, u8::from(page_index)]);
        if let Some(bytes) = self.disk.as_ref().and_then(|disk| disk.get(&key)) {
            let kept =
                ParquetMetaDataReader::new().with_page_index_policy(policy).parse_and_finish(&bytes)?;
            return Ok(Arc::new(kept));
        }
        for _ in 1..plants::footer_reads() {
            self.recorder.count(Counter::FootersRead, 1);
            ParquetMetaDataReader::new().with_page_index_policy(policy).parse_and_finish(content)?;
        }
        self.recorder.count(Counter::FootersRead, 1);
        let footer = ParquetMetaDataReader::new().with_page_index_policy(policy).parse_and_finish(content)?;
        if let Some(disk) = &self.disk {
            let mut bytes = Vec::new();
            ParquetMetaDataWriter::new(&mut bytes, &footer).finish()?;
            disk.put(&key, &bytes);
        }
        Ok(Arc::new(footer))
    }
}
