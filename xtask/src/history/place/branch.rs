//! Histories on a branch of git that nothing else is on. The user's checkout and index are never touched: blobs, trees
//! and commits are made by git's plumbing, with an index of its own.
//!
//! What was fetched from `origin` counts: a branch that is missing here or behind goes on from there, so that a push never
//! has to be forced. Nothing is fetched or pushed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::{Added, ENDING, file_name};
use crate::exit::{Exit, Stop};
use crate::history::line::{self, RunLine};
use crate::paths::Paths;
use crate::revision::Git;

/// How often a commit is made again because another harness was first.
const TRIES: usize = 20;

/// Who makes the commits: no person.
const WHO: [&str; 4] = ["-c", "user.name=pondmark", "-c", "user.email=pondmark@localhost"];

/// A branch of the workspace's repository.
pub(super) struct Branch<'a> {
    git: Git<'a>,
    name: String,
    /// The folder for an index and the text of a history.
    scratch: PathBuf,
}

/// The last commits of a branch.
struct Tips {
    /// The branch's own, if it is here.
    own: Option<String>,
    /// The one that the history goes on from: the branch's own, or that of `origin` if it is ahead.
    newest: Option<String>,
}

impl<'a> Branch<'a> {
    /// Takes a branch by its short name, whether it is there or not.
    pub(super) fn new(paths: &'a Paths, name: &str) -> anyhow::Result<Self> {
        let git = Git::new(&paths.root);
        git.read(&["rev-parse", "--git-dir"])
            .map_err(|_| Stop::error(Exit::Usage, "there is no git repository here; use --folder"))?;
        git.read(&["check-ref-format", &format!("refs/heads/{name}")])
            .map_err(|_| Stop::error(Exit::Usage, format!("'{name}' is no name for a branch")))?;
        Ok(Self { git, name: name.to_owned(), scratch: paths.histories() })
    }

    /// Lists the suites on the branch; none if there is no such branch.
    pub(super) fn suites(&self) -> anyhow::Result<Vec<String>> {
        let Some(commit) = self.tips()?.newest else { return Ok(Vec::new()) };
        let files = self.files(&commit)?;
        Ok(files.iter().filter_map(|name| name.strip_suffix(ENDING)).map(str::to_owned).collect())
    }

    /// Reads the runs of a suite in the order in which they were added.
    pub(super) fn read(&self, suite: &str) -> anyhow::Result<Vec<RunLine>> {
        match self.tips()?.newest {
            Some(commit) => line::parse(&self.file(suite), &self.text(&commit, suite)?),
            None => Ok(Vec::new()),
        }
    }

    /// Commits a run. Another harness may do the same at the same time: then it is tried again on top of that.
    pub(super) fn add(&self, run: &RunLine) -> anyhow::Result<Added> {
        self.require_free()?;
        for _ in 0..TRIES {
            let Tips { own, newest } = self.tips()?;
            let before = match &newest {
                Some(commit) => self.text(commit, &run.suite)?,
                None => String::new(),
            };
            let before = line::whole(&before);
            let is_there =
                line::parse(&self.file(&run.suite), before)?.iter().any(|there| there.is_same_run(run));
            let commit = match &newest {
                Some(_) if is_there && own == newest => return Ok(Added::Before),
                // What was fetched becomes the branch, or there would be nothing to push.
                Some(newest) if is_there => newest.clone(),
                _ => self.make_commit(newest.as_deref(), run, &format!("{before}{}", run.to_text()))?,
            };
            let reason = format!("history: add run {}", run.run);
            // An empty old value says that there must be no such branch yet.
            let expected = own.clone().unwrap_or_default();
            match self.git.read(&["update-ref", "-m", &reason, &self.reference(), &commit, &expected]) {
                Ok(_) if is_there => return Ok(Added::Before),
                Ok(_) => return Ok(Added::Now),
                Err(_) if self.own() != own => {}
                Err(error) => return Err(error).context("cannot move the branch"),
            }
        }
        bail!("branch {} moved {TRIES} times meanwhile; try again", self.name)
    }

    fn make_commit(&self, parent: Option<&str>, run: &RunLine, text: &str) -> anyhow::Result<String> {
        std::fs::create_dir_all(&self.scratch)?;
        let own = own_file(&self.scratch);
        std::fs::write(&own, text).with_context(|| format!("cannot write {}", own.display()))?;
        let blob = self.git.read(&["hash-object", "-w", "--no-filters", "--", &own.to_string_lossy()]);
        let _ = std::fs::remove_file(&own);
        let entry = format!("100644,{},{}", blob?, file_name(&run.suite));
        let index = own.with_extension("index");
        let tree = self.make_tree(&index, parent, &entry);
        let _ = std::fs::remove_file(&index);
        let tree = tree?;
        let message = format!("Add run {} of revision {}", run.run, run.revision);
        let parents = parent.map_or_else(Vec::new, |parent| vec!["-p", parent]);
        let commit = ["commit-tree", &tree, "-m", &message];
        self.git.read(&[WHO.as_slice(), &commit, &parents].concat())
    }

    fn make_tree(&self, index: &Path, parent: Option<&str>, entry: &str) -> anyhow::Result<String> {
        self.git.with_index(index, &["read-tree", parent.unwrap_or("--empty")])?;
        self.git.with_index(index, &["update-index", "--add", "--cacheinfo", entry])?;
        self.git.with_index(index, &["write-tree"])
    }

    /// Refuses branches on which something else is, or somebody works.
    fn require_free(&self) -> anyhow::Result<()> {
        let Self { name, .. } = self;
        let checked_out = self.git.read(&["worktree", "list", "--porcelain"])?;
        ensure!(
            !checked_out.lines().any(|line| line == format!("branch {}", self.reference())),
            "branch {name} is checked out; give one for histories alone"
        );
        let files = match self.tips()?.newest {
            Some(commit) => self.files(&commit)?,
            None => Vec::new(),
        };
        match files.iter().find(|file| !file.ends_with(ENDING)) {
            Some(other) => {
                bail!("branch {name} has other files, such as {other}; give one for histories alone")
            }
            None => Ok(()),
        }
    }

    /// Finds where the history goes on. Fails if the branch and that of `origin` have both gone on by themselves.
    fn tips(&self) -> anyhow::Result<Tips> {
        let own = self.own();
        let fetched = self.tip(&format!("refs/remotes/origin/{}", self.name));
        let newest = match (&own, fetched) {
            (Some(own), Some(fetched)) if !self.is_before(&fetched, own) => {
                let Self { name, .. } = self;
                ensure!(
                    self.is_before(own, &fetched),
                    "branches {name} and origin/{name} have diverged, each has runs that the other lacks; take those of \
                     origin: git branch --force {name} origin/{name}; then add your runs again"
                );
                Some(fetched)
            }
            (Some(own), _) => Some(own.clone()),
            (None, fetched) => fetched,
        };
        Ok(Tips { own, newest })
    }

    fn is_before(&self, earlier: &str, later: &str) -> bool {
        self.git.read(&["merge-base", "--is-ancestor", earlier, later]).is_ok()
    }

    fn own(&self) -> Option<String> {
        self.tip(&self.reference())
    }

    fn tip(&self, reference: &str) -> Option<String> {
        let commit = format!("{reference}^{{commit}}");
        self.git.read(&["rev-parse", "--verify", "--quiet", &commit]).ok().filter(|commit| !commit.is_empty())
    }

    fn files(&self, commit: &str) -> anyhow::Result<Vec<String>> {
        let listed = self.git.read(&["ls-tree", "--name-only", "-z", commit])?;
        Ok(listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    fn text(&self, commit: &str, suite: &str) -> anyhow::Result<String> {
        if !self.files(commit)?.contains(&file_name(suite)) {
            return Ok(String::new());
        }
        self.git.text(&["cat-file", "blob", &format!("{commit}:{}", file_name(suite))])
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.name)
    }

    fn file(&self, suite: &str) -> PathBuf {
        PathBuf::from(format!("{}:{}", self.name, file_name(suite)))
    }
}

/// Names a file that no other harness and no other thread uses.
fn own_file(folder: &Path) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
    folder.join(format!("commit-{}-{thread}", std::process::id()))
}
