//! An object store that counts: every request and byte of the Delta log, by class.
//!
//! Counts requests where they reach the store, so coalescing by callers is seen as it is. Ranges stay
//! true ranges, `last_modified` and `e_tag` are the file system's own and stable. Writes are flushed to
//! the device before they are acknowledged: a committed transaction survives a power cut.

mod class;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

pub(crate) use class::Class;

use crate::metrics::{Counter, Recorder};

/// The local file system from its root, counted.
pub(crate) struct CountingStore {
    inner: LocalFileSystem,
    recorder: Arc<Recorder>,
}

impl CountingStore {
    /// Makes a store over the root of the local file system.
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self { inner: LocalFileSystem::new(), recorder }
    }

    fn note(&self, class: Class, location: &Path, range: Range<u64>) {
        let (requests, moved) = class.counters();
        self.recorder.count(requests, 1);
        if let Some(moved) = moved {
            self.recorder.count(moved, range.end - range.start);
        }
        self.recorder.request(class.name(), || self.file(location), range);
    }

    fn note_list(&self, prefix: Option<&Path>) {
        self.recorder.count(Counter::StoreListRequests, 1);
        self.recorder.request("list", || prefix.map_or_else(PathBuf::new, |prefix| self.file(prefix)), 0..0);
    }

    /// Returns the place of an object in the file system; its own name if it can have none.
    fn file(&self, location: &Path) -> PathBuf {
        self.inner.path_to_filesystem(location).unwrap_or_else(|_| PathBuf::from(location.to_string()))
    }

    /// Flushes a file that was just written, and its folder's entry for it.
    fn sync(&self, location: &Path) -> Result<()> {
        let path = self.inner.path_to_filesystem(location)?;
        let flush = || -> std::io::Result<()> {
            std::fs::File::open(&path)?.sync_all()?;
            match path.parent() {
                Some(folder) => std::fs::File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        flush().map_err(|source| object_store::Error::Generic { store: "local", source: source.into() })
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.note(Class::of(location), location, 0..payload.content_length() as u64);
        let result = self.inner.put_opts(location, payload, options).await?;
        self.sync(location)?;
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.note(Class::of(location), location, 0..0);
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let result = self.inner.get_opts(location, options).await?;
        let moved = if head { 0..0 } else { result.range.clone() };
        let class = match Class::of(location) {
            Class::Data if !head && result.range.start > 0 && result.range.end == result.meta.size => {
                Class::Footer
            }
            class => class,
        };
        self.note(class, location, moved);
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let class = Class::of(location);
        for range in ranges {
            self.note(class, location, range.clone());
        }
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let recorder = Arc::clone(&self.recorder);
        let counted = locations.inspect(move |_| recorder.count(Counter::StoreOtherRequests, 1));
        self.inner.delete_stream(counted.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note_list(prefix);
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note_list(prefix);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.note_list(prefix);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.recorder.count(Counter::StoreOtherRequests, 1);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.recorder.count(Counter::StoreOtherRequests, 1);
        self.inner.rename_opts(from, to, options).await
    }
}

impl fmt::Debug for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore")
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingStore(file:///)")
    }
}
