//! An object store that counts: every request and byte of the Delta log, by class.
//!
//! Counts requests where they reach the store, so coalescing by callers is seen as it is, and those that failed, of
//! which "it is not there" and "it is there already" are none: they answer the question. Ranges stay
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
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

pub(crate) use class::Class;

use crate::metrics::{Counter, Recorder};
use crate::plants;

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

    /// Notes the error of a request, if it failed.
    fn told<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|error| note_error(&self.recorder, error))
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
        flush().map_err(|source| Error::Generic { store: "local", source: source.into() })
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.note(Class::of(location), location, 0..payload.content_length() as u64);
        let result = self.told(self.inner.put_opts(location, payload, options).await)?;
        self.told(self.sync(location))?;
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.note(Class::of(location), location, 0..0);
        self.told(self.inner.put_multipart_opts(location, options).await)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        if plants::asks_again() {
            self.inner.get_opts(location, GetOptions { head: true, ..GetOptions::default() }).await?;
            self.note(Class::of(location), location, 0..0);
        }
        let result = self.told(self.inner.get_opts(location, options).await)?;
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
        self.told(self.inner.get_ranges(location, ranges).await)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let recorder = Arc::clone(&self.recorder);
        let counted = locations.inspect(move |_| recorder.count(Counter::StoreOtherRequests, 1));
        noted(&self.recorder, self.inner.delete_stream(counted.boxed()))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note_list(prefix);
        noted(&self.recorder, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note_list(prefix);
        noted(&self.recorder, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.note_list(prefix);
        self.told(self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.recorder.count(Counter::StoreOtherRequests, 1);
        self.told(self.inner.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.recorder.count(Counter::StoreOtherRequests, 1);
        self.told(self.inner.rename_opts(from, to, options).await)
    }
}

/// Notes the errors of a stream of answers as they come.
fn noted<T: Send + 'static>(
    recorder: &Arc<Recorder>,
    answers: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    let recorder = Arc::clone(recorder);
    let note = move |answer: &Result<T>| {
        if let Err(error) = answer {
            note_error(&recorder, error);
        }
    };
    answers.inspect(note).boxed()
}

fn note_error(recorder: &Recorder, error: &Error) {
    let is_answer = matches!(
        error,
        Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Precondition { .. }
            | Error::NotModified { .. }
    );
    if !is_answer {
        recorder.store_error();
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

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[test]
    fn requests_that_fail_are_counted_apart_from_answers() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::default());
        let store = CountingStore::new(Arc::clone(&recorder));
        let at =
            |name: &str| Path::from_absolute_path(folder.path().canonicalize().unwrap().join(name)).unwrap();
        let put = async |name: &str| store.put(&at(name), PutPayload::from_static(b"bytes")).await;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            put("file").await.unwrap();
            store.get(&at("absent")).await.unwrap_err();
            let create = PutOptions { mode: object_store::PutMode::Create, ..PutOptions::default() };
            store.put_opts(&at("file"), PutPayload::new(), create).await.unwrap_err();
            assert_eq!(recorder.store_errors(), 0, "both are answers");
            store.get_range(&at("file"), 9..12).await.unwrap_err();
            assert_eq!(recorder.store_errors(), 1, "there are no such bytes");
            put("file/below").await.unwrap_err();
            assert_eq!(recorder.store_errors(), 2, "a file is no folder");
        });
        let sent = recorder.totals().since(&crate::metrics::Totals::default());
        assert!(!sent.contains_key(scenarios::STORE_ERRORS), "samples of cells do not hold it");
    }
}
