//! Reports where GitHub shows them: within its limits, and as one comment, posted through a played `gh`.

use serde_json::{Value, json};

use crate::workspace::{Ran, Workspace};

/// What a comment may have; GitHub takes 65,536 characters.
const COMMENT_BYTES: usize = 60_000;

/// A name that means something everywhere but in a name.
const WILD: &str = r"/a|b`c/<b>/@someone/#12/**/*.series";

/// Leaves a run of so many cells, each with one request more than its baseline in both phases, and one that is as it was.
fn wide(workspace: &Workspace, cells: usize) {
    let names: Vec<String> = (0..cells).map(|cell| format!("/{cell}/*.series")).collect();
    let patterns: Vec<&str> =
        std::iter::once(WILD).chain(names.iter().map(String::as_str)).take(cells).collect();
    let machine = json!({
        "cpu": "processor", "cores": 2, "memory_gib": 8, "kernel": "6.1", "rustc": "rustc 1.95.0",
        "os": "linux x86_64"
    });
    let context = json!({
        "revision": "1a2b3c4", "engine_version": "0.1.0", "profile": "release", "arch": "x86_64",
        "machine": machine
    });
    let mut planned = Vec::new();
    let mut lines = Vec::new();
    let mut base = serde_json::Map::new();
    for (place, pattern) in patterns.iter().chain([&"/same"]).enumerate() {
        let id = format!("wide/find[pattern={pattern}]");
        let cell = json!({
            "suite": "wide", "scenario": "find", "workload": "pattern", "point": [["pattern", pattern]],
            "parameters": { "size": "tiny", "pattern": pattern }, "expected": null
        });
        planned.push(json!({ "cell": cell, "warm": 1, "processes": 2, "timeout_s": 60 }));
        let more = u64::from(place < cells);
        base.insert(
            id.clone(),
            json!({ "cold": { "store_data_requests": 8 }, "warm": { "store_data_requests": 0 } }),
        );
        for process in 0..2 {
            for (iteration, phase) in ["cold", "warm"].iter().enumerate() {
                let requests = if iteration == 0 { 8 } else { 0 } + more;
                lines.push(json!({
                    "line": "sample", "cell": id, "side": "head", "process": process, "phase": phase,
                    "iteration": iteration,
                    "metrics": {
                        "wall_ns": 4_000_000, "stage.transaction.ns": 1_000_000, "store_data_requests": requests
                    },
                    "answer": { "rows": 8, "digest": "00000000deadbeef" }
                }));
            }
            lines.push(
                json!({ "line": "process", "cell": id, "side": "head", "process": process, "elapsed_ms": 5 }),
            );
        }
    }
    let ids: Vec<&String> = base.keys().collect();
    let run = format!("20260102T03040{}Z-wide", workspace_runs(workspace));
    let header = json!({
        "line": "header", "format": 2, "run": run, "started": "2026-01-02 03:04:05 UTC", "suite": "wide",
        "filters": [], "tier": "exact", "against": null, "engine_digest": "d", "context": context, "suite_cells": ids,
        "planned": planned
    });
    lines.insert(0, header);
    lines.push(json!({ "line": "end", "ended": "2026-01-02 03:05:05 UTC", "processes_cut": 0 }));
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    workspace.write(&format!("target/pondmark/runs/{run}/samples.jsonl"), &(text.join("\n") + "\n"));
    workspace.write("target/pondmark/runs/latest", &run);
    let mut baseline = context;
    let more = json!({
        "format": 1, "suite": "wide", "reason": "for a test", "cells": base, "unstable": {}, "medians": {}
    });
    baseline.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    workspace.write("baselines/wide.json", &baseline.to_string());
    workspace.write("scenarios/suites/wide.toml", "about = \"wide\"\n\n[[scenario]]\nname = \"find\"\n");
}

fn workspace_runs(workspace: &Workspace) -> usize {
    workspace.path("target/pondmark/runs").read_dir().map_or(0, Iterator::count)
}

#[test]
fn five_changed_cells_in_a_comment() {
    let workspace = Workspace::new();
    wide(&workspace, 5);
    let ran = workspace.expect(0, "", &["report", "--markdown=comment"]);
    insta::assert_snapshot!(ran.stdout, @r#"
    <!-- pondmark:wide -->
    ## ❌ REGRESSION: wide: 5 regressed, 1 unchanged (exit code 1)

    Revision 1a2b3c4, compared with baseline baselines/wide.json of revision 1a2b3c4.

    | verdict | cell | phase | metric | what |
    | :-- | :-- | :-- | :-- | :-- |
    | regressed | <code>wide/find[pattern=/a&#124;b&#96;c/&lt;b&gt;/@&#8203;someone/#&#8203;12/&#42;&#42;/&#42;.series]</code> | cold | store_data_requests | 8 → 9 requests, +12.5 % |
    | regressed | <code>wide/find[pattern=/a&#124;b&#96;c/&lt;b&gt;/@&#8203;someone/#&#8203;12/&#42;&#42;/&#42;.series]</code> | warm | store_data_requests | 0 → 1 requests, from nothing |
    | regressed | `wide/find[pattern=/0/*.series]` | cold | store_data_requests | 8 → 9 requests, +12.5 % |
    | regressed | `wide/find[pattern=/0/*.series]` | warm | store_data_requests | 0 → 1 requests, from nothing |
    | regressed | `wide/find[pattern=/1/*.series]` | cold | store_data_requests | 8 → 9 requests, +12.5 % |
    | regressed | `wide/find[pattern=/1/*.series]` | warm | store_data_requests | 0 → 1 requests, from nothing |
    | regressed | `wide/find[pattern=/2/*.series]` | cold | store_data_requests | 8 → 9 requests, +12.5 % |
    | regressed | `wide/find[pattern=/2/*.series]` | warm | store_data_requests | 0 → 1 requests, from nothing |
    | regressed | `wide/find[pattern=/3/*.series]` | cold | store_data_requests | 8 → 9 requests, +12.5 % |
    | regressed | `wide/find[pattern=/3/*.series]` | warm | store_data_requests | 0 → 1 requests, from nothing |

    To see it again:

    <pre>cargo xtask bench 'wide/find[pattern=/a&#124;b&#96;c/&lt;b&gt;/@&#8203;someone/#&#8203;12/&#42;&#42;/&#42;.series]' --tier exact
    cargo xtask bench 'wide/find[pattern=/0/&#42;.series]' --tier exact
    cargo xtask bench 'wide/find[pattern=/1/&#42;.series]' --tier exact
    cargo xtask bench 'wide/find[pattern=/2/&#42;.series]' --tier exact
    cargo xtask bench 'wide/find[pattern=/3/&#42;.series]' --tier exact</pre>

    **Notes**

    - times not compared: the tier is exact

    <details><summary>All cells</summary>

    | cell | cold | ± | warm | ± | cold CPU | peak RSS | rows | verdict |
    | :-- | --: | --: | --: | --: | --: | --: | --: | :-- |
    | find[pattern=/a\|b\`c/&lt;b&gt;/@&#8203;someone/#&#8203;12/\*\*/\*.series] | 4.00 ms | 0 ns | 4.00 ms | 0 ns | – | – | 8 | regressed |
    | find[pattern=/0/\*.series] | 4.00 ms | 0 ns | 4.00 ms | 0 ns | – | – | 8 | regressed |
    | find[pattern=/1/\*.series] | 4.00 ms | 0 ns | 4.00 ms | 0 ns | – | – | 8 | regressed |
    | find[pattern=/2/\*.series] | 4.00 ms | 0 ns | 4.00 ms | 0 ns | – | – | 8 | regressed |
    | find[pattern=/3/\*.series] | 4.00 ms | 0 ns | 4.00 ms | 0 ns | – | – | 8 | regressed |
    | find[pattern=/same] | 4.00 ms | 0 ns | 4.00 ms | 0 ns | – | – | 8 | unchanged |

    </details>

    <details><summary>Stages, cold, medians of time</summary>

    | cell | stage | time | share |
    | :-- | :-- | --: | --: |
    | find[pattern=/a\|b\`c/&lt;b&gt;/@&#8203;someone/#&#8203;12/\*\*/\*.series] | transaction | 1.00 ms | 25.0 % |
    | find[pattern=/0/\*.series] | transaction | 1.00 ms | 25.0 % |
    | find[pattern=/1/\*.series] | transaction | 1.00 ms | 25.0 % |
    | find[pattern=/2/\*.series] | transaction | 1.00 ms | 25.0 % |
    | find[pattern=/3/\*.series] | transaction | 1.00 ms | 25.0 % |
    | find[pattern=/same] | transaction | 1.00 ms | 25.0 % |

    </details>

    Charts and the page are in the artifacts of the run.

    <details><summary>Machine</summary>

    Run 20260102T030400Z-wide, engine 0.1.0 (release build). processor, 2 cores, 8 GiB, linux x86_64, kernel 6.1, rustc 1.95.0.

    </details>
    "#);
}

#[test]
fn what_does_not_fit_is_cut_at_whole_rows_and_counted() {
    for cells in [5, 50, 500] {
        let workspace = Workspace::new();
        wide(&workspace, cells);
        let comment = workspace.expect(0, "", &["report", "--markdown=comment"]).stdout;
        let summary = workspace.expect(0, "", &["report", "--markdown=summary"]).stdout;
        for (text, most) in [(&comment, COMMENT_BYTES / 2), (&summary, 1 << 20)] {
            assert!(text.len() <= most, "{cells}: {} of {most}", text.len());
            whole(text);
            assert!(text.contains(&format!("REGRESSION: wide: {cells} regressed, 1 unchanged")), "{text}");
            let rows = text.lines().filter(|line| line.starts_with("| regressed |")).count();
            let cut = 2 * cells - rows;
            let said = text.contains(&format!("{cut} of {} rows of “Findings”", 2 * cells));
            assert_eq!(said, cut > 0, "{cells}: {rows} rows\n{text}");
            assert!(!text.contains("]("), "{cells}");
        }
        // A comment holds what comes first, the summary of a job all of it.
        assert_eq!(comment.contains("**Cut to what GitHub takes.** Left out: "), cells == 500, "{comment}");
        assert!(!summary.contains("Cut to"), "{cells}");
        // Nothing is drawn again by what only prints.
        assert!(!workspace.latest().join("charts").exists());
    }
}

/// Checks that nothing is open at the end, and that no row is a part of one.
fn whole(text: &str) {
    let count = |what: &str| text.matches(what).count();
    assert_eq!(count("<details>"), count("</details>"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("```")).count() % 2, 0, "{text}");
    for row in text.lines().filter(|line| line.starts_with('|')) {
        assert!(row.ends_with(" |"), "{row}");
    }
}

#[test]
fn several_runs_share_a_comment() {
    let workspace = Workspace::new();
    for cells in [500, 500, 2] {
        wide(&workspace, cells);
    }
    let ran = workspace.expect(0, "", &["report", "--all", "--markdown=comment"]);
    assert!(ran.stdout.len() <= COMMENT_BYTES / 2, "{}", ran.stdout.len());
    assert!(ran.stdout.starts_with("<!-- pondmark:wide-wide-wide -->\n## ❌ "), "{}", ran.stdout);
    // The baseline is that of the last run, so the cells of the others that it lacks are incomparable.
    assert_eq!(ran.stdout.matches("\n## ").count(), 3, "{}", ran.stdout);
    whole(&ran.stdout);
    let ran = Workspace::new().expect(0, "", &["report", "--all", "--markdown=summary"]);
    assert_eq!(ran.stdout, "No run is kept in target/pondmark/runs: nothing was measured.\n");
}

#[test]
fn cells_that_do_not_pass_are_annotated() {
    let workspace = Workspace::new();
    wide(&workspace, 1);
    let ran = workspace.expect(0, "", &["report", "--annotations"]);
    insta::assert_snapshot!(ran.stdout, @r#"::error file=scenarios/suites/wide.toml,line=4,title=wide/find[pattern=/a|b`c/<b>/@someone/#12/**/*.series] regressed::cold store_data_requests 8 → 9 requests, +12.5 %25%0Awarm store_data_requests 0 → 1 requests, from nothing%0Aagain: cargo xtask bench 'wide/find[pattern=/a|b`c/<b>/@someone/#12/**/*.series]' --tier exact"#);
    wide(&workspace, 50);
    let ran = workspace.expect(0, "", &["report", "--annotations"]);
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("::error ")).count(), 10, "{}", ran.stdout);
    assert!(ran.stdout.contains("::error title=and 41 cells more::"), "{}", ran.stdout);
}

/// The commit that the run was for.
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// Plays gh: answers from files, and keeps what it was asked and sent.
const GH: &str = r#"#!/bin/sh
echo "$@" >> asked
case "$*" in
    *POST*|*PATCH*) cat > sent.json; echo '{"html_url":"https://github.com/home/pond/pull/3#c"}' ;;
    *comments*) cat comments.json ;;
    *pulls*) cat pulls.json ;;
esac
"#;

fn played() -> Workspace {
    let workspace = Workspace::new();
    workspace.program("bin/gh", GH);
    let run = json!({
        "id": 7, "event": "pull_request", "conclusion": "failure", "head_sha": SHA, "head_branch": "faster",
        "html_url": "https://github.com/home/pond/actions/runs/7", "head_repository": { "full_name": "guest/pond" }
    });
    let event = json!({ "repository": { "full_name": "home/pond" }, "workflow_run": run });
    workspace.write("event.json", &event.to_string());
    let head = json!({ "ref": "faster", "sha": SHA, "repo": { "full_name": "guest/pond" } });
    workspace.write("pulls.json", &json!([{ "number": 3, "head": head }]).to_string());
    // Two pages, as gh prints them.
    workspace.write("comments.json", "[{\"id\":1,\"body\":\"first\",\"user\":{\"login\":\"someone\"}}][]");
    workspace.write("reports/comment-exact/comment.md", "<!-- pondmark:smoke -->\n## PASS for @everybody\n");
    workspace
}

fn comment(workspace: &Workspace, code: i32, more: &[&str]) -> Ran {
    let path = format!("{}:{}", workspace.path("bin").display(), std::env::var("PATH").unwrap());
    let arguments = [&["github", "comment", "reports", "--event", "event.json"], more].concat();
    let output = workspace.command(&arguments).env("PATH", path).output().unwrap();
    let ran = Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    ran
}

#[test]
fn a_comment_is_posted_and_then_kept_up_to_date() {
    let workspace = played();
    let ran = comment(&workspace, 0, &[]);
    assert_eq!(ran.stdout, "posted the comment on pull request 3: https://github.com/home/pond/pull/3#c\n");
    insta::assert_snapshot!(workspace.read("asked"), @r"
    api repos/home/pond/pulls --method GET --paginate --raw-field state=open --raw-field head=guest:faster --raw-field per_page=100
    api repos/home/pond/issues/3/comments --method GET --paginate --raw-field per_page=100
    api repos/home/pond/issues/3/comments --method POST --input -
    ");
    let sent: Value = serde_json::from_str(&workspace.read("sent.json")).unwrap();
    let body = sent["body"].as_str().unwrap();
    assert!(body.starts_with("<!-- pondmark:bench -->\nPondmark measured 0123456 in [this run]("), "{body}");
    assert!(body.ends_with("\n\n## PASS for @&#8203;everybody\n"), "{body}");

    let own = json!([{ "id": 11, "body": body, "user": { "login": "github-actions[bot]" } }]);
    workspace.write("comments.json", &own.to_string());
    workspace.write("asked", "");
    let ran = comment(&workspace, 0, &[]);
    assert!(ran.stdout.starts_with("updated the comment on pull request 3"), "{}", ran.stdout);
    assert!(workspace.read("asked").contains("api repos/home/pond/issues/comments/11 --method PATCH"));
}

#[test]
fn nothing_is_posted_where_it_does_not_belong() {
    let workspace = played();
    let pulls = workspace.read("pulls.json");
    workspace.write("pulls.json", &pulls.replace(SHA, &SHA.replace('0', "1")));
    let ran = comment(&workspace, 0, &[]);
    assert!(
        ran.stdout.contains("nothing is posted: the pull request has moved on from 0123456"),
        "{}",
        ran.stdout
    );
    workspace.write("pulls.json", "[]");
    let ran = comment(&workspace, 0, &[]);
    assert!(
        ran.stdout.contains("no open pull request is from the branch 'faster' of guest/pond"),
        "{}",
        ran.stdout
    );
    workspace.write("event.json", &workspace.read("event.json").replace("\"pull_request\"", "\"push\""));
    let ran = comment(&workspace, 0, &[]);
    assert_eq!(ran.stdout, "run 7 was for no pull request: nothing is posted\n");
    assert!(!workspace.path("sent.json").exists());
}

#[test]
fn what_goes_wrong_is_said() {
    let workspace = played();
    workspace.program("bin/gh", "#!/bin/sh\necho 'HTTP 403: Resource not accessible' >&2\nexit 1\n");
    let ran = comment(&workspace, 2, &[]);
    let expect = "gh api repos/home/pond/pulls failed: HTTP 403: Resource not accessible";
    assert!(ran.stderr.contains(expect), "{}", ran.stderr);
    std::os::unix::fs::symlink("/etc/hostname", workspace.path("reports/comment-exact/other.md")).unwrap();
    let ran = comment(&workspace, 2, &[]);
    assert!(ran.stderr.contains("other.md is neither a file nor a folder"), "{}", ran.stderr);
    workspace.write("event.json", "{}");
    let ran = comment(&workspace, 2, &[]);
    assert!(ran.stderr.contains("this is no event workflow_run"), "{}", ran.stderr);
}

#[test]
fn reports_of_the_harness_come_through_whole() {
    let workspace = played();
    for (job, cells) in [("exact", 500), ("time", 50)] {
        wide(&workspace, cells);
        let report = workspace.expect(0, "", &["report", "--markdown=comment"]).stdout;
        workspace.write(&format!("reports/comment-{job}/comment.md"), &report);
    }
    let body = comment(&workspace, 0, &["--print"]).stdout;
    assert!(body.len() <= COMMENT_BYTES, "{}", body.len());
    assert!(!body.contains("There was no room"), "{body}");
    for job in ["exact", "time"] {
        let report = workspace.read(&format!("reports/comment-{job}/comment.md"));
        let (_, report) = report.split_once('\n').unwrap();
        assert!(body.contains(report.trim()), "{job}");
    }
    assert!(!workspace.path("asked").exists(), "nothing is asked of GitHub");
}
