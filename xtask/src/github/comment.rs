//! The comment: what it says, and which of those on a pull request it is.

use serde_json::Value;

use super::event::WorkflowRun;
use crate::report::{COMMENT_BYTES, defused};
use crate::units;

/// What is to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    /// The Markdown.
    pub(crate) body: String,
    /// What did not fit.
    pub(crate) left_out: Vec<String>,
}

/// Returns the hidden first line by which a comment is found again.
fn marker(name: &str) -> String {
    format!("<!-- pondmark:{} -->", units::slug(name))
}

/// Makes the comment of a run's reports, each a name and its Markdown.
pub(crate) fn comment(name: &str, run: &WorkflowRun, reports: &[(String, String)]) -> Comment {
    let mut body = format!(
        "{}\nPondmark measured {} in [this run]({}), whose artifacts have all records, reports and charts.\n",
        marker(name),
        run.short_sha(),
        run.url
    );
    if reports.is_empty() {
        body.push_str(&format!(
            "\nIt ended with “{}” and left no report; its log says why.\n",
            run.conclusion
        ));
    }
    let mut left_out: Vec<String> = Vec::new();
    for (name, markdown) in reports {
        let report = defused(without_marker(markdown).trim());
        // Room for a line that says what is left out.
        if body.len() + report.len() + 400 > COMMENT_BYTES {
            left_out.push(units::slug(name).chars().take(40).collect());
        } else {
            body.push_str(&format!("\n{report}\n"));
        }
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        body.push_str(&format!("\nThere was no room for {names}; the run has a summary of each.\n"));
    }
    assert!(body.len() <= COMMENT_BYTES, "a comment has room for its reports");
    Comment { body, left_out }
}

impl Comment {
    /// Finds the comment that is there already: the first with its marker that the same author wrote.
    pub(crate) fn existing(comments: &[Value], name: &str, author: &str) -> Option<u64> {
        let marker = marker(name);
        let is_own = |comment: &&Value| {
            let first = comment["body"].as_str().and_then(|body| body.lines().next());
            comment["user"]["login"] == author && first.map(str::trim) == Some(marker.as_str())
        };
        comments.iter().find(is_own)?["id"].as_u64()
    }
}

/// Takes away the first line of a report that is to be found by it, for it is not alone here.
fn without_marker(markdown: &str) -> &str {
    match markdown.split_once('\n') {
        Some((first, rest)) if first.starts_with("<!-- pondmark:") && first.trim_end().ends_with("-->") => {
            rest
        }
        _ => markdown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run() -> WorkflowRun {
        WorkflowRun {
            repository: "home/pond".to_owned(),
            id: 7,
            event: "pull_request".to_owned(),
            conclusion: "failure".to_owned(),
            url: "https://github.com/home/pond/actions/runs/7".to_owned(),
            head_sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            head_branch: "faster".to_owned(),
            head_repository: Some("guest/pond".to_owned()),
        }
    }

    fn report(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn reports_of_strangers_are_made_harmless() {
        let exact = "<!-- pondmark:smoke -->\n## ❌ REGRESSION: smoke\n\n<details><summary>All</summary>\n\n</details>\n";
        let time = "Thanks to @everybody, <img src=x> ![x](https://host/x)\n<!-- pondmark:bench -->\n";
        let made = comment("bench", &run(), &[report("comment-exact", exact), report("comment-time", time)]);
        insta::assert_snapshot!(made.body, @r#"
        <!-- pondmark:bench -->
        Pondmark measured 0123456 in [this run](https://github.com/home/pond/actions/runs/7), whose artifacts have all records, reports and charts.

        ## ❌ REGRESSION: smoke

        <details><summary>All</summary>

        </details>

        Thanks to @&#8203;everybody, &lt;img src=x> ![x]&#40;https:&#47;/host/x)
        &lt;!-- pondmark:bench -->
        "#);
    }

    #[test]
    fn a_run_without_reports_says_so() {
        let made = comment("bench", &run(), &[]);
        assert!(made.body.contains("It ended with “failure” and left no report"), "{}", made.body);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let long = "@a\n".repeat(20_000);
        let reports = [report("first", "short"), report("second", &long), report("third", "last")];
        let made = comment("bench", &run(), &reports);
        assert_eq!(made.left_out, ["second"]);
        assert!(made.body.len() <= COMMENT_BYTES);
        assert!(made.body.contains("short") && made.body.contains("last"));
        assert!(made.body.contains("There was no room for second;"), "{}", made.body);
    }

    #[test]
    fn only_the_own_comment_is_taken() {
        let of =
            |id: u64, login: &str, body: &str| json!({ "id": id, "user": { "login": login }, "body": body });
        let own = "<!-- pondmark:bench -->\r\ntext";
        let check = |comments: &[Value], expect| {
            assert_eq!(Comment::existing(comments, "bench", "github-actions[bot]"), expect);
        };
        check(&[of(1, "someone", own), of(2, "github-actions[bot]", own)], Some(2));
        check(&[of(1, "someone", own)], None);
        check(&[of(1, "github-actions[bot]", "text\n<!-- pondmark:bench -->")], None);
        check(&[of(1, "github-actions[bot]", "<!-- pondmark:nightly -->\ntext")], None);
        check(&[], None);
    }
}
