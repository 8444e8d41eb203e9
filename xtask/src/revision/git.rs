//! Git, through its command line: trees, a snapshot of the working tree, a worktree that goes when it is done.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::SOURCES;
use crate::paths::Paths;

/// Git in a repository.
pub(super) struct Git<'a> {
    root: &'a Path,
}

impl<'a> Git<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self { root }
    }

    /// Runs git and returns what it printed.
    pub(super) fn read(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.run(arguments, None)
    }

    /// Names what engines are built from in a tree.
    pub(super) fn sources(&self, tree: &str) -> anyhow::Result<String> {
        let listed = self.read(&[&["ls-tree", tree, "--"], SOURCES.as_slice()].concat())?;
        Ok(format!("{:016x}", crate::random::seed(&listed)))
    }

    /// Writes the working tree as a tree of git, with an index that is not the user's.
    pub(super) fn snapshot(&self, folder: &Path) -> anyhow::Result<String> {
        std::fs::create_dir_all(folder)?;
        let index = folder.join(format!("index-{}", std::process::id()));
        let own = self.read(&["rev-parse", "--git-path", "index"])?;
        // With the user's index as a start, git does not read files that have not changed.
        let _ = std::fs::copy(self.root.join(own), &index);
        let tree =
            self.run(&["add", "--all"], Some(&index)).and_then(|_| self.run(&["write-tree"], Some(&index)));
        let _ = std::fs::remove_file(&index);
        tree
    }

    fn run(&self, arguments: &[&str], index: Option<&Path>) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        // A hook's settings would make it another repository, or the user's own index.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        let output = command
            .args(arguments)
            .current_dir(self.root)
            .stdin(Stdio::null())
            .output()
            .context("cannot start git; install it")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("git {}: {}", arguments.join(" "), error.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// A checkout beside the user's own; removed when it is dropped, or by the next one after a kill.
pub(super) struct Worktree {
    root: PathBuf,
    path: PathBuf,
    _lock: std::fs::File,
}

impl Worktree {
    /// Checks a tree out. All trees come to the same folder, so another build waits for this one.
    pub(super) fn check_out(paths: &Paths, tree: &str) -> anyhow::Result<Self> {
        let folder = paths.engines();
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock_path = folder.join("lock");
        let lock = std::fs::File::create(&lock_path)
            .with_context(|| format!("cannot make {}", lock_path.display()))?;
        lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
        let path = folder.join("worktree");
        let worktree = Self { root: paths.root.clone(), path, _lock: lock };
        worktree.remove();
        let git = Git::new(&paths.root);
        let at = worktree.path.to_string_lossy();
        git.read(&["worktree", "add", "--force", "--quiet", "--detach", "--no-checkout", &at, "HEAD"])?;
        Git::new(&worktree.path).read(&["read-tree", "--reset", "-u", tree])?;
        Ok(worktree)
    }

    /// Returns the folder of the checkout.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn remove(&self) {
        let at = self.path.to_string_lossy();
        // Either may be gone already, or be there from a harness that was killed.
        let _ = Git::new(&self.root).read(&["worktree", "remove", "--force", "--force", &at]);
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}
