//! Engines as copies: what is measured lies where no build replaces it, and is removed when nobody has used it long.
//!
//! Builds of engines happen under one lock, and the copy is made under it too. A harness holds the copies that it
//! measures by a lock on each, which the system releases however the harness ends; so does the first one, so that
//! whoever takes it next knows that what lies about is left over.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use crate::paths::Paths;
use crate::{engine_build, interrupt, revision};

/// Engines that are kept, at most, besides those in use: of a quarter of a gigabyte each.
const MOST: usize = 8;

const POLL: Duration = Duration::from_millis(100);

/// An engine to measure.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// The binary.
    pub(crate) binary: PathBuf,
    /// Its digest.
    pub(crate) digest: String,
    /// Keeps a copy from being removed; none of a binary that was given and is no copy.
    _held: Option<Arc<File>>,
}

impl Engine {
    /// Takes a binary where it is.
    pub(crate) fn in_place(binary: PathBuf) -> anyhow::Result<Self> {
        Ok(Self { digest: engine_build::digest(&binary)?, binary, _held: None })
    }

    /// Returns the copy of a name, if it is there.
    pub(crate) fn kept(paths: &Paths, name: &str) -> anyhow::Result<Option<Self>> {
        let Some(binary) = binary_in(&paths.engines().join(name)) else { return Ok(None) };
        let Ok(file) = File::open(&binary) else { return Ok(None) };
        file.lock_shared().with_context(|| format!("cannot lock {}", binary.display()))?;
        if !binary.is_file() {
            // It was removed before it was locked.
            return Ok(None);
        }
        // The oldest goes first.
        file.set_modified(SystemTime::now())?;
        Ok(Some(Self { digest: engine_build::digest(&binary)?, binary, _held: Some(Arc::new(file)) }))
    }
}

/// The right to build engines.
#[derive(Debug)]
pub(crate) struct BuildLock {
    folder: PathBuf,
    _file: File,
}

impl BuildLock {
    /// Takes the lock, waiting for other builds, and removes what a harness that was killed has left.
    pub(crate) fn take(paths: &Paths) -> anyhow::Result<Self> {
        let mut said = false;
        loop {
            if let Some(lock) = Self::try_take(paths)? {
                return Ok(lock);
            }
            if !said {
                eprintln!("waiting for another build of an engine");
                said = true;
            }
            interrupt::check()?;
            std::thread::sleep(POLL);
        }
    }

    /// Takes the lock if nobody has it, and removes what a harness that was killed has left.
    pub(crate) fn try_take(paths: &Paths) -> anyhow::Result<Option<Self>> {
        let folder = paths.engines();
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("lock");
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        revision::remove_leftovers(paths);
        OwnBinary::of(paths).restore()?;
        let _ = std::fs::remove_file(folder.join(UNFINISHED));
        Ok(Some(Self { folder, _file: file }))
    }

    /// Copies a binary to where it is kept under a name, whole or not at all, and removes the oldest copies.
    pub(crate) fn keep(&self, paths: &Paths, built: &Path, name: &str) -> anyhow::Result<Engine> {
        let file_name = built.file_name().context("a binary has a name")?;
        let folder = self.folder.join(name);
        let unfinished = self.folder.join(UNFINISHED);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::copy(built, &unfinished))
            .and_then(|_| std::fs::rename(&unfinished, folder.join(file_name)))
            .with_context(|| format!("cannot keep the engine in {}", folder.display()))?;
        let engine = Engine::kept(paths, name)?.context("the engine was removed while it was kept")?;
        self.remove_oldest()?;
        Ok(engine)
    }

    /// Copies a binary that a build may replace, unless the same is kept already.
    pub(crate) fn keep_by_digest(&self, paths: &Paths, built: &Path) -> anyhow::Result<Engine> {
        let name = format!("binary-{}", engine_build::digest(built)?);
        match Engine::kept(paths, &name)? {
            Some(engine) if engine.binary.file_name() == built.file_name() => Ok(engine),
            _ => self.keep(paths, built, &name),
        }
    }

    fn remove_oldest(&self) -> anyhow::Result<()> {
        let mut copies = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let folder = entry?.path();
            if let Some(binary) = binary_in(&folder) {
                copies.push((std::fs::metadata(&binary)?.modified()?, folder, binary));
            }
        }
        copies.sort();
        for (_, folder, binary) in copies.iter().rev().skip(MOST) {
            let file = File::open(binary)?;
            if file.try_lock().is_ok() {
                std::fs::remove_dir_all(folder)
                    .with_context(|| format!("cannot remove {}", folder.display()))?;
            }
        }
        Ok(())
    }
}

/// A copy that is being made.
const UNFINISHED: &str = "unfinished";

/// Returns the binary in the folder of a copy.
fn binary_in(folder: &Path) -> Option<PathBuf> {
    if folder.ends_with(revision::WORKTREE) {
        return None;
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.map_while(|entry| Some(entry.ok()?.path())).collect();
    files.sort_unstable();
    files.into_iter().find(|path| path.is_file())
}

/// The engine that the user has built, where cargo puts it: a build of a revision takes its place for a while.
#[derive(Debug)]
pub(crate) struct OwnBinary {
    place: PathBuf,
    aside: PathBuf,
}

impl OwnBinary {
    /// Puts it aside, if there is one.
    pub(crate) fn put_aside(paths: &Paths) -> anyhow::Result<Self> {
        let own = Self::of(paths);
        if own.place.is_file() {
            std::fs::hard_link(&own.place, &own.aside)
                .with_context(|| format!("cannot put {} aside", own.place.display()))?;
        }
        Ok(own)
    }

    /// Puts it back, if it was put aside.
    pub(crate) fn restore(&self) -> anyhow::Result<()> {
        if !self.aside.is_file() {
            return Ok(());
        }
        // Renaming one of two names of a file to the other does nothing.
        let _ = std::fs::remove_file(&self.place);
        std::fs::rename(&self.aside, &self.place)
            .with_context(|| format!("cannot put {} back", self.place.display()))
    }

    fn of(paths: &Paths) -> Self {
        let folder = paths.target.join("release");
        Self { place: folder.join("pond"), aside: folder.join("pond-of-the-workspace") }
    }
}

impl Drop for OwnBinary {
    fn drop(&mut self) {
        // After an error; the next harness tries again.
        let _ = self.restore();
    }
}
