//! `pond explain`: plans whose facts are known beforehand, counters, accesses, and what is printed.

use engine::{
    AggregateOrder, Analysis, Explain, ExplainOptions, Explained, Finding, Knobs, Phase, Pond, PondOptions,
    QueryOptions, Scheme, TimeRange,
};
use insta::assert_snapshot;
use svg::node::element::tag::Type;
use svg::parser::Event;

use crate::pond_command::TestPond;
use crate::query::twelve_days;

const DAILY: &str =
    "SELECT date_bin(INTERVAL '1 day', time) AS day, sum(v) FROM source GROUP BY 1 ORDER BY 1";

fn open(pond: &TestPond) -> Pond {
    Pond::open(&pond.root(), PondOptions { accesses: true, ..PondOptions::default() }).unwrap()
}

fn options(target_partitions: usize) -> ExplainOptions {
    let query = QueryOptions { target_partitions, ..QueryOptions::default() };
    ExplainOptions { query, ..ExplainOptions::default() }
}

fn explain(pond: &Pond, sql: &str, target_partitions: usize) -> Explained {
    pond.explain(Explain::Sql { path: "/x.series", sql }, options(target_partitions)).unwrap()
}

fn analysis(pond: &TestPond, sql: &str, target_partitions: usize) -> Analysis {
    explain(&open(pond), sql, target_partitions).plans.remove(0).analysis
}

/// Sets every time to nothing, because times differ from run to run.
fn without_times(mut analysis: Analysis) -> Analysis {
    analysis.execution_ns = 0;
    analysis.planning.total_ns = 0;
    analysis.planning.phases.iter_mut().for_each(|phase| phase.ns = 0);
    analysis.planning.rules.iter_mut().for_each(|rule| rule.ns = 0);
    for operator in &mut analysis.operators {
        operator.compute_ns = operator.compute_ns.map(|_| 0);
    }
    analysis
}

#[test]
fn an_aggregate_over_time_uses_the_order() {
    let found = analysis(&twelve_days(), DAILY, 1);
    assert_eq!(found.rows, 12);
    let aggregate =
        |finding: &&Finding| matches!(finding, Finding::Aggregate { order: AggregateOrder::Ordered, .. });
    assert_eq!(found.findings.iter().filter(aggregate).count(), 1, "{:#?}", found.findings);
    let dear = |finding: &&Finding| {
        matches!(finding, Finding::Sort { .. } | Finding::Repartition { .. } | Finding::OrderLost { .. })
    };
    assert_eq!(found.findings.iter().find(dear), None);
    assert!(found.findings.iter().any(|finding| matches!(finding, Finding::OrderUsed { .. })));
}

#[test]
fn an_aggregate_over_values_loses_the_order() {
    let sql = "SELECT v % 7 AS k, count(*) FROM source GROUP BY 1";
    let found = analysis(&twelve_days(), sql, 4);
    assert_eq!(found.rows, 7);
    let dealt = |finding: &&Finding| {
        matches!(
            finding,
            Finding::Repartition { scheme: Scheme::Hash, partitions: 4, keeps_order: false, .. }
        )
    };
    assert_eq!(found.findings.iter().filter(dealt).count(), 1, "{:#?}", found.findings);
    let hashed =
        |finding: &&Finding| matches!(finding, Finding::Aggregate { order: AggregateOrder::Hash, .. });
    assert_eq!(found.findings.iter().filter(hashed).count(), 2, "a partial and a final one");

    // Where it is lost is named: the column that is in order is not even read.
    let found = analysis(&twelve_days(), "SELECT v % 7 AS k, max(time) FROM source GROUP BY 1", 1);
    let lost = found.findings.iter().find(|finding| matches!(finding, Finding::OrderLost { .. })).unwrap();
    let at = &found.operators[lost.operator()];
    assert!(at.order.is_none() && at.name != "DataSourceExec", "{at:?}");
}

#[test]
fn sorts_are_found() {
    let pond = twelve_days();
    let sort = |sql: &str| {
        let findings = analysis(&pond, sql, 1).findings;
        findings.into_iter().find_map(|finding| match finding {
            Finding::Sort { order, limit, .. } => Some((order, limit)),
            _ => None,
        })
    };
    assert_eq!(sort("SELECT * FROM source ORDER BY time"), None);
    assert_eq!(sort("SELECT v FROM source ORDER BY v"), Some(("v@0 ASC NULLS LAST".to_owned(), None)));
    let top = sort("SELECT v FROM source ORDER BY v DESC LIMIT 3");
    assert_eq!(top, Some(("v@0 DESC".to_owned(), Some(3))));
}

#[test]
fn overlapping_versions_are_merged_by_their_order() {
    let pond = twelve_days();
    pond.import("y.csv", "time,v\n2024-01-03 00:30,1\n2024-01-09 00:00,2\n", "/x.series");
    let found = analysis(&pond, "SELECT * FROM source ORDER BY time", 1);
    assert_eq!(found.rows, 290);
    let scan = found.operators.iter().find_map(|operator| operator.scan.as_ref()).unwrap();
    assert_eq!((scan.files, scan.files_pruned, scan.groups), (13, 0, 2));
    let used = found.findings.iter().filter(|finding| matches!(finding, Finding::OrderUsed { .. })).count();
    assert_eq!(used, 1, "{:#?}", found.findings);
}

#[test]
fn what_is_not_read_is_found() {
    let pond = twelve_days();
    let found = analysis(&pond, "SELECT v FROM source WHERE time >= '2024-01-09' AND v % 100 < 6", 1);
    // Four days are left, and six rows of each.
    assert_eq!(found.rows, 24);
    let scan = found.operators.iter().find(|operator| operator.scan.is_some()).unwrap();
    let facts = scan.scan.as_ref().unwrap();
    assert_eq!((facts.files, facts.files_pruned, facts.row_groups), (12, 8, 4));
    assert_eq!((facts.columns, facts.table_columns), (1, 2));
    assert_eq!((scan.rows, facts.rows_dropped), (Some(24), 72));
    assert!(facts.bytes > 0 && facts.predicate.as_deref().is_some_and(|one| one.contains("v@1 % 100 < 6")));
    // The planner knew the rows of the four days, and not what the filter would drop.
    assert_eq!(scan.estimate.map(|estimate| (estimate.rows, estimate.exact)), Some((96, false)));
    let pruned = Finding::FilesPruned { operator: scan.id, pruned: 8, files: 12 };
    assert!(found.findings.contains(&pruned), "{:#?}", found.findings);
    let none = found.findings.iter().any(|finding| matches!(finding, Finding::FilterAbove { .. }));
    assert!(!none, "the scan applies the filter itself: {:#?}", found.findings);

    let empty = analysis(&pond, "SELECT v FROM source WHERE time > '2030-01-01'", 1);
    assert_eq!(empty.rows, 0);
}

#[test]
fn far_estimates_are_found() {
    let pond = twelve_days();
    let misestimated = |sql: &str| {
        let found = analysis(&pond, sql, 1);
        found.findings.iter().any(|finding| matches!(finding, Finding::Misestimated { .. }))
    };
    assert!(!misestimated("SELECT v FROM source"));
    assert!(misestimated("SELECT v FROM source WHERE v = 1200"));
}

#[test]
fn rules_are_timed_in_their_phases() {
    let planning = analysis(&twelve_days(), DAILY, 1).planning;
    let phases: Vec<Phase> = planning.phases.iter().map(|phase| phase.phase).collect();
    assert_eq!(phases, [Phase::Parse, Phase::Analyze, Phase::Optimize, Phase::Plan, Phase::Physical]);
    assert_eq!(planning.total_ns, planning.phases.iter().map(|phase| phase.ns).sum::<u64>());
    for phase in [Phase::Analyze, Phase::Optimize, Phase::Physical] {
        let of_phase = || planning.rules.iter().filter(|rule| rule.phase == phase);
        let time = planning.phases.iter().find(|one| one.phase == phase).unwrap().ns;
        assert!(of_phase().map(|rule| rule.ns).sum::<u64>() <= time);
        assert!(of_phase().any(|rule| rule.changes > 0), "{phase:?} changed the plan");
        assert!(of_phase().all(|rule| rule.runs >= rule.changes && rule.runs > 0));
    }
}

#[test]
fn queries_count_what_they_read() {
    let folder = twelve_days();
    let pond = open(&folder);
    let counted = |sql: &str, batches: usize| {
        let before = pond.recorder().totals();
        let query = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
        let answer = pond.query("/x.series", sql, query).unwrap();
        answer.take(batches).for_each(|batch| drop(batch.unwrap()));
        let counted = pond.recorder().totals().since(&before);
        (counted["rows_read"], counted["row_groups_read"])
    };
    assert_eq!(counted("SELECT * FROM source", usize::MAX), (288, 12));
    assert_eq!(counted("SELECT sum(v) FROM source WHERE time < '2024-01-04'", usize::MAX), (72, 3));
    // Of rows that are dropped by the filter, all were decoded.
    assert_eq!(counted("SELECT v FROM source WHERE v % 2 = 0", usize::MAX), (288, 12));
    // What is not fetched to the end is counted too.
    let (rows, groups) = counted("SELECT v FROM source", 1);
    assert!(rows >= 24 && groups >= 1, "{rows} rows, {groups} row groups");
}

#[test]
fn accesses_are_told_by_path() {
    let folder = twelve_days();
    let pond = open(&folder);
    let sql = "SELECT sum(v) FROM source WHERE time < '2024-01-03'";
    let first = explain(&pond, sql, 1);
    let contents = |explained: &Explained| -> Vec<_> {
        explained.accesses.iter().filter(|one| one.class == "content").cloned().collect()
    };
    let found = contents(&first);
    assert_eq!(found.len(), 2, "{found:?}");
    for one in &found {
        assert!(one.path.starts_with("content/"), "{one:?}");
        assert_eq!((one.requests, one.footers, one.repeats), (1, 1, 0), "{one:?}");
    }
    assert_eq!(first.totals["content_reads"], 2);
    let bytes: u64 = found.iter().map(|one| one.bytes).sum();
    assert_eq!(first.totals["content_read_bytes"], bytes);
    assert_eq!(first.caches.iter().find(|one| one.cache == "footer").unwrap().metrics["misses"], 2);
    // The same again: each file is read again, and without its cache, so is its footer decoded.
    let again = contents(&explain(&pond, sql, 1));
    assert_eq!(again.iter().map(|one| (one.footers, one.repeats)).collect::<Vec<_>>(), [(1, 1), (1, 1)]);
    let knobs = Knobs::preset("plain").unwrap();
    let options = PondOptions { knobs, accesses: true, ..PondOptions::default() };
    let forgetful = Pond::open(&folder.root(), options).unwrap();
    explain(&forgetful, sql, 1);
    let again = contents(&explain(&forgetful, sql, 1));
    assert_eq!(again.iter().map(|one| (one.footers, one.repeats)).collect::<Vec<_>>(), [(2, 2), (2, 2)]);

    let logs: Vec<_> = first.accesses.iter().filter(|one| one.class == "commit").collect();
    let requests: u64 = logs.iter().map(|one| one.requests).sum();
    assert_eq!(requests, first.totals["store_log_json_requests"]);
    assert_eq!(requests, first.log.commit_requests);
    let paths: Vec<&String> = first.accesses.iter().map(|one| &one.path).collect();
    assert!(paths.is_sorted(), "{paths:?}");

    let plain = Pond::open(&folder.root(), PondOptions::default()).unwrap();
    assert_eq!(explain(&plain, sql, 1).accesses, []);
}

#[test]
fn the_log_is_explained() {
    let pond = TestPond::new();
    for number in 0..40 {
        open(&pond).mkdir(&format!("/d{number}")).unwrap();
    }
    pond.import("x.csv", "time,v\n2024-01-01,1\n", "/x.series");
    let log = explain(&open(&pond), "SELECT * FROM source", 1).log;
    assert_eq!(log.txn, 42);
    assert!(log.delta_version > 42, "a fold is a version too: {log:?}");
    let checkpoint = log.checkpoint_version.unwrap();
    assert_eq!(log.commits_replayed, log.delta_version - checkpoint);
    assert!(log.commits_replayed < 32 && log.checkpoint_size > 0, "{log:?}");
    assert!(log.commit_requests > 0 && log.checkpoint_requests > 0, "{log:?}");
    assert!(log.tombstones >= 16, "a fold replaces sixteen files: {log:?}");
    assert_eq!(log.entry_files, log.entry_files_loaded + log.entry_files_skipped);
}

#[test]
fn a_pattern_tells_what_it_matches() {
    let pond = twelve_days();
    pond.import("y.csv", "time,v\n2023-01-01,1\n", "/y.series");
    pond.ok(["mkdir", "/z"]);
    let day_us = 86_400_000_000;
    let start_us = Some(1_704_067_200_000_000 + 9 * day_us);
    let target = Explain::Pattern { pattern: "/*", range: TimeRange { start_us, end_us: None } };
    let found = open(&pond).explain(target, options(1)).unwrap();
    let matched = found.matched.unwrap();
    let nodes: Vec<_> = matched
        .nodes
        .iter()
        .map(|one| (one.path.as_str(), one.versions, one.versions_pruned, one.rows))
        .collect();
    assert_eq!(nodes, [("/x.series", 12, 9, 72), ("/y.series", 1, 1, 0), ("/z", 1, 0, 0)]);
    // The first one that can be read is.
    assert_eq!(found.plans.len(), 1);
    assert_eq!((found.plans[0].path.as_str(), found.plans[0].analysis.rows), ("/x.series", 72));
    let scan = found.plans[0].analysis.operators.iter().find_map(|one| one.scan.as_ref()).unwrap();
    assert_eq!((scan.path.as_deref(), scan.files, scan.files_pruned), (Some("/x.series"), 12, 9));
}

#[test]
fn an_analysis_as_text() {
    let pond = twelve_days();
    let found = without_times(analysis(
        &pond,
        "SELECT v FROM source WHERE time < '2024-01-03' ORDER BY v LIMIT 1",
        1,
    ));
    assert_snapshot!(found.text());
}

#[test]
fn an_analysis_as_json() {
    let pond = twelve_days();
    let mut found = without_times(analysis(&pond, DAILY, 1));
    // The names of DataFusion's rules are its own affair, and so are the digests of files.
    found.planning.rules.clear();
    found.plans.physical.clear();
    assert_snapshot!(serde_json::to_string_pretty(&found).unwrap());
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Analysis>(&text).unwrap(), found);
}

#[test]
fn plans_are_compared_without_names_that_differ() {
    let first = analysis(&twelve_days(), DAILY, 1).plans;
    assert!(first.physical.contains("file_groups"), "{}", first.physical);
    assert!(!first.normal.contains("file_groups") && !first.normal.contains("source"), "{}", first.normal);
    let other = TestPond::with_files();
    for day in 1..=12 {
        other.import("x.csv", &format!("time,v\n2025-03-{day:02} 12:00,7\n"), "/x.series");
    }
    let aliased = DAILY.replace("FROM source", "FROM source AS readings");
    let plain = analysis(&other, DAILY, 1).plans;
    assert_eq!(first.normal, plain.normal);
    assert_ne!(first.normal, analysis(&other, &aliased, 1).plans.normal, "an alias is a step of the plan");
}

#[test]
fn the_picture_is_well_formed() {
    let pond = TestPond::new();
    let name = r#"a<b>&"c"'d'"#;
    pond.import("x.csv", "time,\"a<b>&\"\"c\"\"'d'\"\n2024-01-01,1\n2024-01-02,2\n", "/x.series");
    let sql = format!(
        "SELECT max({0}) FROM source WHERE {0} > 0 GROUP BY {0} ORDER BY {0}",
        "\"a<b>&\"\"c\"\"'d'\""
    );
    let found = analysis(&pond, &sql, 1);
    assert!(found.operators.iter().any(|operator| operator.detail.contains(name)), "{:#?}", found.operators);
    let picture = found.picture();
    let mut open: Vec<String> = Vec::new();
    for event in svg::read(&picture).unwrap() {
        match event {
            Event::Error(error) => panic!("{error}: {picture}"),
            Event::Tag(tag, Type::Start, _) => open.push(tag.to_owned()),
            Event::Tag(tag, Type::End, _) => assert_eq!(open.pop().as_deref(), Some(tag)),
            _ => {}
        }
    }
    assert_eq!(open, Vec::<String>::new());
    assert!(picture.contains("a&lt;b&gt;&amp;") && !picture.contains("a<b>"), "{picture}");
    let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"];
    for (at, _) in picture.match_indices('&') {
        assert!(entities.iter().any(|entity| picture[at..].starts_with(entity)), "{}", &picture[at..at + 9]);
    }
}

#[test]
fn the_command() {
    let pond = twelve_days();
    let text = pond.ok(["explain", "/x.series", "--start", "2024-01-12", "--svg", "plan.svg"]);
    let head: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(head[0], "/x.series: 1 matched, 1 nodes visited");
    assert!(head[1].starts_with("12 versions, 11 pruned by their time bounds; 24 rows, "), "{}", head[1]);
    assert_eq!(head[2], "  /x.series: series, 12 versions, 11 pruned, 24 rows left");
    assert!(std::fs::read_to_string(pond.path("plan.svg")).unwrap().starts_with("<svg"));
    let json = pond.ok(["explain", "/x.series", "--sql", DAILY, "--format", "json", "--partitions", "1"]);
    let explained: Explained = serde_json::from_str(&json).unwrap();
    assert_eq!((explained.format, explained.plans[0].analysis.format), (1, 1));
    assert_eq!(explained.plans[0].analysis.rows, 12);
}

#[test]
fn what_cannot_be_explained() {
    let pond = twelve_days();
    let check =
        |arguments: &[&str], expect: &str| assert_eq!(pond.fails(arguments), format!("pond: {expect}"));
    check(&["explain", "/y*"], "pattern '/y*' matches no table or series");
    check(&["explain", "/x.serie"], "pattern '/x.serie' matches no table or series; did you mean /x.series?");
    check(
        &["explain", "/x.series", "--sql", "EXPLAIN SELECT 1"],
        "query: it is an EXPLAIN itself; give the query that it is about",
    );
    check(
        &["explain", "/x.series", "--start", "2024-02-01", "--end", "2024-01-01"],
        "--start must be before --end; no row can be between them",
    );
    check(
        &["explain", "/x.series", "--plans", "0", "--svg", "plan.svg"],
        "--svg: there is no plan to draw; leave out --plans 0",
    );
    let refused = pond.fails(["explain", "/x.series", "--sql", "DROP TABLE source"]);
    assert!(refused.ends_with("; only queries are allowed, such as SELECT"), "{refused}");
    let missing = pond.fails(["explain", "/x.series", "--svg", "no/such/folder.svg"]);
    assert!(missing.starts_with("pond: cannot write no/such/folder.svg: "), "{missing}");
}
