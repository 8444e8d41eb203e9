//! Suites: what they expand to, and what they refuse.

use std::path::Path;

use scenarios::{DocumentError, Suite};

const GOOD: &str = r#"
about = "a suite for this test"

[[scenario]]
name = "export"
about = "exports"
workload = "export"
with = { pattern = "/**" }
axes = [
  { name = "size", values = ["tiny", "small"] },
  { name = "temporal", values = ["year,month", ""] },
]

[scenario.answers]
"size=tiny temporal=" = { rows = 7, digest = "00" }
"#;

fn parse(text: &str) -> Result<Suite, DocumentError> {
    Suite::parse(Path::new("suites/good.toml"), text)
}

#[test]
fn axes_expand_with_the_first_slowest() {
    let cells = parse(GOOD).unwrap().cells();
    let ids: Vec<String> = cells.iter().map(scenarios::Cell::id).collect();
    assert_eq!(
        ids,
        [
            "good/export[size=tiny temporal=year,month]",
            "good/export[size=tiny temporal=]",
            "good/export[size=small temporal=year,month]",
            "good/export[size=small temporal=]",
        ]
    );
    assert_eq!(cells[1].expected.as_ref().unwrap().rows, 7);
    assert_eq!(cells[0].expected, None);
    assert_eq!(cells[3].parameter("pattern"), Some("/**"));
    assert_eq!(cells[3].parameter("size"), Some("small"));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let check = |from: &str, to: &str, expect: &str| {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert_eq!(error, format!("suites/good.toml:{expect}"));
    };
    check(
        "workload = \"export\"",
        "workload = \"exprot\"",
        "7: unknown workload 'exprot'; did you mean 'export'?",
    );
    check(
        "about = \"exports\"",
        "abuot = \"x\"",
        "6: unknown key 'abuot' in scenario; did you mean 'about'?",
    );
    check("pattern =", "patern =", "8: export has no parameter 'patern'; did you mean 'pattern'?");
    check("\"tiny\", \"small\"", "", "10: axis 'size' needs one value or more, each once");
    check("\"tiny\", \"small\"", "\"tiny\", \"tiny\"", "10: axis 'size' needs one value or more, each once");
    check(
        "\"size=tiny temporal=\"",
        "\"size=tiny temporl=\"",
        "15: scenario 'export' has no cell 'size=tiny temporl='; did you mean 'size=tiny temporal='?",
    );
    check("rows = 7", "rows = \"7\"", "15: 'rows' must be a whole number");
    check("rows = 7, ", "", "15: answer 'size=tiny temporal=' needs 'rows'");
    check(
        "name = \"temporal\"",
        "name = \"pattern\"",
        "11: 'pattern' is given twice; keep it in 'with' or as one axis",
    );
    check(
        "with = { pattern = \"/**\" }",
        "",
        "4: scenario 'export': export needs 'pattern' (the paths to match); give it in 'with' or as an axis",
    );
}

#[test]
fn a_suite_without_scenarios_is_refused() {
    let error = parse("about = \"x\"\nscenario = []\n").unwrap_err().to_string();
    assert_eq!(error, "suites/good.toml:2: the suite has no scenario; add a [[scenario]]");
    let error = parse("about = \"x\"\n").unwrap_err().to_string();
    assert_eq!(error, "suites/good.toml:1: suite needs the key 'scenario'");
}

#[test]
fn a_truncated_file_is_an_error_with_a_line() {
    let error = parse("about = \"x\"\n[[scenario]\n").unwrap_err().to_string();
    assert!(error.starts_with("suites/good.toml:2: "), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Suite::read(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read no/such.toml: "), "{error}");
}
