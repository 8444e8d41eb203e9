//! The ledger of claims: what is read, and what is refused and how.

use std::path::Path;

use scenarios::{DocumentError, Ledger, Phase, Promise, Setting, Suite};

const GOOD: &str = r#"
about = "promises for this test"

[[claim]]
name = "registration"
words = "stable names halve the registration of tables"
source = "Phase 1, 1.1"
workload = "export"
with = { size = "small", pattern = "/**", temporal = "year", preset = "plain" }
plain = { names = "unique" }
tuned = { names = "stable" }
metric = "stage.table_registration.ns"
phase = "warm"
promise = "30..50"
why = "a name is kept"

[[claim]]
name = "plan-hits"
words = "plans are found"
source = "Week 2"
workload = "open"
warm = 3
timeout_s = 9
with = { size = "tiny" }
plain = { preset = "plain" }
tuned = { preset = "week2" }
metric = "cache.plan.hits / (cache.plan.hits + cache.plan.misses)"
of = "plain"
phase = "cold"
promise = "80.."
why = "the same text"

[[untested]]
words = "insight"
source = "Phase 1, 1.3"
why = "no number"
"#;

fn parse(text: &str) -> Result<Ledger, DocumentError> {
    Ledger::parse(Path::new("suites/claims.toml"), text)
}

#[test]
fn a_claim_is_two_cells() {
    let ledger = parse(GOOD).unwrap();
    assert_eq!((ledger.claims.len(), ledger.untested.len()), (2, 1));
    let claim = &ledger.claims[0];
    assert_eq!((claim.section(), claim.warm, claim.timeout_s), ("Phase 1", 2, 120));
    assert_eq!(claim.promise, Promise { from: 30, to: Some(50) });
    assert_eq!(claim.promise.to_string(), "30–50 %");
    let [plain, tuned] = Setting::ALL.map(|setting| claim.cell(setting));
    assert_eq!(plain.id(), "claims/registration[side=plain]");
    assert_eq!(tuned.id(), "claims/registration[side=tuned]");
    assert_eq!((plain.parameter("names"), tuned.parameter("names")), (Some("unique"), Some("stable")));
    assert_eq!((plain.parameter("size"), plain.parameter("preset")), (Some("small"), Some("plain")));
    assert_eq!(claim.settings(Setting::Tuned).get("order"), "none");
    let claim = &ledger.claims[1];
    assert_eq!((claim.of, claim.phase, claim.promise.to), (Setting::Plain, Phase::Cold, None));
    assert_eq!(claim.promise.to_string(), "≥ 80 %");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let check = |from: &str, to: &str, expect: &str| {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert_eq!(error, format!("suites/claims.toml:{expect}"));
    };
    check("about =", "abut =", "2: unknown key 'abut' in ledger; did you mean 'about'?");
    check("words =", "wrods =", "6: unknown key 'wrods' in claim; did you mean 'words'?");
    check("phase = \"warm\"", "phase = \"hot\"", "13: 'hot' is none of cold, warm");
    check("phase = \"warm\"\n", "", "4: claim needs the key 'phase'");
    check(
        "size = \"small\", ",
        "",
        "4: export needs 'size' (the generated pond: a size of `datagen`); give it in 'with'",
    );
    check("pattern =", "patern =", "9: export has no parameter 'patern'; did you mean 'pattern'?");
    check(
        "{ names = \"unique\"",
        "{ nams = \"unique\"",
        "10: unknown knob 'nams' in plain; did you mean 'names'?",
    );
    check("names = \"stable\"", "names = \"same\"", "11: names: 'same' is none of unique, stable");
    check(
        "names = \"stable\"",
        "preset = \"week1\"",
        "11: 'preset' is given twice; keep it in 'with' or in the sides",
    );
    check(
        "names = \"stable\"",
        "names = \"unique\"",
        "4: claim 'registration': plain and tuned set every knob alike",
    );
    check(
        "table_registration.ns",
        "table_registraton.ns",
        "12: unknown metric 'stage.table_registraton.ns'; did you mean 'stage.table_registration.ns'?",
    );
    check("30..50", "50..30", "14: '50..30' is no range of percent; write \"30..50\" or \"50..\"");
    check("30..50", "30", "14: '30' is no range of percent; write \"30..50\" or \"50..\"");
    check("30..50", "30..101", "4: claim 'registration': nothing can shrink by more than 100 %");
    check("\"plan-hits\"", "\"registration\"", "17: claim 'registration' is made twice");
    check(
        "\"plan-hits\"",
        "\"Plan hits\"",
        "18: 'Plan hits' is no name of a claim; use small letters, digits and hyphens",
    );
    check("of = \"plain\"", "of = \"both\"", "28: 'both' is none of plain, tuned");
    check(
        "phase = \"warm\"",
        "phase = \"warm\"\nof = \"plain\"",
        "14: 'of' says which side a share is of, but the metric is no share",
    );
    check(
        "phase = \"warm\"",
        "phase = \"warm\"\nwarm = 0",
        "4: claim 'registration' is about warm executions, but has none",
    );
    check("why = \"no number\"", "why = \" \"", "36: 'why' must not be empty");
}

#[test]
fn an_empty_ledger_is_refused() {
    let check = |text: &str, expect: &str| {
        assert_eq!(parse(text).unwrap_err().to_string(), format!("suites/claims.toml:{expect}"));
    };
    check("about = \"x\"", "1: ledger needs the key 'claim'");
    check("about = \"x\"\nclaim = []", "2: write one or more as [[claim]]");
}

#[test]
fn a_ledger_is_no_suite() {
    let error = Suite::parse(Path::new("suites/claims.toml"), GOOD).unwrap_err().to_string();
    let expect = "this is a ledger of claims, no suite; measure it with: cargo xtask claims";
    assert_eq!(error, format!("suites/claims.toml:4: {expect}"));
}

#[test]
fn the_committed_ledger_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/claims.toml");
    let ledger = Ledger::read(&path).unwrap();
    assert!(ledger.claims.len() >= 40, "{}", ledger.claims.len());
    assert!(ledger.claims.iter().all(|claim| claim.why.len() < 140));
}
