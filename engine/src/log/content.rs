//! Content: immutable bytes, named by their digest and checked on every read.
//!
//! Small content lives in the log, larger content in a file of its own. The log keeps the BLAKE3 digest
//! of the whole and of each chunk of [`CHUNK_BYTES`], so a range can be checked without reading the rest:
//! no byte reaches a decoder unchecked.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tempfile::NamedTempFile;

use super::files::EntryFile;
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};

/// Bytes that share one digest.
pub(super) const CHUNK_BYTES: u64 = 256 * 1024;

/// Bytes kept of each chunk's digest.
const CHUNK_DIGEST_BYTES: usize = 16;

/// Content up to this size is read whole at the first touch, and kept while its handle lives.
const WHOLE_BYTES_MAX: u64 = 4 * CHUNK_BYTES;

/// Bytes at the end of a Parquet file that say where its footer is: whoever decodes a footer asks for them.
const FOOTER_END_BYTES: u64 = 8;

/// The BLAKE3 digest of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Where content is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a row of an entry file of the log.
    Inline { file: Arc<EntryFile>, row: u64 },
    /// In a file of its own; with the digests of its chunks.
    File { path: PathBuf, chunks: Arc<[u8]> },
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Inline { file, .. } => file.path(),
            Self::File { path, .. } => path,
        }
    }
}

/// A handle to stored content.
#[derive(Clone)]
pub struct Content {
    shared: Arc<Shared>,
}

struct Shared {
    size: u64,
    digest: Digest,
    place: Place,
    recorder: Arc<Recorder>,
    opened: OnceLock<File>,
    whole: OnceLock<Bytes>,
}

impl Content {
    pub(super) fn new(size: u64, digest: Digest, place: Place, recorder: Arc<Recorder>) -> Self {
        let shared =
            Shared { size, digest, place, recorder, opened: OnceLock::new(), whole: OnceLock::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Returns a handle of its own to the same content: what it reads is kept only while it lives.
    pub(crate) fn reopened(&self) -> Self {
        let shared = &self.shared;
        Self::new(shared.size, shared.digest, shared.place.clone(), Arc::clone(&shared.recorder))
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.shared.size
    }

    /// Returns the digest of the whole.
    pub fn digest(&self) -> Digest {
        self.shared.digest
    }

    /// Reads a range, checked.
    ///
    /// # Errors
    /// If the content cannot be read or is not what was written.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let shared = &self.shared;
        if range.start > range.end || range.end > shared.size {
            return Err(self.damaged(format!("bytes {range:?} asked of {}", shared.size)));
        }
        if range.end == shared.size && range.end - range.start == FOOTER_END_BYTES {
            shared.recorder.footer("content", || shared.place.path().to_owned());
        }
        if shared.size <= WHOLE_BYTES_MAX || matches!(shared.place, Place::Inline { .. }) {
            return Ok(self.whole()?.slice(range.start as usize..range.end as usize));
        }
        let Place::File { chunks, .. } = &shared.place else { unreachable!("inline content is read whole") };
        let first = range.start / CHUNK_BYTES;
        let end = range.end.div_ceil(CHUNK_BYTES);
        let begin = first * CHUNK_BYTES;
        let bytes = self.read_file(begin..(end * CHUNK_BYTES).min(shared.size))?;
        for (index, chunk) in (first..end).zip(bytes.chunks(CHUNK_BYTES as usize)) {
            let at = index as usize * CHUNK_DIGEST_BYTES;
            let expect = chunks.get(at..at + CHUNK_DIGEST_BYTES);
            if expect != Some(&blake3::hash(chunk).as_bytes()[..CHUNK_DIGEST_BYTES]) {
                return Err(
                    self.damaged(format!("bytes from {} do not fit their digest", index * CHUNK_BYTES))
                );
            }
        }
        Ok(bytes.slice((range.start - begin) as usize..(range.end - begin) as usize))
    }

    /// Reads everything, checked against the digest of the whole.
    ///
    /// # Errors
    /// As [`Content::read`].
    pub fn whole(&self) -> Result<Bytes> {
        let shared = &self.shared;
        if let Some(bytes) = shared.whole.get() {
            return Ok(bytes.clone());
        }
        let bytes = match &shared.place {
            Place::Inline { file, row } => {
                shared.recorder.count(Counter::ContentReads, 1);
                shared.recorder.count(Counter::ContentReadBytes, shared.size);
                file.read_content(*row, &shared.recorder)?
            }
            Place::File { .. } => self.read_file(0..shared.size)?,
        };
        if bytes.len() as u64 != shared.size || blake3::hash(&bytes).as_bytes() != &shared.digest.0 {
            return Err(self.damaged("it does not fit its digest".to_owned()));
        }
        if shared.size <= WHOLE_BYTES_MAX {
            return Ok(shared.whole.get_or_init(|| bytes).clone());
        }
        Ok(bytes)
    }

    fn read_file(&self, range: Range<u64>) -> Result<Bytes> {
        let shared = &self.shared;
        let Place::File { path, .. } = &shared.place else { unreachable!("only files are read so") };
        let file = match shared.opened.get() {
            Some(file) => file,
            None => {
                let file = File::open(path).map_err(|error| self.refused(path, error))?;
                shared.opened.get_or_init(|| file)
            }
        };
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut bytes, range.start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("the file is too short".to_owned()),
            _ => self.refused(path, error),
        })?;
        shared.recorder.count(Counter::ContentReads, 1);
        shared.recorder.count(Counter::ContentReadBytes, bytes.len() as u64);
        shared.recorder.request("content", || path.clone(), range);
        Ok(Bytes::from(bytes))
    }

    /// Makes the error of a read that the file system refused.
    fn refused(&self, path: &Path, error: io::Error) -> Error {
        self.shared.recorder.store_error();
        Error::io("read stored content", path)(error)
    }

    fn damaged(&self, detail: String) -> Error {
        let place = match &self.shared.place {
            Place::Inline { file, row } => format!("row {row} of {}", file.path().display()),
            Place::File { path, .. } => path.display().to_string(),
        };
        Error::Damaged { place, detail }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({}, {} bytes)", self.shared.digest, self.shared.size)
    }
}

impl Length for Content {
    fn len(&self) -> u64 {
        self.shared.size
    }
}

impl ChunkReader for Content {
    type T = ContentReader;

    fn get_read(&self, start: u64) -> Result<ContentReader, ParquetError> {
        Ok(ContentReader { content: self.clone(), at: start, ahead: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read(start..start + length as u64).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads content from a position on, a chunk at a time.
#[derive(Debug)]
pub struct ContentReader {
    content: Content,
    at: u64,
    ahead: Bytes,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let end = ((self.at / CHUNK_BYTES + 1) * CHUNK_BYTES).min(self.content.size());
            self.ahead = self.content.read(self.at.min(end)..end).map_err(io::Error::other)?;
            self.at = end;
        }
        let length = buffer.len().min(self.ahead.len());
        buffer[..length].copy_from_slice(&self.ahead.split_to(length));
        Ok(length)
    }
}

/// Takes bytes that are about to become content: in memory while small, then in a file aside.
pub(crate) struct ContentWriter {
    buffer: Vec<u8>,
    file: Option<NamedTempFile>,
    folder: PathBuf,
    inline_bytes_max: u64,
    size: u64,
    whole: blake3::Hasher,
    chunk: blake3::Hasher,
    chunk_bytes: u64,
    chunks: Vec<u8>,
}

/// Bytes kept in memory before they go to the file.
const BUFFER_BYTES: usize = 1024 * 1024;

impl ContentWriter {
    /// Begins new content of a pond.
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            buffer: Vec::new(),
            file: None,
            folder: layout.tmp_dir(),
            inline_bytes_max: layout.inline_bytes_max,
            size: 0,
            whole: blake3::Hasher::new(),
            chunk: blake3::Hasher::new(),
            chunk_bytes: 0,
            chunks: Vec::new(),
        }
    }

    /// Ends the content; it is flushed to the device, but belongs to no pond yet.
    ///
    /// # Errors
    /// If the bytes cannot be written.
    pub(crate) fn finish(mut self) -> Result<NewContent> {
        let folder = self.folder.clone();
        let failed = |source| Error::Io { action: "write content to", path: folder, source };
        if self.size > self.inline_bytes_max {
            self.spill()
                .and_then(|()| self.file.as_ref().map_or(Ok(()), |f| f.as_file().sync_all()))
                .map_err(failed)?;
        }
        self.end_chunk();
        let body = match self.file {
            Some(file) => Body::File(file),
            None => Body::Inline(self.buffer),
        };
        Ok(NewContent {
            size: self.size,
            digest: Digest(*self.whole.finalize().as_bytes()),
            chunks: self.chunks,
            body,
        })
    }

    fn end_chunk(&mut self) {
        if self.chunk_bytes > 0 {
            self.chunks.extend(&self.chunk.finalize().as_bytes()[..CHUNK_DIGEST_BYTES]);
            self.chunk.reset();
            self.chunk_bytes = 0;
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(NamedTempFile::new_in(&self.folder)?);
        }
        let file = self.file.as_mut().expect("the file was just made");
        file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for ContentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.whole.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = (CHUNK_BYTES - self.chunk_bytes) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.chunk.update(now);
            self.chunk_bytes += now.len() as u64;
            if self.chunk_bytes == CHUNK_BYTES {
                self.end_chunk();
            }
            rest = later;
        }
        self.buffer.extend_from_slice(bytes);
        self.size += bytes.len() as u64;
        if self.buffer.len() > BUFFER_BYTES.max(self.inline_bytes_max as usize) {
            self.spill()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for ContentWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentWriter({} bytes)", self.size)
    }
}

/// Content that was written but belongs to no pond yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct NewContent {
    /// Size in bytes.
    pub size: u64,
    /// Digest of the whole.
    pub digest: Digest,
    pub(super) chunks: Vec<u8>,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Inline(Vec<u8>),
    File(NamedTempFile),
}
