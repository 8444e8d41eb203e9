//! The folder of a pond on disk.
//!
//! ```text
//! POND/pond.json      format and options
//! POND/log/           the Delta table of entries
//! POND/content/ab/…   immutable content, named by its digest
//! POND/tmp/           work in progress; emptied by the next writer
//! POND/lock           held by the writer
//! ```

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The version of the pond format that this version writes.
pub const POND_FORMAT: u32 = 1;

/// How long a writer waits for another one.
const LOCK_WAIT: Duration = Duration::from_secs(120);
const LOCK_POLL: Duration = Duration::from_millis(10);

/// What `pond.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PondFile {
    format: u32,
    /// Content up to this many bytes is kept in the log.
    inline_bytes_max: u64,
}

/// The folders and files of one pond.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    /// Content up to this many bytes is kept in the log.
    pub inline_bytes_max: u64,
}

impl Layout {
    /// Creates the folder of a new pond; what an `init` that was killed has left is taken over.
    ///
    /// # Errors
    /// If there is something else in the folder, or it cannot be written.
    pub fn create(root: &Path, inline_bytes_max: u64) -> Result<Self> {
        if !is_free(root)? {
            return Err(Error::PondExists(root.to_owned()));
        }
        fs::create_dir_all(root).map_err(Error::io("create the folder", root))?;
        let root = root.canonicalize().map_err(Error::io("open", root))?;
        Ok(Self { root, inline_bytes_max })
    }

    /// Creates the folders within that of a new pond; only the holder of the lock may do so.
    pub(super) fn lay_out(&self) -> Result<()> {
        // Whoever held the lock before may have made a pond.
        if !is_free(&self.root)? {
            return Err(Error::PondExists(self.root.clone()));
        }
        let log = self.log_dir();
        if log.exists() {
            fs::remove_dir_all(&log).map_err(Error::io("remove", &log))?;
        }
        for folder in [log, self.root.join("content"), self.tmp_dir()] {
            fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        }
        Ok(())
    }

    /// Writes `pond.json`, which makes the folder a pond; the last step of creating one.
    pub(super) fn seal(&self) -> Result<()> {
        let file = PondFile { format: POND_FORMAT, inline_bytes_max: self.inline_bytes_max };
        let text = serde_json::to_string_pretty(&file).expect("two numbers are valid JSON");
        write_synced(&self.root.join("pond.json"), text.as_bytes())
    }

    /// Opens the folder of an existing pond.
    ///
    /// # Errors
    /// If there is no pond, or one of a newer format.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join("pond.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Error::io("read", &path)(error));
            }
            Err(_) => return Err(Error::NoPond(root.to_owned())),
        };
        let damaged = |detail: String| Error::Damaged { place: path.display().to_string(), detail };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        // The format is read before the rest, which a newer version may have changed.
        let found = value.get("format").and_then(serde_json::Value::as_u64);
        let found = found.ok_or_else(|| damaged("it states no format".to_owned()))?;
        if found > u64::from(POND_FORMAT) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(Error::NewerFormat { path: root.to_owned(), found, known: POND_FORMAT });
        }
        let file: PondFile = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        let root = root.canonicalize().map_err(Error::io("open", root))?;
        Ok(Self { root, inline_bytes_max: file.inline_bytes_max })
    }

    /// Returns the pond's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of the Delta table.
    pub fn log_dir(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Returns the folder for work in progress.
    pub fn tmp_dir(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Returns the file that holds content of a digest.
    pub fn content_path(&self, digest_hex: &str) -> PathBuf {
        self.root.join("content").join(&digest_hex[..2]).join(digest_hex)
    }

    /// Takes the writer's lock, waiting for another writer; it is released when the file is dropped.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begin.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => return Err(Error::Locked(self.root.clone())),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
            }
        }
        self.clear_tmp()?;
        Ok(file)
    }

    /// Removes what a writer that died has left; only the holder of the lock may do so.
    fn clear_tmp(&self) -> Result<()> {
        let folder = self.tmp_dir();
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        for item in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let path = item.map_err(Error::io("list", &folder))?.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }
}

/// Tells whether a pond can be made in a folder: it is not there, or empty, or holds no more than an `init`
/// leaves that did not come to its end. That has no `pond.json`, no content, and one transaction at most.
fn is_free(root: &Path) -> Result<bool> {
    let names = |folder: &Path| -> Result<Option<Vec<String>>> {
        let listing = match fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
            // A file, for example.
            Err(_) => return Ok(None),
        };
        let name = |item: std::io::Result<fs::DirEntry>| {
            Ok(item.map_err(Error::io("list", folder))?.file_name().to_string_lossy().into_owned())
        };
        listing.map(name).collect::<Result<_>>().map(Some)
    };
    let only = |folder: &Path, known: &dyn Fn(&str) -> bool| -> Result<bool> {
        Ok(names(folder)?.is_some_and(|names| names.iter().all(|name| known(name))))
    };
    let Some(found) = names(root)? else { return Ok(false) };
    if found.is_empty() {
        return Ok(true);
    }
    // The lock comes first, so what lacks it is not ours.
    let ours = |name: &str| ["lock", "log", "content", "tmp", "pond.new"].contains(&name);
    let first = |name: &str| name == "_delta_log" || name.starts_with("entries-0000000001-");
    let begun = |name: &str| {
        let version: String = name.chars().take_while(char::is_ascii_digit).collect();
        version.parse().map_or(name.starts_with('_') || name.starts_with('.'), |version: u64| version <= 1)
    };
    let log = root.join("log");
    Ok(found.iter().all(|name| ours(name))
        && found.iter().any(|name| name == "lock")
        && only(&log, &first)?
        && only(&log.join("_delta_log"), &begun)?
        && only(&root.join("content"), &|_| false)?)
}

/// Writes a file aside, flushes it to the device and renames it into place.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = path.with_extension("new");
    fs::write(&aside, bytes).map_err(Error::io("write", &aside))?;
    File::open(&aside).and_then(|file| file.sync_all()).map_err(Error::io("flush", &aside))?;
    fs::rename(&aside, path).map_err(Error::io("write", path))
}
