//! A folder for the output of running cells, which goes when the harness ends.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::paths::Paths;

/// A folder for the cells' output, named by this process and removed when it is dropped.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl WorkFolder {
    /// Makes the folder, and removes those of harnesses that were interrupted.
    pub(crate) fn make(paths: &Paths) -> anyhow::Result<Self> {
        ensure!(paths.target.is_absolute(), "the target folder must be absolute");
        sweep(&paths.work)?;
        let path = paths.work.join(std::process::id().to_string());
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes the work folders of harnesses that were interrupted: those whose process is gone.
fn sweep(work: &Path) -> anyhow::Result<()> {
    if !work.is_dir() || !Path::new("/proc/self").exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(work)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_process = name.parse::<u32>().is_ok();
        if is_process && !Path::new("/proc").join(&name).exists() {
            // An engine that goes on for a moment may write here still; then the next harness removes it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
