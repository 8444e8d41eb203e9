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
        // In a container every harness may have the same number.
        let _ = std::fs::remove_dir_all(&path);
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

/// Says why times of cells that write into a folder may mislead; nothing if no reason is known.
pub(crate) fn doubt(work: &Path) -> Option<String> {
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let device = format!("{}-", ext4_device(&mountinfo, work)?);
    let journals = std::fs::read_dir("/proc/fs/jbd2").into_iter().flatten().flatten();
    let has_journal =
        journals.into_iter().any(|item| item.file_name().to_string_lossy().starts_with(&device));
    (!has_journal).then(|| {
        format!(
            "{} is on ext4 without a journal, which looks past every file that was removed in the last minutes \
             before it makes a new one; measure with PONDMARK_WORK=/dev/shm, or another file system",
            work.display()
        )
    })
}

/// Returns the device of the file system that a folder is on, if that is ext4.
fn ext4_device(mountinfo: &str, folder: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, system) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?;
        let mut system = system.split(' ');
        folder.starts_with(point).then_some((point.len(), system.next()?, system.next()?))
    });
    let (_, kind, device) = mounts.max_by_key(|(length, ..)| *length)?;
    (kind == "ext4").then(|| device.trim_start_matches("/dev/").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_counts() {
        let table = "1 0 254:0 / / rw - ext4 /dev/vda rw\n2 1 0:5 / /dev rw - devtmpfs none rw\n\
                     3 2 0:6 / /dev/shm rw shared:1 - tmpfs tmpfs rw\n";
        let check = |folder, expect: Option<&str>| {
            assert_eq!(ext4_device(table, Path::new(folder)).as_deref(), expect, "{folder}");
        };
        check("/data/x", Some("vda"));
        check("/dev/shm/pondmark", None);
        check("/dev/sda", None);
    }
}
