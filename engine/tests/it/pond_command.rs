//! A pond in a folder of its own, and the `pond` command run on it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use engine::{Pond, PondOptions};
use tempfile::TempDir;

/// A pond, with a folder beside it for sources and exports.
pub(crate) struct TestPond {
    folder: TempDir,
}

impl TestPond {
    /// Makes an empty pond.
    pub(crate) fn new() -> Self {
        let pond = Self::without();
        pond.ok(["init"]);
        pond
    }

    /// Makes an empty pond that keeps all content in files of their own.
    pub(crate) fn with_files() -> Self {
        let pond = Self::without();
        pond.ok(["init", "--inline-max", "0"]);
        pond
    }

    /// Makes the folder alone.
    pub(crate) fn without() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder can be made") }
    }

    /// Returns the pond's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("pond")
    }

    /// Returns a path beside the pond.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the pond.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a CSV file and imports it.
    pub(crate) fn import(&self, name: &str, content: &str, path: &str) -> String {
        self.file(name, content);
        self.ok(["import", name, path])
    }

    /// Prepares the command; it runs beside the pond.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_pond")), arguments)
    }

    /// Prepares the command from a link beside the pond, for a user who cannot reach the build folder.
    pub(crate) fn command_from_reachable_place<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let program = self.path("pond-program");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_pond"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_pond"), &program).unwrap();
        }
        self.command_of(&program, arguments)
    }

    fn command_of<A: AsRef<OsStr>>(&self, program: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program);
        command.env("POND", self.root()).env("NO_COLOR", "1").current_dir(self.folder.path());
        command.env_remove("RUST_BACKTRACE").args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the command, which must succeed and say nothing on standard error.
    pub(crate) fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let mut command = self.command(arguments);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{command:?}: {}: {stderr}", output.status);
        self.plain(&output.stdout)
    }

    /// Runs the command, which must fail with one message and leave the pond as it was; returns the message.
    pub(crate) fn fails<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        self.fails_as(&mut self.command(arguments))
    }

    /// Runs a prepared command as [`TestPond::fails`] does.
    pub(crate) fn fails_as(&self, command: &mut Command) -> String {
        let before = self.state();
        let output = command.output().unwrap();
        assert_eq!(self.state(), before, "{command:?} changed the pond");
        assert_eq!(self.left_behind(), Vec::<PathBuf>::new(), "{command:?} left work in progress");
        self.message(command, &output)
    }

    /// Checks that a command failed with one message and printed nothing else; returns the message.
    pub(crate) fn message(&self, command: &Command, output: &Output) -> String {
        let stderr = self.plain(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {}: {stderr}", output.status);
        assert!(!stderr.contains("panicked"), "{command:?}: {stderr}");
        let messages = stderr.lines().filter(|line| line.starts_with("pond: ")).count();
        assert_eq!(messages, 1, "{command:?} must print one message: {stderr}");
        assert!(stderr.starts_with("pond: "), "{command:?}: {stderr}");
        stderr.trim_end().to_owned()
    }

    /// Describes everything that the pond holds, as far as it can be opened.
    pub(crate) fn state(&self) -> String {
        match Pond::open(&self.root(), PondOptions::default()) {
            Ok(pond) => state(&pond),
            Err(error) => error.to_string(),
        }
    }

    /// Lists what is in the pond's folder for work in progress.
    pub(crate) fn left_behind(&self) -> Vec<PathBuf> {
        files_below(&self.root().join("tmp"))
    }

    /// Makes a text independent of where the test runs.
    pub(crate) fn plain(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let folder = self.folder.path();
        let real = folder.canonicalize().unwrap();
        text.replace(real.to_str().unwrap(), "[TEMP]").replace(folder.to_str().unwrap(), "[TEMP]")
    }
}

/// Describes everything that an open pond holds.
pub(crate) fn state(pond: &Pond) -> String {
    let mut text = String::new();
    for one in pond.list("/**").unwrap() {
        let (rows, times) = (one.rows, (one.first_us, one.last_us));
        writeln!(text, "{} {} {} {rows:?} {times:?}", one.path, one.entry_type.name(), one.versions).unwrap();
    }
    for commit in pond.log() {
        writeln!(text, "{} {} {}", commit.txn, commit.operation, commit.attributes).unwrap();
    }
    text
}

/// Lists all files below a folder, in order; none if there is no folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(listing) = std::fs::read_dir(folder) else { return files };
    for item in listing {
        let path = item.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns every file below a folder by its relative path, with the digest of its content.
pub(crate) fn digests(folder: &Path) -> Vec<(PathBuf, String)> {
    let one = |path: PathBuf| {
        let digest = blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string();
        (path.strip_prefix(folder).unwrap().to_owned(), digest)
    };
    files_below(folder).into_iter().map(one).collect()
}
