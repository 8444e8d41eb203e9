//! Which pull request a run was for.
//!
//! Of a fork the event does not say, and what a run writes about itself could be another one's. So GitHub is asked for
//! the open ones from that branch, and the one whose head is the commit of the run is it.

use anyhow::bail;
use serde_json::Value;

use super::event::WorkflowRun;
use super::gh::Gh;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The number of the pull request.
    Number(u64),
    /// There is none; said in words.
    None(String),
}

/// Finds the pull request of a run.
pub(crate) fn find(gh: Gh, run: &WorkflowRun) -> anyhow::Result<Found> {
    let Some(repository) = &run.head_repository else {
        return Ok(Found::None(format!("the repository of the branch '{}' is gone", run.head_branch)));
    };
    let owner = repository.split('/').next().unwrap_or_default();
    let head = format!("{owner}:{}", run.head_branch);
    let fields = [("state", "open"), ("head", head.as_str()), ("per_page", "100")];
    let pulls = gh.list(&format!("repos/{}/pulls", run.repository), &fields)?;
    choose(&pulls, run, repository)
}

fn choose(pulls: &[Value], run: &WorkflowRun, repository: &str) -> anyhow::Result<Found> {
    let of_branch = pulls.iter().filter(|pull| {
        let head = &pull["head"];
        head["ref"] == run.head_branch.as_str() && head["repo"]["full_name"] == repository
    });
    let of_branch: Vec<&Value> = of_branch.collect();
    if of_branch.is_empty() {
        let branch = &run.head_branch;
        return Ok(Found::None(format!(
            "no open pull request is from the branch '{branch}' of {repository}"
        )));
    }
    let at_head = of_branch.iter().filter(|pull| pull["head"]["sha"] == run.head_sha.as_str());
    let numbers: Vec<u64> = at_head.filter_map(|pull| pull["number"].as_u64()).collect();
    match numbers[..] {
        [number] => Ok(Found::Number(number)),
        [] => Ok(Found::None(format!(
            "the pull request has moved on from {}; the run of its new head will report",
            run.short_sha()
        ))),
        _ => bail!(
            "{} pull requests have {} at their heads, and which of them the run was for is not known; close the others",
            numbers.len(),
            run.short_sha()
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::github::event::tests::event;

    #[test]
    fn the_pull_request_is_the_one_with_the_commit_at_its_head() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.json");
        std::fs::write(&path, event()).unwrap();
        let run = WorkflowRun::read(&path).unwrap();
        let pull = |number: u64, repository: &str, branch: &str, sha: &str| {
            let head = json!({ "ref": branch, "sha": sha, "repo": { "full_name": repository } });
            json!({ "number": number, "head": head })
        };
        let check = |pulls: &[Value], expect: &str| {
            let found = match choose(pulls, &run, "guest/pond") {
                Ok(Found::Number(number)) => number.to_string(),
                Ok(Found::None(why)) => why,
                Err(error) => error.to_string(),
            };
            assert!(found.contains(expect), "{found}");
        };
        let sha = run.head_sha.as_str();
        check(&[pull(3, "guest/pond", "faster", sha)], "3");
        check(&[pull(2, "guest/pond", "faster", "other"), pull(3, "guest/pond", "faster", sha)], "3");
        check(&[], "no open pull request is from the branch 'faster' of guest/pond");
        check(&[pull(3, "guest/other", "faster", sha)], "no open pull request");
        check(&[pull(3, "guest/pond", "slower", sha)], "no open pull request");
        check(&[pull(3, "guest/pond", "faster", "new")], "has moved on from 0123456");
        check(
            &[pull(3, "guest/pond", "faster", sha), pull(4, "guest/pond", "faster", sha)],
            "2 pull requests",
        );
    }
}
