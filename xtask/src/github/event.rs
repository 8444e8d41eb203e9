//! The event that a workflow ended: what GitHub itself says of it. Whatever is made a part of a request is checked.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// A run of a workflow that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkflowRun {
    /// The repository that the workflow belongs to, as OWNER/NAME.
    pub(crate) repository: String,
    /// The number of the run.
    pub(crate) id: u64,
    /// What started it, such as `pull_request`.
    pub(crate) event: String,
    /// How it ended, such as `success`.
    pub(crate) conclusion: String,
    /// Where it can be looked at.
    pub(crate) url: String,
    /// The commit at the head of the branch that it was for.
    pub(crate) head_sha: String,
    /// That branch.
    pub(crate) head_branch: String,
    /// The repository of the branch, as OWNER/NAME; none if it is gone.
    pub(crate) head_repository: Option<String>,
}

// The form is GitHub's, who may add to it.
#[derive(Deserialize)]
struct Event {
    repository: Repository,
    workflow_run: Run,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    event: String,
    conclusion: Option<String>,
    html_url: String,
    head_sha: String,
    head_branch: Option<String>,
    head_repository: Option<Repository>,
}

impl WorkflowRun {
    /// Reads the file of an event.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the event at {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{}", path.display()))
    }

    /// Reads the text of an event.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let event: Event = serde_json::from_str(text)
            .context("this is no event workflow_run; the command is for a workflow with that trigger")?;
        let run = event.workflow_run;
        let names = [Some(&event.repository), run.head_repository.as_ref()];
        for name in names.into_iter().flatten().map(|repository| &repository.full_name) {
            ensure!(is_repository(name), "'{name}' is no name of a repository");
        }
        ensure!(is_commit(&run.head_sha), "'{}' is no commit", run.head_sha);
        let url = &run.html_url;
        let is_url = url.starts_with("https://") && url.chars().all(|letter| letter.is_ascii_graphic());
        ensure!(is_url && !url.contains(['(', ')', '<', '>']), "'{url}' is no address of a run");
        Ok(Self {
            repository: event.repository.full_name,
            id: run.id,
            event: run.event,
            conclusion: run.conclusion.unwrap_or_else(|| "no conclusion".to_owned()),
            url: run.html_url,
            head_sha: run.head_sha,
            head_branch: run.head_branch.unwrap_or_default(),
            head_repository: run.head_repository.map(|repository| repository.full_name),
        })
    }

    /// Returns the commit in short.
    pub(crate) fn short_sha(&self) -> &str {
        &self.head_sha[..7]
    }
}

/// Tells whether a text is OWNER/NAME, of letters that mean nothing in an address.
fn is_repository(name: &str) -> bool {
    let is_plain = |part: &str| {
        let mut letters = part.chars();
        !part.is_empty()
            && part != "."
            && part != ".."
            && letters.all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    name.split_once('/').is_some_and(|(owner, name)| is_plain(owner) && is_plain(name))
}

fn is_commit(sha: &str) -> bool {
    sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An event of a pull request from a fork.
    pub(in crate::github) fn event() -> String {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        format!(
            r#"{{"action":"completed","repository":{{"full_name":"home/pond","id":1}},"workflow_run":{{"id":7,
            "event":"pull_request","conclusion":"failure","html_url":"https://github.com/home/pond/actions/runs/7",
            "head_sha":"{sha}","head_branch":"faster","head_repository":{{"full_name":"guest/pond"}},
            "pull_requests":[]}}}}"#
        )
    }

    #[test]
    fn an_event_is_read() {
        let run = WorkflowRun::parse(&event()).unwrap();
        assert_eq!((run.repository.as_str(), run.id), ("home/pond", 7));
        assert_eq!(run.head_repository.as_deref(), Some("guest/pond"));
        assert_eq!((run.head_branch.as_str(), run.short_sha()), ("faster", "0123456"));
        let gone = event().replace(r#"{"full_name":"guest/pond"}"#, "null");
        assert_eq!(WorkflowRun::parse(&gone).unwrap().head_repository, None);
    }

    #[test]
    fn what_would_become_part_of_a_request_is_checked() {
        let check = |from: &str, to: &str, expect: &str| {
            let error = WorkflowRun::parse(&event().replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("home/pond\",\"id", "home/../pond\",\"id", "is no name of a repository");
        check("guest/pond", "guest", "is no name of a repository");
        check("guest/pond", "guest/a?b", "is no name of a repository");
        check("0123456789abcdef0", "main", "is no commit");
        check("https://github.com", "javascript:", "is no address of a run");
        check("workflow_run", "pull_request", "this is no event workflow_run");
    }
}
