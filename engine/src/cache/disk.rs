//! Values as bytes in a folder, kept between processes.
//!
//! A value is a file named by the digest of its key. It is written aside and renamed, and begins with a
//! version and a digest that covers the name too, so nothing half written, damaged, misplaced or of another
//! version is ever taken for a value: such a file is removed, counted, and computed anew. Nothing here is an
//! error to the caller, for what is lost can be computed; the counters tell. The folder may be deleted at any time.
//!
//! A key must hold the version of the encoding of its value, beside what it describes.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use blake3::Hash;
use bytes::Bytes;

/// The first bytes of every file.
const MAGIC: [u8; 8] = *b"pondkept";

/// The version of the format of the files.
const FORMAT: u32 = 1;

const HEADER_BYTES: usize = MAGIC.len() + size_of::<u32>() + blake3::OUT_LEN;

/// How files are called that are still being written.
const ASIDE: &str = ".new-";

/// A file still being written after this time never will be.
const ASIDE_AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// The part of the bound that a process writes before it looks again at what others wrote.
const SLICES: u64 = 16;

/// A folder of values, shared with any number of other processes.
#[derive(Debug)]
pub struct DiskCache {
    folder: PathBuf,
    bytes: u64,
    /// Bytes that may be written before the folder is swept.
    allowance: Mutex<u64>,
    counters: Counters,
}

/// What a folder of values did in this process, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Look-ups that found a value.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Values removed to make room, and those too large to be kept at all.
    pub evictions: u64,
    /// Files removed because they were not what they should have been.
    pub damaged: u64,
    /// Reads and writes that the file system refused.
    pub failed: u64,
    /// Values held.
    pub entries: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
    damaged: AtomicU64,
    failed: AtomicU64,
}

impl DiskCache {
    /// Opens a folder, which is made when the first value is put.
    ///
    /// With one process its files never hold more than the given bytes; each further one may add a sixteenth.
    pub fn open(folder: impl Into<PathBuf>, bytes: u64) -> Self {
        // Nothing is allowed yet, so the first value makes it look at what is there.
        Self { folder: folder.into(), bytes, allowance: Mutex::new(0), counters: Counters::default() }
    }

    /// Returns the value of a key if it is there.
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        let name = blake3::hash(key);
        let path = self.path(&name);
        let value = match fs::read(&path) {
            Ok(file) => {
                let value = decode(&name, file.into());
                if value.is_none() {
                    count(&self.counters.damaged, 1);
                    self.remove(&path);
                }
                value
            }
            Err(error) => {
                if !is_absent(&error) {
                    count(&self.counters.failed, 1);
                }
                None
            }
        };
        count(if value.is_some() { &self.counters.hits } else { &self.counters.misses }, 1);
        value
    }

    /// Keeps a value, in place of the one that the key had; the oldest values make room for it.
    pub fn put(&self, key: &[u8], value: &[u8]) {
        let size = (HEADER_BYTES + value.len()) as u64;
        if size > self.bytes {
            count(&self.counters.evictions, 1);
            return;
        }
        // Held to the end, so that threads do not share the same room.
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        let made_room = if *allowance < size { self.sweep(size) } else { Ok(*allowance) };
        let written = made_room.and_then(|room| {
            *allowance = room - size;
            self.write(&blake3::hash(key), value)
        });
        if written.is_err() {
            count(&self.counters.failed, 1);
        }
    }

    /// Returns what was counted so far, and what the folder holds now.
    pub fn stats(&self) -> DiskStats {
        let files = self.files().unwrap_or_default();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DiskStats {
            hits: get(&self.counters.hits),
            misses: get(&self.counters.misses),
            evictions: get(&self.counters.evictions),
            damaged: get(&self.counters.damaged),
            failed: get(&self.counters.failed),
            entries: files.iter().filter(|file| !file.aside).count() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
        }
    }

    fn path(&self, name: &Hash) -> PathBuf {
        self.folder.join(name.to_hex().as_str())
    }

    fn write(&self, name: &Hash, value: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut aside = tempfile::Builder::new().prefix(ASIDE).tempfile_in(&self.folder)?;
        aside.write_all(&MAGIC)?;
        aside.write_all(&FORMAT.to_le_bytes())?;
        aside.write_all(digest(name, value).as_bytes())?;
        aside.write_all(value)?;
        // Not flushed to the disk: a file that a crash cuts short is found out by its digest.
        aside.persist(self.path(name))?;
        Ok(())
    }

    /// Removes the oldest files until there is room for a file of this size, and some more, which it returns.
    fn sweep(&self, size: u64) -> io::Result<u64> {
        let room = size.max(self.bytes / SLICES);
        let mut files = self.files()?;
        files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        let mut held: u64 = files.iter().map(|file| file.bytes).sum();
        let now = SystemTime::now();
        for file in files {
            let stays = if file.aside {
                !now.duration_since(file.modified).is_ok_and(|age| age > ASIDE_AGE_MAX)
            } else {
                held <= self.bytes - room
            };
            if stays {
                continue;
            }
            self.remove(&file.path);
            held -= file.bytes;
            if !file.aside {
                count(&self.counters.evictions, 1);
            }
        }
        Ok(room)
    }

    /// Removes a file, which another process may have done already.
    fn remove(&self, path: &Path) {
        if fs::remove_file(path).is_err_and(|error| !is_absent(&error)) {
            count(&self.counters.failed, 1);
        }
    }

    /// Lists the files of this cache; others in its folder are none of its business.
    fn files(&self) -> io::Result<Vec<StoredFile>> {
        let listing = match fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for item in listing {
            let item = item?;
            let name = item.file_name();
            let aside = name.as_encoded_bytes().starts_with(ASIDE.as_bytes());
            if !aside && !is_digest(&name) {
                continue;
            }
            let metadata = match item.metadata() {
                Ok(metadata) if metadata.is_file() => metadata,
                // Another process removed it meanwhile.
                Err(error) if !is_absent(&error) => return Err(error),
                _ => continue,
            };
            let modified = metadata.modified()?;
            files.push(StoredFile { path: item.path(), aside, bytes: metadata.len(), modified });
        }
        Ok(files)
    }
}

struct StoredFile {
    path: PathBuf,
    /// Whether it is still being written.
    aside: bool,
    bytes: u64,
    modified: SystemTime,
}

/// Takes the value out of a file, if it is one.
fn decode(name: &Hash, file: Bytes) -> Option<Bytes> {
    let (magic, rest) = file.split_at_checked(MAGIC.len())?;
    let (format, rest) = rest.split_at_checked(size_of::<u32>())?;
    let (stored, value) = rest.split_at_checked(blake3::OUT_LEN)?;
    let is_ours =
        magic == MAGIC && format == FORMAT.to_le_bytes() && stored == digest(name, value).as_bytes();
    is_ours.then(|| file.slice(HEADER_BYTES..))
}

/// Digests a value together with the name it is stored by.
fn digest(name: &Hash, value: &[u8]) -> Hash {
    blake3::keyed_hash(name.as_bytes(), value)
}

fn is_digest(name: &OsStr) -> bool {
    name.len() == 2 * blake3::OUT_LEN && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit)
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

fn count(counter: &AtomicU64, what: u64) {
    counter.fetch_add(what, Ordering::Relaxed);
}
