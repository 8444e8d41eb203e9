//! The ledger of claims: measured with a scripted engine, judged, written, checked.

use crate::workspace::{Ran, Workspace};

const LEDGER: &str = r#"
about = "the promises of a plan"

[[claim]]
name = "stable-names"
words = "stable names take 30 to 40 % off registration"
source = "Phase 1, 1.1"
workload = "export"
timeout_s = 20
with = { size = "tiny", pattern = "/**", temporal = "year", preset = "plain" }
plain = { names = "unique" }
tuned = { names = "stable" }
metric = "stage.table_registration.ns"
phase = "warm"
promise = "30..40"
why = "a name | that is there"

[[claim]]
name = "memory"
words = "less memory"
source = "Phase 1, 1.1"
workload = "export"
with = { size = "tiny", pattern = "/**", temporal = "year", preset = "plain" }
plain = { names = "unique" }
tuned = { names = "stable" }
metric = "peak_rss_bytes"
phase = "cold"
promise = "0.."
why = "names are small"

[[claim]]
name = "week2-total"
words = "everything is 60 to 80 % faster"
source = "Week 2, total"
workload = "open"
with = { size = "tiny" }
plain = { preset = "plain" }
tuned = { preset = "week2" }
metric = "wall_ns"
phase = "warm"
promise = "60..80"
why = "four caches"

[[claim]]
name = "plan-hits"
words = "80 % of the plans are found"
source = "Week 2, hits"
workload = "open"
with = { size = "tiny" }
plain = { preset = "plain" }
tuned = { preset = "week2" }
metric = "cache.plan.hits / (cache.plan.hits + cache.plan.misses)"
phase = "warm"
promise = "80.."
why = "the same text"

[[claim]]
name = "schema-reads"
words = "half of the schema reads are saved"
source = "Week 2, schemas"
workload = "open"
with = { size = "small" }
plain = { preset = "plain" }
tuned = { preset = "plain", schema_cache = "on" }
metric = "schemas_read + providers_built"
phase = "warm"
promise = "50..60"
why = "kept by version"

[[untested]]
words = "insight"
source = "Phase 1, 1.3"
why = "no number"
"#;

const QUICK: [&str; 3] = ["claims", "--rounds", "6"];

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("scenarios/suites/claims.toml", LEDGER);
    workspace
}

fn latest(workspace: &Workspace) -> String {
    workspace.read("target/pondmark/claims/latest").trim().to_owned()
}

/// Replaces what differs between runs and machines.
fn redacted(workspace: &Workspace, text: &str) -> String {
    let text = text.replace(&latest(workspace), "[run]");
    let lines = text.lines().map(|line| match line {
        line if line.starts_with("Made by `cargo xtask claims` on") => {
            "Made by `cargo xtask claims` [there and then]."
        }
        line => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn line<'a>(ran: &'a Ran, start: &str) -> &'a str {
    ran.stdout
        .lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("{start}: {}", ran.stdout))
}

#[test]
fn every_claim_gets_a_verdict_and_the_document_is_written() {
    let workspace = workspace();
    let ran = workspace.expect(0, "", &QUICK);
    let table = ran.stdout.split("\nsamples:").next().unwrap();
    insta::assert_snapshot!(table, @r#"
    claim         promise          measured  interval      pairs  plain → tuned         verdict
    stable-names  30–40 %              50 %  50 to 50          6  104 ms → 52.0 ms      exceeded
    memory        less, no number       0 %  0 to 0            6  30.0 MiB → 30.0 MiB   refuted
    week2-total   60–80 %            39.4 %  36.5 to 42.3      6  104 ms → 63.0 ms      weaker
    plan-hits     ≥ 80 %              100 %  exact             6  16 of 16 look-ups     confirmed
    schema-reads  50–60 %              50 %  exact             2  200 → 100 operations  confirmed

    5 claims: 1 exceeded, 2 confirmed, 1 weaker, 1 refuted
    "#);
    let document = workspace.read("docs/CLAIMS.md");
    insta::assert_snapshot!(redacted(&workspace, &document), @r#"
    # Claims

    <!-- Made by `cargo xtask claims` from scenarios/suites/claims.toml. Do not edit. -->

    What became of the promises of a plan: each was tested by two settings of knobs, measured in alternation.

    **5 claims: 1 exceeded, 2 confirmed, 1 weaker, 1 refuted**

    ![Promised range against measured value, a row for each claim](images/claims.svg)

    Made by `cargo xtask claims` [there and then].

    ## Phase 1

    | claim | promise | measured | verdict | why |
    | :-- | :-- | :-- | :-- | :-- |
    | `stable-names`: stable names take 30 to 40 % off registration (`stage.table_registration.ns`, warm) | 30–40 % | **50 %** (50 to 50); 104 ms → 52.0 ms | exceeded | a name \| that is there |
    | `memory`: less memory (`peak_rss_bytes`, cold) | less, no number | **0 %** (0 to 0); 30.0 MiB → 30.0 MiB | refuted | names are small |

    ## Week 2

    | claim | promise | measured | verdict | why |
    | :-- | :-- | :-- | :-- | :-- |
    | `week2-total`: everything is 60 to 80 % faster (`wall_ns`, warm) | 60–80 % | **39.4 %** (36.5 to 42.3); 104 ms → 63.0 ms | weaker | four caches |
    | `plan-hits`: 80 % of the plans are found (`cache.plan.hits / (cache.plan.hits + cache.plan.misses)`, warm) | ≥ 80 % | **100 %** (exact); 16 of 16 look-ups | confirmed | the same text |
    | `schema-reads`: half of the schema reads are saved (`schemas_read + providers_built`, warm) | 50–60 % | **50 %** (exact); 200 → 100 operations | confirmed | kept by version |

    ## Promises that nothing measures

    | promise | source | why |
    | :-- | :-- | :-- |
    | insight | Phase 1, 1.3 | no number |

    ## How it was measured

    The 5 claims need 3 pairs of settings; claims about the same two settings share a pair. For each pair both sides
    ran as fresh processes, one directly after the other, 6 times where a time or an amount of memory is in question
    (2 pairs) and 2 times where counters decide. The order of pairs was random in each round, and which side went
    first was decided by a coin for two rounds at a time, so that each side was first in one of them; the seed is the name
    of the run, [run]. 0 repetitions were left out because their pair had spent its share of the time.

    A process executes the workload once cold, then several times warm. A claim takes the cold execution or the median of
    the warm ones; of a share, such as hits among look-ups, the sums over all of them. A reduction is 1 − tuned ÷ plain: the
    median over the pairs, with the interval of the exact sign test on the logarithms of their ratios. It encloses the true
    median in at least 95 of 100 runs, whatever the distribution of the noise, for each claim by itself. Counters must
    repeat in every process, and have no interval: *exact*.

    - **exceeded**: the whole interval is better than the promised range.
    - **confirmed**: an improvement, and the interval meets the promised range.
    - **weaker**: an improvement, but the whole interval is below the promised range.
    - **undecided**: the interval reaches from no improvement to the promised range; more rounds are needed.
    - **refuted**: no improvement was shown, and the promised one is out of the interval's reach.
    - **failed**: a side could not be measured, a counter did not repeat, or the sides did not answer alike.

    Every execution of both sides had to give the same answer, in every value. Only where a side exports without asking for
    an order is the order of rows open, and their number alone must agree. That is so for 2 claims; of these, 2
    agreed in every value as well.
    "#);
    assert!(workspace.read("docs/images/claims.svg").contains("stable-names"));
    // Claims about the same settings share a pair; counters take two processes a side, times as many as asked.
    let samples = workspace.read(&format!("target/pondmark/claims/{}/samples.jsonl", latest(&workspace)));
    let processes = samples.lines().filter(|line| line.starts_with(r#"{"line":"process""#)).count();
    assert_eq!(processes, 2 * (6 + 6 + 2));
    let json = workspace.read(&format!("target/pondmark/claims/{}/claims.json", latest(&workspace)));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["claims"][0]["verdict"], "exceeded");
    assert_eq!(json["claims"][0]["measured"]["plain"].as_array().unwrap().len(), 6);
    assert_eq!(json["claims"][3]["measured"]["tuned"][0], serde_json::json!([16, 16]));
}

#[test]
fn a_side_that_fails_is_reported_and_the_others_go_on() {
    let workspace = workspace();
    let ran = workspace.expect(5, "schema-reads/tuned=crash", &QUICK);
    assert!(line(&ran, "schema-reads").ends_with("failed"), "{}", ran.stdout);
    assert!(line(&ran, "plan-hits").ends_with("confirmed"), "{}", ran.stdout);
    let expect = "FAILED schema-reads: tuned: the engine ended with exit code 101";
    assert!(ran.stdout.contains(expect), "{}", ran.stdout);
    assert!(ran.stdout.contains("  thread 'main' panicked at fake_engine: planned"), "{}", ran.stdout);
    let document = workspace.read("docs/CLAIMS.md");
    assert!(document.contains("tuned: the engine ended with exit code 101 | failed |"), "{document}");
    workspace.expect(5, "schema-reads/plain=unpreparable", &QUICK);
}

#[test]
fn sides_that_answer_differently_fail() {
    let workspace = workspace();
    let ran = workspace.expect(5, "week2-total/tuned=wrong-answer", &QUICK);
    let expect = "FAILED plan-hits: the answers differ: 8 rows, digest 00000000deadbeef and 8 rows, digest \
                  ffffffffffffffff";
    assert!(ran.stdout.contains(expect), "{}", ran.stdout);
    // Exports that ask for no order need only agree in their number of rows.
    let ran =
        workspace.expect(0, "stable-names/tuned=wrong-answer", &["claims", "--rounds", "6", "stable-names"]);
    assert!(line(&ran, "stable-names").ends_with("exceeded"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_counted_is_said() {
    let workspace = workspace();
    let rows = LEDGER.replace("schemas_read + providers_built", "rows_read");
    workspace.write("scenarios/suites/claims.toml", &rows);
    let ran = workspace.expect(5, "schema-reads=lost-metric", &["claims", "schema-reads"]);
    assert!(
        ran.stdout.contains("FAILED schema-reads: the engine did not report rows_read"),
        "{}",
        ran.stdout
    );
    let ran = workspace.expect(5, "schema-reads/plain=unstable", &["claims", "schema-reads"]);
    assert!(ran.stdout.contains("plain: the counter does not repeat: "), "{}", ran.stdout);
}

#[test]
fn a_spent_budget_leaves_six_rounds() {
    let workspace = workspace();
    let arguments = ["claims", "--rounds", "9", "--budget", "1s", "week2-total"];
    let ran = workspace.expect(0, "week2-total=doze", &arguments);
    assert!(line(&ran, "week2-total").ends_with("weaker"), "{}", ran.stdout);
    let document = workspace.read(&format!("target/pondmark/claims/{}/CLAIMS.md", latest(&workspace)));
    assert!(document.contains(" 3 repetitions were left out"), "{document}");
}

#[test]
fn filters_leave_the_document_alone() {
    let workspace = workspace();
    let ran = workspace.expect(0, "", &["claims", "--rounds", "6", "plan-hits", "schemas"]);
    assert!(ran.stdout.contains("2 claims: 2 confirmed"), "{}", ran.stdout);
    assert!(ran.stdout.contains("docs/CLAIMS.md is as it was"), "{}", ran.stdout);
    assert!(!workspace.path("docs/CLAIMS.md").exists());
    let ran = workspace.expect(2, "", &["claims", "plan-hist"]);
    assert!(ran.stderr.contains("no claim matches 'plan-hist'; did you mean 'plan-hits'?"), "{}", ran.stderr);
}

#[test]
fn the_document_is_checked_and_written_again_without_measuring() {
    let workspace = workspace();
    let ran = workspace.expect(2, "", &["claims", "--check"]);
    assert!(ran.stderr.contains("make it: cargo xtask claims"), "{}", ran.stderr);
    let ran = workspace.expect(2, "", &["claims", "--report"]);
    assert!(ran.stderr.contains("there is no finished run of all claims"), "{}", ran.stderr);
    workspace.expect(0, "", &QUICK);
    let ran = workspace.expect(0, "", &["claims", "--check"]);
    assert_eq!(ran.stdout, "5 claims, 0 faults in docs/CLAIMS.md\n");
    workspace.write("scenarios/suites/claims.toml", &LEDGER.replace("four caches", "four caches of seven"));
    let ran = workspace.expect(2, "", &["claims", "--check"]);
    assert!(
        ran.stdout.contains("claim 'week2-total' is stated otherwise than in the ledger"),
        "{}",
        ran.stdout
    );
    workspace.expect(0, "*=no-hello", &["claims", "--report"]);
    workspace.expect(0, "", &["claims", "--check"]);
    assert!(workspace.read("docs/CLAIMS.md").contains("four caches of seven"));
    let swapped = LEDGER
        .replace("plan-hits", "x")
        .replace("schema-reads", "plan-hits")
        .replace("\"x\"", "\"schema-reads\"");
    workspace.write("scenarios/suites/claims.toml", &swapped);
    let ran = workspace.expect(2, "", &["claims", "--check"]);
    let expect = "claim 'schema-reads' is expected in row 4, but that begins: `plan-hits`:";
    assert!(ran.stdout.contains(expect), "{}", ran.stdout);
    let other = LEDGER.replace("size = \"small\"", "size = \"medium\"");
    workspace.write("scenarios/suites/claims.toml", &other);
    let ran = workspace.expect(2, "", &["claims", "--report"]);
    assert!(
        ran.stderr.contains("did not measure claim 'schema-reads' as the ledger has it now"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_ledger_is_no_suite() {
    let workspace = workspace();
    for word in ["claims", "claims/plan-hits"] {
        let ran = workspace.expect(2, "", &["bench", word]);
        assert!(ran.stderr.contains("measure it with: cargo xtask claims"), "{}", ran.stderr);
    }
    let ran = workspace.expect(0, "", &["bench", "--list"]);
    assert!(!ran.stdout.contains("plan-hits"));
    workspace.expect(0, "", &["doctor"]);
    workspace.write("scenarios/suites/claims.toml", &LEDGER.replace("warm\"", "wram\""));
    let ran = workspace.expect(2, "", &["claims"]);
    assert!(ran.stderr.contains("claims.toml:14: 'wram' is none of cold, warm"), "{}", ran.stderr);
}
