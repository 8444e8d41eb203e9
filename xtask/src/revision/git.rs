//! Git, through its command line: trees, a snapshot of the working tree, a worktree that goes when it is done.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::SOURCES;
use crate::exit::{Exit, Stop};
use crate::paths::Paths;

/// Git in a repository.
pub(crate) struct Git<'a> {
    root: &'a Path,
}

impl<'a> Git<'a> {
    /// Takes the repository of a folder.
    pub(crate) fn new(root: &'a Path) -> Self {
        Self { root }
    }

    /// Runs git and returns what it printed, without the end of the line.
    pub(crate) fn read(&self, arguments: &[&str]) -> anyhow::Result<String> {
        Ok(self.run(arguments, None)?.trim().to_owned())
    }

    /// Runs git and returns all that it printed.
    pub(crate) fn text(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.run(arguments, None)
    }

    /// Returns the full name of the commit that a word means, if git knows one.
    pub(super) fn commit(&self, word: &str) -> Option<String> {
        let commit = format!("{word}^{{commit}}");
        // A word that begins with a dash would be an option.
        let found = self.read(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
        found.ok().filter(|commit| !commit.is_empty())
    }

    /// Returns the commit at which HEAD left a branch. Fails if git does not know it.
    pub(super) fn merge_base(&self, branch: &str) -> anyhow::Result<String> {
        let Some(tip) = self.commit(branch) else {
            let message = format!(
                "git knows no branch '{branch}' to take the merge base with; fetch it, or list what there is: \
                 git branch --all"
            );
            return Err(Stop::error(Exit::Incomparable, message));
        };
        let found = self.read(&["merge-base", "HEAD", &tip]).ok().filter(|commit| !commit.is_empty());
        found.ok_or_else(|| {
            let is_shallow =
                self.read(&["rev-parse", "--is-shallow-repository"]).is_ok_and(|word| word == "true");
            let message = if is_shallow {
                format!(
                    "this clone is shallow, so the merge base of HEAD and '{branch}' is not known; fetch the history: \
                     git fetch --unshallow (in a workflow: fetch-depth: 0)"
                )
            } else {
                format!("HEAD and '{branch}' have no commit in common, so there is no merge base")
            };
            Stop::error(Exit::Incomparable, message)
        })
    }

    /// Runs git with an index that is not the user's, and returns what it printed.
    pub(crate) fn with_index(&self, index: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        Ok(self.run(arguments, Some(index))?.trim().to_owned())
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
        // Left by a harness of the same number that was killed, as in a container.
        let _ = std::fs::remove_file(index.with_extension("lock"));
        let own = self.read(&["rev-parse", "--git-path", "index"])?;
        // With the user's index as a start, git does not read files that have not changed.
        let _ = std::fs::copy(self.root.join(own), &index);
        let added = self.with_index(&index, &["add", "--all"]);
        let tree = added.and_then(|_| self.with_index(&index, &["write-tree"]));
        let _ = std::fs::remove_file(&index);
        tree
    }

    fn run(&self, arguments: &[&str], index: Option<&Path>) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        // A hook's settings would make it another repository, or the user's own index.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        // Whose name a commit has is said by who makes it.
        for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
            command.env_remove(name);
        }
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        let output = command
            .args(arguments)
            // What git does is short, and to be ended in the middle would leave half of it.
            .process_group(0)
            .current_dir(self.root)
            .stdin(Stdio::null())
            .output()
            .context("cannot start git; install it")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("git {}: {}", arguments.join(" "), error.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The folder of the checkout, among the engines.
pub(crate) const WORKTREE: &str = "worktree";

/// Removes what a harness that was killed has left: its checkout and indexes.
pub(crate) fn remove_leftovers(paths: &Paths) {
    let folder = paths.engines();
    remove_worktree(&paths.root, &folder.join(WORKTREE));
    let Ok(entries) = std::fs::read_dir(&folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix("index-") else { continue };
        let process = process.trim_end_matches(".lock");
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(process).exists() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn remove_worktree(root: &Path, path: &Path) {
    // Either may be gone already: the entry in the repository, or the folder.
    let _ = Git::new(root).read(&["worktree", "remove", "--force", "--force", &path.to_string_lossy()]);
    let _ = std::fs::remove_dir_all(path);
}

/// A checkout beside the user's own; removed when it is dropped, or by whoever takes the lock of builds after a kill.
pub(super) struct Worktree {
    root: PathBuf,
    path: PathBuf,
}

impl Worktree {
    /// Checks a tree out. All trees come to the same folder, so the caller has the lock of builds.
    pub(super) fn check_out(paths: &Paths, tree: &str) -> anyhow::Result<Self> {
        let worktree = Self { root: paths.root.clone(), path: paths.engines().join(WORKTREE) };
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
}

impl Drop for Worktree {
    fn drop(&mut self) {
        remove_worktree(&self.root, &self.path);
    }
}
