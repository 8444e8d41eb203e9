//! A temporary workspace with suites, and the harness run in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A suite of three cells whose answers the fake engine gives.
pub(crate) const SMOKE: &str = r#"
about = "a suite for tests"

[[scenario]]
name = "open"
about = "opens"
workload = "open"
warm = 2
timeout_s = 20
axes = [{ name = "size", values = ["tiny", "small"] }]
[scenario.answers]
"size=tiny" = { rows = 8, digest = "00000000deadbeef" }
"size=small" = { rows = 100, digest = "00000000deadbeef" }

[[scenario]]
name = "query"
about = "asks"
workload = "query"
warm = 1
timeout_s = 20
with = { size = "tiny", query = "range" }
[scenario.answers]
"" = { rows = 8, digest = "00000000deadbeef" }
"#;

/// What the harness said and how it ended.
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// A temporary workspace.
pub(crate) struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// Makes one with the suite [`SMOKE`].
    pub(crate) fn new() -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap() };
        workspace.write("scenarios/suites/smoke.toml", SMOKE);
        workspace
    }

    /// Returns the path of a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a script that can be run.
    pub(crate) fn program(&self, name: &str, script: &str) {
        self.write(name, script);
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs the harness with a scripted engine.
    pub(crate) fn run_with(&self, script: &str, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).env("FAKE_ENGINE", script).output().unwrap();
        ran(output)
    }

    /// Runs the harness and requires an exit code.
    pub(crate) fn expect(&self, code: i32, script: &str, arguments: &[&str]) -> Ran {
        let ran = self.run_with(script, arguments);
        let Ran { stdout, stderr, .. } = &ran;
        assert_eq!(ran.code, code, "{arguments:?} with '{script}'\n{stdout}\n{stderr}");
        ran
    }

    /// Prepares a run of the harness.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PONDMARK_ROOT", self.folder.path())
            .env("PONDMARK_ENGINE", fake_engine())
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("PONDMARK_WORK")
            .env_remove("FAKE_STATE")
            .env("GIT_CEILING_DIRECTORIES", "/");
        command
    }

    /// Returns the folder of the latest run.
    pub(crate) fn latest(&self) -> PathBuf {
        let name = self.read("target/pondmark/runs/latest");
        self.path("target/pondmark/runs").join(name.trim())
    }

    /// Reads a file of the latest run.
    pub(crate) fn read_latest(&self, name: &str) -> String {
        std::fs::read_to_string(self.latest().join(name)).unwrap()
    }

    /// Blesses a good run of the suite.
    pub(crate) fn bless(&self) {
        self.expect(0, "", &["bench"]);
        self.expect(0, "", &["baseline", "bless", "--reason", "for a test"]);
    }

    /// Replaces what differs between runs and machines.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let run = self.latest().file_name().unwrap().to_string_lossy().into_owned();
        let root = self.path("").to_string_lossy().into_owned();
        let text = text.replace(&run, "[run]").replace(root.trim_end_matches('/'), "[root]");
        let lines = text.lines().map(|line| match line {
            line if line.starts_with("machine: ") => "machine: [machine]",
            line if line.starts_with("Run [run], engine") => "Run [run], [machine]",
            line => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("the harness ends by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Returns the path of the scripted engine.
pub(crate) fn fake_engine() -> PathBuf {
    let harness = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let engine = harness.with_file_name("examples").join("fake_engine");
    assert!(engine.is_file(), "cargo test builds examples: {}", engine.display());
    engine
}
