//! Putting an export in place: written aside, then exchanged with the old one, or merged into it.
//!
//! The folder aside is `.NAME.pond-export` beside `NAME`. On Linux the two are exchanged in one step, so a
//! killed export leaves the old export or the new one, whole. File systems that cannot exchange get two
//! renames, with a moment between them when the folder is missing; the old one is then still aside.
//!
//! An export that keeps files of the old one is merged into it: a journal is written aside that lists what
//! moves in and what goes, then each file is replaced by one rename, the manifest last. A merge that was
//! killed is ended by the next export; until then each file is the old one or the new one, whole.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::manifest::MANIFEST_NAME;
use crate::error::{Error, Result};

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
    /// Makes an empty folder aside, when what a killed export has left is put right.
    pub(super) fn begin(dir: &Path) -> Result<Self> {
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
        fs::create_dir(&staging.new).map_err(Error::io("create the folder", &staging.new))?;
        Ok(staging)
    }

    /// Returns the folder that the export is put into, as an absolute path.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the folder aside that the export is written to.
    pub(super) fn folder(&self) -> &Path {
        &self.new
    }

    /// Merges the new files into the old export; `removed` are files of it that are no more.
    pub(super) fn merge(self, removed: Vec<String>) -> Result<()> {
        let mut moved = Vec::new();
        list_files(&self.new, &self.new, &mut moved)?;
        // The manifest speaks of the other files, so it comes last.
        moved.sort_by_key(|path| (path == MANIFEST_NAME, path.clone()));
        let journal = Journal { moved, removed };
        let text = serde_json::to_vec(&journal).expect("the journal is plain data");
        let path = self.journal();
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, text).map_err(Error::io("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(Error::io("write", &path))?;
        self.apply(&journal)
    }

    fn journal(&self) -> PathBuf {
        self.aside.join("journal.json")
    }

    /// Does what a journal lists, however much of it is done already.
    fn apply(&self, journal: &Journal) -> Result<()> {
        for path in &journal.moved {
            let (from, to) = (self.new.join(path), self.dir.join(path));
            let moved = fs::rename(&from, &to).or_else(|error| match error.kind() {
                ErrorKind::NotFound if from.exists() => {
                    fs::create_dir_all(to.parent().expect("a file lies in a folder"))?;
                    fs::rename(&from, &to)
                }
                // It was moved before the merge was killed.
                ErrorKind::NotFound if to.exists() => Ok(()),
                _ => Err(error),
            });
            moved.map_err(Error::io("write", &to))?;
        }
        for path in &journal.removed {
            let path = self.dir.join(path);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path)(error));
                }
                _ => remove_empty(&path, &self.dir),
            }
        }
        let path = self.journal();
        fs::remove_file(&path).map_err(Error::io("remove", &path))
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
        let path = self.journal();
        if let Ok(text) = fs::read(&path) {
            let journal: Journal = serde_json::from_slice(&text).map_err(|error| Error::Damaged {
                place: path.display().to_string(),
                detail: format!("it is no journal of an export ({error})"),
            })?;
            if self.dir.exists() {
                self.apply(&journal)?;
            } else {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
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
        // A merge that could not be ended is ended by the next export.
        if self.journal().exists() {
            return;
        }
        // What cannot be removed now is removed by the next export to the same folder.
        let _ = fs::remove_dir_all(&self.aside);
    }
}

/// What a merge does: paths below the export's folder.
#[derive(Serialize, Deserialize)]
struct Journal {
    moved: Vec<String>,
    removed: Vec<String>,
}

/// Lists the files below a folder by their path from `root`.
fn list_files(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for item in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let item = item.map_err(Error::io("list", folder))?;
        let path = item.path();
        if item.file_type().map_err(Error::io("list", folder))?.is_dir() {
            list_files(root, &path, found)?;
        } else {
            let relative = path.strip_prefix(root).expect("what a folder lists lies below it");
            found.push(relative.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Removes the folders of a removed file that have become empty, up to the export's own.
fn remove_empty(path: &Path, root: &Path) {
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}
