//! What two engines say of how they answer a cell, and where they differ: plans, findings, accesses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::units;

/// Lines of a plan's difference that are shown.
const LINES_SHOWN: usize = 24;

/// What is added up over the files of a class of requests.
const ADDED: [&str; 3] = ["requests", "bytes", "footers"];

/// Says where two explanations differ, a paragraph for each thing; nothing if they do not.
pub(crate) fn differences(base: &Value, head: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let (before, now) = (plans(base), plans(head));
    let paths: BTreeSet<&str> = before.keys().chain(now.keys()).copied().collect();
    // Many files are read alike, so equal differences are told once.
    let mut told: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for path in paths {
        let text = match (before.get(path), now.get(path)) {
            (Some(before), Some(now)) => plan_difference(before, now),
            (Some(_), None) => Some("only the base plans a query for it".to_owned()),
            (None, Some(_)) => Some("only the head plans a query for it".to_owned()),
            (None, None) => None,
        };
        if let Some(text) = text {
            told.entry(text).or_insert((path, 0)).1 += 1;
        }
    }
    for (text, (path, count)) in told {
        let others = if count > 1 { format!(" and {} others", count - 1) } else { String::new() };
        said.push(format!("plan of {path}{others}: {text}"));
    }
    let (before, now) = (accesses(base), accesses(head));
    let classes: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    for key in classes {
        let value = |of: &BTreeMap<(String, &str), u64>| of.get(key).copied().unwrap_or(0);
        let (before, now) = (value(&before), value(&now));
        if before != now {
            let (class, what) = key;
            said.push(format!("{class} {what}: {} → {}", units::count(before), units::count(now)));
        }
    }
    said
}

/// Describes one explanation: plans, what was found about them, and accesses by class.
pub(crate) fn text(explained: &Value) -> String {
    let mut out = String::new();
    let mut told: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for (path, plan) in plans(explained) {
        let mut text = plan.normal.to_owned();
        if !plan.findings.is_empty() {
            let findings: Vec<&str> = plan.findings.iter().copied().collect();
            let _ = write!(text, "\n  found: {}", findings.join(", "));
        }
        told.entry(text).or_insert((path, 0)).1 += 1;
    }
    for (text, (path, count)) in told {
        let others = if count > 1 { format!(" and {} others", count - 1) } else { String::new() };
        let _ = writeln!(out, "{path}{others}\n  {}\n", text.trim_end().replace('\n', "\n  "));
    }
    for ((class, what), value) in accesses(explained) {
        let _ = writeln!(out, "{class} {what}: {}", units::count(value));
    }
    out
}

/// A plan without what differs from run to run, and the kinds of what was found about it.
struct Plan<'a> {
    normal: &'a str,
    findings: BTreeSet<&'a str>,
}

fn plans(explained: &Value) -> BTreeMap<&str, Plan<'_>> {
    let listed = explained["plans"].as_array().into_iter().flatten();
    let plans = listed.filter_map(|plan| {
        let analysis = &plan["analysis"];
        let findings = analysis["findings"].as_array().into_iter().flatten();
        let findings = findings.filter_map(|finding| finding["finding"].as_str()).collect();
        Some((plan["path"].as_str()?, Plan { normal: analysis["plans"]["normal"].as_str()?, findings }))
    });
    plans.collect()
}

/// Adds up requests, bytes and footers by class.
fn accesses(explained: &Value) -> BTreeMap<(String, &'static str), u64> {
    let mut sums = BTreeMap::new();
    for access in explained["accesses"].as_array().into_iter().flatten() {
        let class = access["class"].as_str().unwrap_or("other");
        for what in ADDED {
            *sums.entry((class.to_owned(), what)).or_insert(0) += access[what].as_u64().unwrap_or(0);
        }
    }
    sums.retain(|_, sum| *sum > 0);
    sums
}

fn plan_difference(base: &Plan<'_>, head: &Plan<'_>) -> Option<String> {
    let mut parts = Vec::new();
    let gone: Vec<&str> = base.findings.difference(&head.findings).copied().collect();
    let new: Vec<&str> = head.findings.difference(&base.findings).copied().collect();
    if !gone.is_empty() {
        parts.push(format!("no longer {}", gone.join(", ")));
    }
    if !new.is_empty() {
        parts.push(format!("now {}", new.join(", ")));
    }
    if base.normal != head.normal {
        let mut lines = Vec::new();
        for change in TextDiff::from_lines(base.normal, head.normal).iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => continue,
            };
            lines.push(format!("\n  {sign} {}", change.value().trim_end()));
        }
        let more = lines.len().saturating_sub(LINES_SHOWN);
        lines.truncate(LINES_SHOWN);
        if more > 0 {
            lines.push(format!("\n  … {more} more lines"));
        }
        parts.push(format!("the plan differs{}", lines.concat()));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn explained(plan: &str, finding: &str, footers: u64) -> Value {
        let analysis = json!({ "plans": { "normal": plan }, "findings": [{ "finding": finding }] });
        let plans: Vec<Value> =
            ["/a", "/b"].iter().map(|path| json!({ "path": path, "analysis": analysis })).collect();
        let access =
            json!({ "path": "f", "class": "footer", "requests": footers, "bytes": 10, "footers": footers });
        json!({ "plans": plans, "accesses": [access] })
    }

    #[test]
    fn equal_explanations_say_nothing() {
        let one = explained("Sort\n  Scan", "order_lost", 1);
        assert!(differences(&one, &one).is_empty());
        assert!(differences(&json!({}), &json!({ "plans": null })).is_empty());
    }

    #[test]
    fn plans_findings_and_accesses_are_compared() {
        let base = explained("Filter\n  Scan predicate=x", "predicate_pushed", 1);
        let head = explained("Filter\n  Scan", "filter_above", 2);
        insta::assert_snapshot!(differences(&base, &head).join("\n"), @r"
        plan of /a and 1 others: no longer predicate_pushed; now filter_above; the plan differs
          -   Scan predicate=x
          +   Scan
        footer footers: 1 → 2
        footer requests: 1 → 2
        ");
    }

    #[test]
    fn one_explanation_is_described() {
        insta::assert_snapshot!(text(&explained("Sort\n  Scan", "sort", 3)), @r"
        /a and 1 others
          Sort
            Scan
            found: sort

        footer bytes: 10
        footer footers: 3
        footer requests: 3
        ");
    }
}
