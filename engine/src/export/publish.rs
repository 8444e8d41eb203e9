//! Putting an export in place at once: written aside, then exchanged with the old one.
//!
//! The folder aside is `.NAME.pond-export` beside `NAME`. On Linux the two are exchanged in one step, so a
//! killed export leaves the old export or the new one, whole. File systems that cannot exchange get two
//! renames, with a moment between them when the folder is missing; the old one is then still aside.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::manifest::{MANIFEST_FORMAT, MANIFEST_NAME};
use crate::error::{Error, Result};
use crate::tree::Pattern;

/// An export in progress.
pub(super) struct Staging {
    dir: PathBuf,
    /// The folder aside, with the three below in it.
    aside: PathBuf,
    /// The export being written.
    new: PathBuf,
    /// The export being replaced, where folders cannot be exchanged.
    old: PathBuf,
    _lock: File,
}

impl Staging {
    /// Checks that the folder may be replaced, and makes an empty one aside.
    pub(super) fn begin(dir: &Path, patterns: &[Pattern], replace: bool) -> Result<Self> {
        let absolute = std::path::absolute(dir).map_err(Error::io("find", dir))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            let message = "it cannot be replaced; name a folder inside it".to_owned();
            return Err(Error::Export { path: dir.display().to_string(), message });
        };
        fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
        let aside = parent.join(format!(".{}.pond-export", name.to_string_lossy()));
        fs::create_dir_all(&aside).map_err(Error::io("create the folder", &aside))?;
        let lock_path = aside.join("lock");
        let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &lock_path)(error)),
        }
        let (new, old) = (aside.join("new"), aside.join("old"));
        let staging = Self { dir: absolute, aside, new, old, _lock: lock };
        staging.recover()?;
        check_replaceable(&staging.dir, patterns, replace)?;
        fs::create_dir(&staging.new).map_err(Error::io("create the folder", &staging.new))?;
        Ok(staging)
    }

    /// Returns the folder aside that the export is written to.
    pub(super) fn folder(&self) -> &Path {
        &self.new
    }

    /// Puts the new export in place and removes the old one.
    pub(super) fn publish(self) -> Result<()> {
        let failed =
            |error: Errno| Error::Io { action: "replace", path: self.dir.clone(), source: error.into() };
        if !self.dir.exists() {
            return fs::rename(&self.new, &self.dir).map_err(Error::io("write", &self.dir));
        }
        match rustix::fs::renameat_with(CWD, &self.new, CWD, &self.dir, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                fs::rename(&self.dir, &self.old).map_err(Error::io("replace", &self.dir))?;
                fs::rename(&self.new, &self.dir).map_err(Error::io("replace", &self.dir))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Puts right what a killed export has left.
    fn recover(&self) -> Result<()> {
        if self.old.exists() && !self.dir.exists() {
            fs::rename(&self.old, &self.dir).map_err(Error::io("restore", &self.dir))?;
        }
        for folder in [&self.new, &self.old] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("remove", folder)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    /// Removes the folder aside: after a success it holds the old export, after a failure half a new one.
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next export to the same folder.
        let _ = fs::remove_dir_all(&self.aside);
    }
}

/// Refuses to replace what is no export, or an export of something else.
fn check_replaceable(dir: &Path, patterns: &[Pattern], replace: bool) -> Result<()> {
    let bad = |message: String| Err(Error::Export { path: dir.display().to_string(), message });
    let mut listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return bad("it is a file, and a folder is needed; choose another name".to_owned());
        }
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    if listing.next().is_none() {
        return Ok(());
    }
    let Ok(text) = fs::read_to_string(dir.join(MANIFEST_NAME)) else {
        return bad("it is neither empty nor an export; choose another folder".to_owned());
    };
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    match manifest["format"].as_u64() {
        Some(format) if format <= u64::from(MANIFEST_FORMAT) => {}
        _ => return bad("its manifest is of no known format; choose another folder".to_owned()),
    }
    let before: Vec<&str> =
        manifest["patterns"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    let now: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    if before != now && !replace {
        let before = before.join(" ");
        return bad(format!(
            "it holds an export of {before}; choose another folder, or replace it with --replace"
        ));
    }
    Ok(())
}
