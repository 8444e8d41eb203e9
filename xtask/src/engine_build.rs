//! Builds binaries of the workspace in release and finds them, without guessing where cargo puts them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cargo;
use crate::engine_store::{BuildLock, Engine};
use crate::exit::{Exit, Stop};
use crate::interrupt::{self, Group};
use crate::paths::Paths;

/// Returns the engine: the given binary, or a copy of a fresh release build of `pond`.
pub(crate) fn engine(paths: &Paths, given: Option<&Path>) -> anyhow::Result<Engine> {
    let Some(given) = given else {
        let lock = BuildLock::take(paths)?;
        return lock.keep_by_digest(paths, &build(paths, "engine", "pond")?);
    };
    match given.canonicalize() {
        Ok(path) if path.is_file() => self::given(paths, path),
        _ => bail!("no engine at {}; give --engine the path of a pond binary", given.display()),
    }
}

/// Takes a binary that was given: where it is, unless a build may replace it there.
pub(crate) fn given(paths: &Paths, binary: PathBuf) -> anyhow::Result<Engine> {
    if !binary.starts_with(&paths.target) || binary.starts_with(paths.target.join("pondmark")) {
        return Engine::in_place(binary);
    }
    BuildLock::take(paths)?.keep_by_digest(paths, &binary)
}

/// Builds a binary in release and returns its path; cargo's progress goes to standard error.
pub(crate) fn build(paths: &Paths, package: &str, binary: &str) -> anyhow::Result<PathBuf> {
    run(cargo::guarded()?.current_dir(&paths.root), package, binary, &[], &[])
}

/// Builds the engine of another checkout, with the dependencies in its lock file and those of the target folder that
/// are built already.
///
/// Cargo takes the settings of every folder above the one it runs in, and the checkout lies below the workspace: it
/// runs above the workspace, and is told where the checkout's own settings are. `for_binary` is for the compiler, when it
/// compiles and links the binary itself.
pub(crate) fn build_at(
    paths: &Paths,
    checkout: &Path,
    arguments: &[&str],
    for_binary: &[&str],
) -> anyhow::Result<PathBuf> {
    let mut command = cargo::guarded()?;
    command.current_dir(paths.root.parent().unwrap_or(&paths.root)).env("CARGO_TARGET_DIR", &paths.target);
    let path = |name: &str| checkout.join(name).display().to_string();
    let (manifest, own) = (path("Cargo.toml"), path(".cargo/config.toml"));
    let mut all = vec!["--locked", "--manifest-path", &manifest];
    if Path::new(&own).is_file() {
        all.extend(["--config", &own]);
    }
    run(&mut command, "engine", "pond", &[&all, arguments].concat(), for_binary)
}

fn run(
    command: &mut Command,
    package: &str,
    binary: &str,
    arguments: &[&str],
    for_binary: &[&str],
) -> anyhow::Result<PathBuf> {
    // `rustc` is `build` with flags for the last crate.
    let verb = if for_binary.is_empty() { "build" } else { "rustc" };
    let mut child = command
        .args([verb, "--release", "--package", package, "--bin", binary])
        .arg("--message-format=json-render-diagnostics")
        .args(arguments)
        .args(for_binary.first().map(|_| "--"))
        .args(for_binary)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let group = Group::led_by(&child);
    // Closed when this ends, however it ends.
    let _input = child.stdin.take();
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut found = None;
    for line in BufReader::new(stdout).lines() {
        found = executable(&line?, binary).or(found);
    }
    drop(group);
    let status = child.wait()?;
    interrupt::check()?;
    if !status.success() {
        let message = format!("cargo could not build {binary} of package {package} ({status})");
        return Err(Stop::error(Exit::Failed, message));
    }
    found.with_context(|| format!("cargo built package {package} but named no executable '{binary}'"))
}

/// Returns the executable that a line of cargo's JSON output names, if it is the binary asked for.
fn executable(line: &str, binary: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["name"] != binary {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}

/// Computes a digest of a file: 64-bit FNV-1a over eight bytes at a time, enough to tell builds apart.
pub(crate) fn digest(path: &Path) -> anyhow::Result<String> {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut buffer = vec![0; 1 << 20];
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        for word in buffer[..filled].chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            hash = (hash ^ u64::from_le_bytes(bytes)).wrapping_mul(PRIME);
            hash ^= hash >> 32;
        }
        if filled < buffer.len() {
            return Ok(format!("{hash:016x}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_binary_asked_for_is_taken() {
        let check = |line, expect: Option<&str>| {
            assert_eq!(executable(line, "pond"), expect.map(PathBuf::from), "{line}");
        };
        check(
            r#"{"reason":"compiler-artifact","target":{"name":"pond"},"executable":"/t/pond"}"#,
            Some("/t/pond"),
        );
        check(r#"{"reason":"compiler-artifact","target":{"name":"pond"},"executable":null}"#, None);
        check(r#"{"reason":"compiler-artifact","target":{"name":"datagen"},"executable":"/t/d"}"#, None);
        check("not json", None);
    }

    #[test]
    fn digests_differ_by_content_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let digest_of = |content: &[u8]| {
            let path = folder.path().join("file");
            std::fs::write(&path, content).unwrap();
            digest(&path).unwrap()
        };
        assert_eq!(digest_of(b"abc"), digest_of(b"abc"));
        assert_ne!(digest_of(b"abcdefgh12345678"), digest_of(b"12345678abcdefgh"));
        let mut long = vec![7; (1 << 20) + 3];
        let before = digest_of(&long);
        *long.last_mut().unwrap() = 8;
        assert_ne!(digest_of(&long), before);
    }
}
