//! `report.html`, `junit.xml` and the schema of `report.json`: of every outcome, with markup in names, and in a browser.

use std::path::Path;
use std::process::Command;

use crate::beside::old_engine;
use crate::workspace::{Ran, Workspace};

/// Cells whose names look like markup.
pub(crate) const MARKUP: &str = r#"
about = "names that look like markup"

[[scenario]]
name = "<img/src/onerror/alert(1)>|`*"
about = "<b>bold</b>"
workload = "open"
warm = 1
timeout_s = 20
with = { size = "tiny" }
[scenario.answers]
"" = { rows = 8, digest = "00000000deadbeef" }
"#;

/// Reads the page of the latest run, and checks what holds for every page.
pub(crate) fn page_of(workspace: &Workspace, ran: &Ran) -> String {
    let page = workspace.read_latest("report.html");
    // It says what the terminal said.
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let verdict = ran.stdout.lines().last().unwrap();
    assert!(page.contains(&format!("<p class=\"line\">{}</p>", plain(verdict))), "{verdict}\n{page}");
    for line in ran.stdout.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        assert!(page.contains(&plain(line).replace('"', "&quot;")), "{line}");
    }
    // Nothing is fetched, and nothing from outside is a script.
    for attribute in ["src=\"", "href=\"http", "href=\"//", "url(", "@import"] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("default-src 'none'"));
    check_schema(&workspace.read_latest("report.json"));
    page
}

/// Checks a report against the published schema.
fn check_schema(report: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/report-2.json");
    let mut schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    close(&mut schema);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Refuses keys that the schema does not name: readers must leave them out, but here they were forgotten.
fn close(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(keys) => {
            keys.values_mut().for_each(close);
            if keys.get("type") == Some(&"object".into()) && keys.contains_key("properties") {
                keys.entry("additionalProperties").or_insert(false.into());
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn stored(code: i32, script: &str) -> (Workspace, String) {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(code, script, &["bench"]);
    let page = page_of(&workspace, &ran);
    (workspace, page)
}

fn beside(code: i32, script: &str) -> (Workspace, String) {
    let workspace = Workspace::new();
    let old = old_engine(&workspace);
    let ran = workspace.expect(code, script, &["bench", "smoke", "size=tiny", "--against", &old]);
    let page = page_of(&workspace, &ran);
    (workspace, page)
}

#[test]
fn a_page_says_how_each_run_came_out() {
    let check = |(_, page): (Workspace, String), tone: &str, word: &str| {
        assert!(page.contains(&format!("<header class=\"{tone}\">")), "{page}");
        assert!(page.contains(&format!("<h1>{word}</h1>")), "{page}");
    };
    check(stored(0, ""), "good", "PASS");
    check(stored(1, "open=extra-request"), "bad", "REGRESSION");
    check(stored(0, "open=fewer-rows"), "good", "PASS");
    check(stored(3, "query=unstable"), "doubt", "INCONCLUSIVE");
    check(stored(5, "query=crash"), "bad", "FAILED");
    check(beside(1, "open=percent-0;open@fake_engine=percent-5"), "bad", "REGRESSION");
    check(beside(0, "open=percent-9;open@fake_engine=percent-0"), "good", "PASS");
}

#[test]
fn what_changed_is_on_the_page_with_why_and_how_to_see_it() {
    let (_, page) = beside(1, "open=percent-0;open@fake_engine=percent-5");
    assert!(page.contains("<details class=\"card bad\" open>"), "{page}");
    assert!(page.contains("warm executions take"), "{page}");
    assert!(page.contains("cargo xtask bench 'smoke/open[size=tiny]' --against"), "{page}");
    assert!(page.contains("class=\"interval bad\""), "{page}");
    // The five views.
    for heading in [
        "Operation timing",
        "Cache effectiveness",
        "Query plans",
        "I/O access patterns",
        "Resource use over time",
    ] {
        assert!(page.contains(&format!(">{heading}</h2>")), "{heading}");
    }
    assert!(page.contains("Resources of suite smoke over the time of the run"), "{page}");
}

#[test]
fn a_contaminated_run_says_so() {
    let (workspace, _) = beside(1, "open=percent-0;open@fake_engine=percent-5");
    // The canary's head takes twice as long.
    let path = workspace.latest().join("samples.jsonl");
    let doubled = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["side"] == "canary_head" && line["line"] == "sample" {
            line["metrics"]["wall_ns"] = (2 * line["metrics"]["wall_ns"].as_u64().unwrap()).into();
        }
        format!("{line}\n")
    };
    let text: String = std::fs::read_to_string(&path).unwrap().lines().map(doubled).collect();
    std::fs::write(&path, text).unwrap();
    let ran = workspace.expect(3, "", &["report"]);
    let page = page_of(&workspace, &ran);
    assert!(page.contains("The machine moved while this was measured"), "{page}");
    assert!(page.contains("CONTAMINATED: the canary moved by"), "{page}");
}

#[test]
fn markup_in_names_stays_text() {
    let workspace = Workspace::new();
    workspace.write("scenarios/suites/markup.toml", MARKUP);
    let ran = workspace.expect(5, "<img/src/onerror/alert(1)>|`*=markup", &["bench", "markup"]);
    let page = page_of(&workspace, &ran);
    assert!(page.contains("&lt;img/src/onerror/alert(1)&gt;|`*"), "{page}");
    assert!(page.contains("&lt;/pre&gt;&lt;script&gt;alert(2)&lt;/script&gt;"), "{page}");
    assert!(!page.contains("<img"), "{page}");
    let junit = workspace.read_latest("junit.xml");
    assert!(junit.contains("&lt;img/src/onerror/alert(1)&gt;|`*"), "{junit}");
}

#[test]
fn junit_has_a_case_for_each_cell() {
    let (workspace, _) = stored(5, "open=extra-request;query=crash");
    let printed = workspace.expect(5, "", &["report", "--junit"]).stdout;
    assert_eq!(printed, workspace.read_latest("junit.xml"));
    let text: Vec<String> = printed.lines().map(without_time).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="pondmark" tests="3" skipped="0" failures="2" errors="1">
        <testsuite name="smoke" tests="3" skipped="0" errors="1" failures="2">
            <properties>
                <property name="revision" value="unknown"/>
                <property name="compared with" value="baseline baselines/smoke.json of revision unknown"/>
            </properties>
            <testcase name="open[size=tiny]" classname="smoke.open">
                <failure message="regressed cold store_data_requests: 8 → 9 requests, +12.5 %" type="regressed">regressed cold store_data_requests: 8 → 9 requests, +12.5 %
    regressed warm store_data_requests: 0 → 9 requests, from nothing
    again: cargo xtask bench &apos;smoke/open[size=tiny]&apos;</failure>
            </testcase>
            <testcase name="open[size=small]" classname="smoke.open">
                <failure message="regressed cold store_data_requests: 100 → 101 requests, +1.0 %" type="regressed">regressed cold store_data_requests: 100 → 101 requests, +1.0 %
    regressed warm store_data_requests: 0 → 101 requests, from nothing
    again: cargo xtask bench &apos;smoke/open[size=small]&apos;</failure>
            </testcase>
            <testcase name="query[]" classname="smoke.query">
                <error message="failed: process 0: the engine ended with exit code 101" type="failed">failed: process 0: the engine ended with exit code 101
    standard error ends with:
    thread &apos;main&apos; panicked at fake_engine: planned
    again: cargo xtask bench &apos;smoke/query[]&apos;</error>
                <system-err>thread &apos;main&apos; panicked at fake_engine: planned</system-err>
            </testcase>
            <system-out>FAILED: smoke: 1 failed, 2 regressed (exit code 5)</system-out>
        </testsuite>
    </testsuites>
    "#);
}

/// Removes how long something took.
fn without_time(line: &str) -> String {
    let Some((before, rest)) = line.split_once(" time=\"") else { return line.to_owned() };
    let (_, after) = rest.split_once('"').expect("an attribute is quoted");
    format!("{before}{after}")
}

#[test]
fn the_page_is_printed_where_asked() {
    let (workspace, page) = stored(1, "open=extra-request");
    assert_eq!(workspace.expect(1, "", &["report", "--html"]).stdout, page);
    workspace.expect(2, "", &["report", "--html", "--junit"]);
}

/// A run of two hundred cells.
fn two_hundred() -> (Workspace, String) {
    let workspace = Workspace::new();
    let series: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut suite = format!(
        "about = \"many\"\n[[scenario]]\nname = \"query\"\nabout = \"asks\"\nworkload = \"query\"\nwarm = 1\n\
         timeout_s = 20\nwith = {{ size = \"tiny\" }}\n\
         axes = [{{ name = \"query\", values = [\"point\", \"range\"] }}, {{ name = \"series\", values = {series:?} }}]\n\
         [scenario.answers]\n"
    );
    for query in ["point", "range"] {
        for number in &series {
            suite.push_str(&format!(
                "\"query={query} series={number}\" = {{ rows = 8, digest = \"00000000deadbeef\" }}\n"
            ));
        }
    }
    workspace.write("scenarios/suites/many.toml", &suite);
    let ran = workspace.expect(0, "", &["bench", "many", "--tier", "exact"]);
    let page = page_of(&workspace, &ran);
    (workspace, page)
}

#[test]
fn two_hundred_cells_fit() {
    let (_, page) = two_hundred();
    assert_eq!(page.matches("<tr data-verdict=").count(), 200);
    assert!(page.len() < 4 << 20, "{} bytes", page.len());
}

/// What the page's script does, tried by another script, which leaves what it saw in the title.
const TRIAL: &str = include_str!("page_trial.js");

#[test]
#[ignore = "needs a browser: cargo xtask ci page"]
fn the_script_sorts_filters_and_opens() {
    let (workspace, page) = two_hundred();
    // The policy of the page allows scripts within it only, as this one is.
    let page = page.replace("</body>", &format!("<script>{TRIAL}</script></body>"));
    workspace.write("trial.html", &page);
    let profile = workspace.path("browser");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--dump-dom",
        ])
        .args([
            "--no-first-run",
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=5000",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", workspace.path("trial.html").display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let title =
        text.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
    assert_eq!(
        title,
        "200;11;11 of 200 cells;query[query=range series=99];descending;true;0",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
