//! The engine of a revision, or of the working tree as it is now: checked out beside, built once, kept.
//!
//! Both sides of a comparison are built in the same folder, one after the other, so that equal sources give equal
//! binaries and what the compiler makes of a path favours neither. Nothing in the user's checkout is touched: the
//! working tree becomes a tree of git through an index of its own.

mod git;
mod layouts;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::engine_build;
use crate::engine_store::{BuildLock, Engine, OwnBinary};
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::paths::Paths;
use git::Worktree;

pub(crate) use git::{Git, WORKTREE, remove_leftovers};
pub(crate) use layouts::Layouts;

/// What an engine is built from; a change of anything else gives the same engine.
const SOURCES: [&str; 7] =
    [".cargo", "Cargo.lock", "Cargo.toml", "datagen", "engine", "rust-toolchain.toml", "scenarios"];

/// What a word begins with that names the commit at which HEAD left a branch.
const MERGE_BASE: &str = "merge-base:";

/// The sources of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// What people call it: `main (a4838f6)`, `working tree`.
    pub(crate) name: String,
    /// The tree of all its files.
    tree: String,
    /// Names the sources an engine is built from.
    sources: String,
}

impl Revision {
    /// Finds a commit by any name that git knows, or by `merge-base:BRANCH`; nothing if git knows none. Fails if there is
    /// no merge base.
    pub(crate) fn find(paths: &Paths, word: &str) -> anyhow::Result<Option<Self>> {
        let git = Git::new(&paths.root);
        let (commit, meant) = match word.strip_prefix(MERGE_BASE) {
            Some(branch) => (Some(git.merge_base(branch)?), format!("merge base with {branch}")),
            None => (git.commit(word), word.to_owned()),
        };
        Ok(commit.and_then(|commit| Self::of_commit(&git, &commit, &meant)))
    }

    fn of_commit(git: &Git<'_>, commit: &str, meant: &str) -> Option<Self> {
        let short = git.read(&["rev-parse", "--short", commit]).ok()?;
        let name = if commit.starts_with(meant) { short } else { format!("{meant} ({short})") };
        let tree = git.read(&["rev-parse", &format!("{commit}^{{tree}}")]).ok()?;
        let sources = git.sources(&tree).ok()?;
        Some(Self { name, tree, sources })
    }

    /// Returns the full name of the commit that a word means. Fails if git knows none.
    pub(crate) fn commit(paths: &Paths, word: &str) -> anyhow::Result<String> {
        let commit = Git::new(&paths.root).commit(word);
        commit.ok_or_else(|| Stop::error(Exit::Usage, format!("'{word}' is no revision")))
    }

    /// Lists the commits after one up to another along first parents, oldest first, by their full names. Fails unless the
    /// one is an ancestor of the other: else it lacks more than they add.
    pub(crate) fn between(paths: &Paths, good: &str, bad: &str) -> anyhow::Result<Vec<String>> {
        let git = Git::new(&paths.root);
        let commits = [Self::commit(paths, good)?, Self::commit(paths, bad)?];
        if git.read(&["merge-base", "--is-ancestor", &commits[0], &commits[1]]).is_err() {
            let message = format!(
                "{good} is no ancestor of {bad}; name one that is, such as: git merge-base {good} {bad}"
            );
            return Err(Stop::error(Exit::Usage, message));
        }
        let range = format!("{}..{}", commits[0], commits[1]);
        let listed = git.read(&["rev-list", "--first-parent", "--reverse", &range])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Takes the working tree as it is, with what is not committed and not ignored.
    pub(crate) fn of_working_tree(paths: &Paths) -> anyhow::Result<Self> {
        let git = Git::new(&paths.root);
        let tree = git.snapshot(&paths.engines()).context("cannot take the working tree as it is")?;
        let committed = git.read(&["rev-parse", "HEAD^{tree}"]).unwrap_or_default();
        let head = git.read(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|_| "no commit".to_owned());
        let name = if tree == committed { head } else { format!("working tree on {head}") };
        let sources = git.sources(&tree)?;
        Ok(Self { name, tree, sources })
    }

    /// Tells whether an engine of both would be built from the same files.
    pub(crate) fn has_sources_of(&self, other: &Self) -> bool {
        self.sources == other.sources
    }

    /// Names the sources that engines and their benchmarks are built from.
    pub(crate) fn sources(&self) -> &str {
        &self.sources
    }

    /// Returns the engine, built if it is not kept already. Dependencies are shared with the workspace's own builds.
    pub(crate) fn build(&self, paths: &Paths, layout: Layout) -> anyhow::Result<Engine> {
        let name = format!("{}-{}{}", self.sources, toolchain(paths), layout.suffix());
        if let Some(engine) = Engine::kept(paths, &name)? {
            // Whoever has the lock cleans up.
            BuildLock::try_take(paths)?;
            return Ok(engine);
        }
        let lock = BuildLock::take(paths)?;
        if let Some(engine) = Engine::kept(paths, &name)? {
            // Another harness has built it meanwhile.
            return Ok(engine);
        }
        eprintln!("building the engine of {}", self.name);
        let worktree = Worktree::check_out(paths, &self.tree)?;
        if layout == Layout::PlantedCommented {
            comment(&worktree.path().join(COMMENTED))?;
        }
        let own = OwnBinary::put_aside(paths)?;
        let built = engine_build::build_at(paths, worktree.path(), &layout.arguments(), &[]);
        interrupt::check()?;
        let built = built.map_err(|error| Stop::error(Exit::Failed, format!("{}: {error:#}", self.name)))?;
        let engine = lock.keep(paths, &built, &name)?;
        // What is left where the workspace's own engine belongs is another revision's.
        std::fs::remove_file(&built).with_context(|| format!("cannot remove {}", built.display()))?;
        own.restore()?;
        Ok(engine)
    }
}

/// How the engine is built. A change of layout alone can make it a few percent faster or slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As everybody builds it.
    Usual,
    /// Cut into another number of parts, so that functions lie elsewhere.
    Other,
    /// Without stages and counters.
    Bare,
    /// With faults that the self-test can plant.
    Planted,
    /// With such faults, and laid out otherwise.
    PlantedOther,
    /// With such faults, and laid out in a third way.
    PlantedThird,
    /// With such faults, and a comment more in one of its sources.
    PlantedCommented,
}

/// Cargo takes a crate for the same wherever its workspace lies, and a file for changed if it is younger than what was
/// built. So after a build of a revision it would take the revision's engine for the user's own. A setting of its own,
/// which changes nothing (off is what compilers do here anyway), makes the crates others.
const APART: [&str; 3] = [
    "--config=profile.release.package.datagen.split-debuginfo='off'",
    "--config=profile.release.package.engine.split-debuginfo='off'",
    "--config=profile.release.package.scenarios.split-debuginfo='off'",
];

/// Cuts the engine's crate into other parts than usual.
const OTHER: &str = "--config=profile.release.package.engine.codegen-units=5";

/// And into others again.
const THIRD: &str = "--config=profile.release.package.engine.codegen-units=7";

/// The engine refuses plants unless it is built with assertions.
const PLANTED: [&str; 2] =
    ["--features=plants", "--config=profile.release.package.engine.debug-assertions=true"];

impl Layout {
    fn suffix(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Other => "-other-layout",
            Self::Bare => "-bare",
            Self::Planted => "-planted",
            Self::PlantedOther => "-planted-other-layout",
            Self::PlantedThird => "-planted-third-layout",
            Self::PlantedCommented => "-planted-commented",
        }
    }

    fn arguments(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Usual => &[],
            Self::Other => &[OTHER],
            Self::Bare => &["--no-default-features"],
            Self::Planted | Self::PlantedCommented => &PLANTED,
            Self::PlantedOther => &[PLANTED[0], PLANTED[1], OTHER],
            Self::PlantedThird => &[PLANTED[0], PLANTED[1], THIRD],
        };
        [&APART, own].concat()
    }
}

/// The source that gets a comment: rows are read through it.
const COMMENTED: &str = "engine/src/series/reader.rs";

/// Puts a comment in front of a source, so that every line of it has another number.
fn comment(source: &Path) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(source).with_context(|| format!("cannot read {}", source.display()))?;
    std::fs::write(source, format!("// A comment changes nothing.\n{text}"))
        .with_context(|| format!("cannot write {}", source.display()))
}

/// Names the compiler and its flags: another one gives another engine.
fn toolchain(paths: &Paths) -> String {
    let version = crate::fingerprint::output_of("rustc", &["-vV"], &paths.root).unwrap_or_default();
    let set = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut set: Vec<String> = set
        .filter(|(name, _)| changes_builds(name))
        .map(|(name, value)| format!("{name}={}", value.to_string_lossy()))
        .collect();
    set.sort();
    // What a person has set for all of cargo.
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let own =
        home.and_then(|home| std::fs::read_to_string(home.join("config.toml")).ok()).unwrap_or_default();
    let all = format!("{version}\n{}\n{own}\n{}", set.join("\n"), APART.join("\n"));
    format!("{:08x}", crate::random::seed(&all) as u32)
}

/// Tells whether a variable of the environment makes cargo build something else.
fn changes_builds(name: &str) -> bool {
    let starts =
        ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_", "RUSTC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];
    let is_place = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_JOBS"].contains(&name);
    let is_of_cargo = starts.iter().any(|start| name.starts_with(start)) && !is_place;
    is_of_cargo || is_of_c(name)
}

/// Tells whether a variable chooses the compiler of C, its archiver or its flags, for the host or a target: `CC`,
/// `TARGET_CFLAGS`, `CC_x86_64-unknown-linux-gnu`. What they compile is in the engine as well.
fn is_of_c(name: &str) -> bool {
    let chosen = ["CC", "CFLAGS", "CXX", "CXXFLAGS", "AR", "ARFLAGS"];
    let name = name.strip_prefix("HOST_").or_else(|| name.strip_prefix("TARGET_")).unwrap_or(name);
    chosen
        .iter()
        .any(|known| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_change_what_is_built() {
        let check = |name, expect| assert_eq!(changes_builds(name), expect, "{name}");
        check("RUSTFLAGS", true);
        check("RUSTC_WRAPPER", true);
        check("CARGO_PROFILE_RELEASE_OPT_LEVEL", true);
        check("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", true);
        check("CARGO_BUILD_TARGET", true);
        check("CARGO_TARGET_DIR", false);
        check("CARGO_BUILD_JOBS", false);
        check("CC", true);
        check("CC_x86_64-unknown-linux-gnu", true);
        check("TARGET_CFLAGS", true);
        check("CCACHE_DIR", false);
        check("ARCH", false);
        check("CARGO_HOME", false);
        check("PATH", false);
    }
}
