//! `cargo xtask github`: what the workflows ask of GitHub.

use serde_json::json;

use super::print;
use crate::cli::{CommentOptions, GithubAction};
use crate::exit::Exit;
use crate::github::{Comment, Found, Gh, WorkflowRun, comment, find, reports};

/// Runs the command.
pub(crate) fn run(action: &GithubAction) -> anyhow::Result<Exit> {
    match action {
        GithubAction::Comment(options) => post(options),
    }
}

fn post(options: &CommentOptions) -> anyhow::Result<Exit> {
    let run = WorkflowRun::read(&options.event)?;
    if run.event != "pull_request" {
        print(&format!("run {} was for no pull request: nothing is posted\n", run.id))?;
        return Ok(Exit::Pass);
    }
    let comment = comment(&options.name, &run, &reports(&options.reports)?);
    if options.print {
        print(&comment.body)?;
        return Ok(Exit::Pass);
    }
    let gh = Gh;
    let number = match find(gh, &run)? {
        Found::Number(number) => number,
        Found::None(why) => {
            print(&format!("nothing is posted: {why}\n"))?;
            return Ok(Exit::Pass);
        }
    };
    let repository = &run.repository;
    let path = format!("repos/{repository}/issues/{number}/comments");
    let comments = gh.list(&path, &[("per_page", "100")])?;
    let body = json!({ "body": comment.body });
    let (what, sent) = match Comment::existing(&comments, &options.name, &options.author) {
        Some(id) => {
            ("updated", gh.send("PATCH", &format!("repos/{repository}/issues/comments/{id}"), &body)?)
        }
        None => ("posted", gh.send("POST", &path, &body)?),
    };
    let at = sent["html_url"].as_str().unwrap_or("at an address that was not told");
    print(&format!("{what} the comment on pull request {number}: {at}\n"))?;
    for report in &comment.left_out {
        print(&format!("there was no room for the report {report}\n"))?;
    }
    Ok(Exit::Pass)
}
