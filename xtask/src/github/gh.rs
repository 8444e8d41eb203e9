//! GitHub's API, through its command line `gh`, which knows the host and reads the token from the environment.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// The GitHub CLI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gh;

impl Gh {
    /// Gets a list, page by page; `fields` become parts of the address.
    pub(crate) fn list(self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let mut arguments = vec!["--method".to_owned(), "GET".to_owned(), "--paginate".to_owned()];
        for (name, value) in fields {
            // Raw, because a value that begins with an @ would otherwise be read from a file.
            arguments.extend(["--raw-field".to_owned(), format!("{name}={value}")]);
        }
        let text = run(path, &arguments, None)?;
        // One array after the other, or all in one, as the version of gh has it.
        let pages: Result<Vec<Vec<Value>>, _> =
            serde_json::Deserializer::from_str(&text).into_iter().collect();
        let pages = pages.with_context(|| format!("gh api {path} gave no list"))?;
        Ok(pages.into_iter().flatten().collect())
    }

    /// Sends an object, and returns what comes back.
    pub(crate) fn send(self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let arguments = ["--method", method, "--input", "-"].map(str::to_owned);
        let text = run(path, &arguments, Some(&body.to_string()))?;
        serde_json::from_str(&text).with_context(|| format!("gh api {path} gave no object"))
    }
}

fn run(path: &str, arguments: &[String], input: Option<&str>) -> anyhow::Result<String> {
    let mut child = Command::new("gh")
        .args(["api", path])
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start gh; install the GitHub CLI: https://cli.github.com")?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // A child that has ended says itself why.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().context("cannot wait for gh")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "gh api {path} failed: {}", error.trim());
    String::from_utf8(output.stdout).with_context(|| format!("gh api {path} gave no text"))
}
