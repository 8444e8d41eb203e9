//! The findings as a document, `docs/CLAIMS.md`, and as a table for the terminal.

use std::fmt::Write as _;

use scenarios::{Claim, Ledger, Setting};

use super::finding::{Agreement, Finding, Measured};
use super::verdict::Verdict;
use crate::record::Record;
use crate::report::{Align, Table};
use crate::units;

/// The command that makes the document.
const COMMAND: &str = "cargo xtask claims";

/// A growth beyond this is no number any more: it is from nothing.
const FROM_NOTHING: f64 = -1e6;

/// What the document is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'a> {
    /// The ledger.
    pub(crate) ledger: &'a Ledger,
    /// The run.
    pub(crate) record: &'a Record,
    /// What it says of each claim, in the order of the ledger.
    pub(crate) findings: &'a [Finding<'a>],
}

impl Document<'_> {
    /// Writes the table for the terminal.
    pub(crate) fn terminal(&self) -> String {
        let mut table = Table::new(&[
            ("claim", Align::Left),
            ("promise", Align::Left),
            ("measured", Align::Right),
            ("interval", Align::Left),
            ("pairs", Align::Right),
            ("plain → tuned", Align::Left),
            ("verdict", Align::Left),
        ]);
        let mut failures = String::new();
        for finding in self.findings {
            let claim = finding.claim;
            let mut row = vec![claim.name.clone(), claim.promise.to_string()];
            match &finding.outcome {
                Ok(measured) => row.extend([
                    percent(measured.percent.middle),
                    interval(measured),
                    measured.plain.len().to_string(),
                    values(claim, measured),
                ]),
                Err(message) => {
                    row.extend(["–", "", "", ""].map(str::to_owned));
                    let _ = writeln!(failures, "FAILED {}: {message}", claim.name);
                }
            }
            row.push(finding.verdict().name().to_owned());
            table.row(row);
        }
        let gap = if failures.is_empty() { "" } else { "\n" };
        format!("{}{gap}{failures}\n{}\n", table.terminal(), self.tally())
    }

    /// Writes the document in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::from("# Claims\n\n");
        let _ =
            writeln!(out, "<!-- Made by `{COMMAND}` from scenarios/suites/claims.toml. Do not edit. -->\n");
        let _ = writeln!(
            out,
            "What became of {}: each was tested by two settings of knobs, measured in alternation.\n",
            self.ledger.about
        );
        let _ = writeln!(out, "**{}**\n", self.tally());
        let _ = writeln!(
            out,
            "![Promised range against measured value, a row for each claim](images/claims.svg)\n"
        );
        out.push_str(&self.origin());
        let mut section = "";
        let mut table = None;
        for finding in self.findings {
            if finding.claim.section() != section {
                close(&mut out, table.take());
                section = finding.claim.section();
                let _ = writeln!(out, "\n## {section}\n");
            }
            table.get_or_insert_with(claim_table).row(row(finding));
        }
        close(&mut out, table);
        self.untested(&mut out);
        self.method(&mut out);
        out
    }

    /// Counts the claims by their verdicts.
    pub(crate) fn tally(&self) -> String {
        let mut parts = Vec::new();
        for verdict in Verdict::ALL {
            let count = self.findings.iter().filter(|finding| finding.verdict() == verdict).count();
            if count > 0 {
                parts.push(format!("{count} {}", verdict.name()));
            }
        }
        let count = self.findings.len();
        format!("{count} claim{}: {}", if count == 1 { "" } else { "s" }, parts.join(", "))
    }

    fn origin(&self) -> String {
        let context = &self.record.header.context;
        let machine = &context.machine;
        format!(
            "Made by `{COMMAND}` on {}, from revision {} ({} build) on {} cores of {}, {} GiB, {}.\n",
            self.record.header.started,
            context.revision,
            context.profile,
            machine.cores,
            machine.cpu,
            machine.memory_gib,
            machine.os
        )
    }

    fn untested(&self, out: &mut String) {
        if self.ledger.untested.is_empty() {
            return;
        }
        out.push_str("\n## Promises that nothing measures\n\n");
        let mut table =
            Table::new(&[("promise", Align::Left), ("source", Align::Left), ("why", Align::Left)]);
        for one in &self.ledger.untested {
            table.row(vec![one.words.clone(), one.source.clone(), one.why.clone()]);
        }
        out.push_str(&table.markdown());
    }

    fn method(&self, out: &mut String) {
        let header = &self.record.header;
        let timed =
            header.planned.iter().step_by(2).filter(|cell| cell.processes > super::EXACT_PAIRS).count();
        let pairs = header.planned.len() / 2;
        let rounds = header.planned.iter().map(|cell| cell.processes).max().unwrap_or(0);
        let cut = self.record.end.as_ref().map_or(0, |end| end.processes_cut / 2);
        let agreed = |wanted: Agreement| {
            let measured = self.findings.iter().filter_map(|finding| finding.outcome.as_ref().ok());
            measured.filter(|measured| measured.agreement == wanted).count()
        };
        let (rows, rows_equal) = (agreed(Agreement::Rows), agreed(Agreement::RowsMustAndAllIs));
        let _ = write!(
            out,
            "
## How it was measured

The {} claims need {pairs} pairs of settings; claims about the same two settings share a pair. For each pair both sides
ran as fresh processes, one directly after the other, {rounds} times where a time or an amount of memory is in question
({timed} pairs) and {} times where counters decide. The order of pairs was random in each round, and which side went
first was decided by a coin for two rounds at a time, so that each side was first in one of them; the seed is the name
of the run, {}. {cut} repetitions were left out because their pair had spent its share of the time.

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
an order is the order of rows open, and their number alone must agree. That is so for {} claims; of these, {rows_equal}
agreed in every value as well.
",
            self.findings.len(),
            super::EXACT_PAIRS,
            header.run,
            rows + rows_equal,
        );
    }
}

fn claim_table() -> Table {
    Table::new(&[
        ("claim", Align::Left),
        ("promise", Align::Left),
        ("measured", Align::Left),
        ("verdict", Align::Left),
        ("why", Align::Left),
    ])
}

fn close(out: &mut String, table: Option<Table>) {
    if let Some(table) = table {
        out.push_str(&table.markdown());
    }
}

/// Writes what the ledger alone decides of a claim's row: claim, promise, why.
fn stated(claim: &Claim) -> [String; 3] {
    let phase = claim.phase.name();
    let name = format!("`{}`: {} (`{}`, {phase})", claim.name, claim.words, claim.quantity);
    [name, claim.promise.to_string(), claim.why.clone()]
}

fn row(finding: &Finding<'_>) -> Vec<String> {
    let [claim, promise, why] = stated(finding.claim);
    let measured = match &finding.outcome {
        Ok(measured) => format!(
            "**{}** ({}); {}",
            percent(measured.percent.middle),
            interval(measured),
            values(finding.claim, measured)
        ),
        Err(message) => message.lines().next().unwrap_or_default().to_owned(),
    };
    vec![claim, promise, measured, finding.verdict().name().to_owned(), why]
}

/// Says where a document differs from its ledger: claims that are missing, changed or out of order.
pub(crate) fn stale(ledger: &Ledger, document: &str) -> Vec<String> {
    let cell = |line: &str, place: usize| line.split(" | ").nth(place).unwrap_or_default().to_owned();
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    let mut faults = Vec::new();
    for (place, claim) in ledger.claims.iter().enumerate() {
        let [name, promise, why] = stated(claim).map(|text| text.replace('|', "\\|"));
        let Some(row) = rows.get(place) else {
            faults.push(format!("claim '{}' is missing", claim.name));
            continue;
        };
        let row = row.trim_start_matches("| ").trim_end_matches(" |");
        if !row.starts_with(&format!("`{}`:", claim.name)) {
            faults.push(format!(
                "claim '{}' is expected in row {}, but that begins: {}",
                claim.name,
                place + 1,
                short(row)
            ));
        } else if [cell(row, 0), cell(row, 1), cell(row, 4)] != [name, promise, why] {
            faults.push(format!("claim '{}' is stated otherwise than in the ledger", claim.name));
        }
    }
    for row in rows.iter().skip(ledger.claims.len()) {
        faults.push(format!("a row is in no ledger: {}", short(row)));
    }
    faults
}

fn short(row: &str) -> String {
    row.chars().take(40).collect()
}

/// Writes a percentage; what grew from nothing has none.
pub(crate) fn percent(value: f64) -> String {
    if value < FROM_NOTHING { number(value) } else { format!("{} %", number(value)) }
}

fn number(value: f64) -> String {
    if value < FROM_NOTHING {
        return "from nothing".to_owned();
    }
    let text = format!("{value:.1}");
    let text = text.trim_end_matches(".0");
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Writes the interval, or that there is none.
pub(crate) fn interval(measured: &Measured) -> String {
    if measured.exact {
        return "exact".to_owned();
    }
    format!("{} to {}", number(measured.percent.low), number(measured.percent.high))
}

/// Writes the medians of both sides, or the share's parts and whole.
fn values(claim: &Claim, measured: &Measured) -> String {
    let middle = |setting: Setting| {
        let amounts = if setting == Setting::Plain { &measured.plain } else { &measured.tuned };
        let parts: Vec<u64> = amounts.iter().map(|amount| amount.parts).collect();
        crate::statistics::median(&parts).unwrap_or(0)
    };
    if claim.quantity.is_share() {
        let amounts = if claim.of == Setting::Plain { &measured.plain } else { &measured.tuned };
        let whole = amounts.first().and_then(|amount| amount.whole).unwrap_or(0);
        return format!(
            "{} of {} {}",
            units::count(middle(claim.of)),
            units::count(whole),
            claim.quantity.unit()
        );
    }
    let [plain, tuned] = Setting::ALL.map(middle);
    match claim.quantity.parts.as_slice() {
        [one] => format!("{} → {}", units::metric(one, plain), units::metric(one, tuned)),
        _ if claim.quantity.unit() == "ns" => {
            format!("{} → {}", units::nanoseconds(plain), units::nanoseconds(tuned))
        }
        _ => format!("{} → {} {}", units::count(plain), units::count(tuned), claim.quantity.unit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_one_digit_where_they_need_it() {
        let check = |value, expect| assert_eq!(percent(value), expect, "{value}");
        check(66.666, "66.7 %");
        check(100.0, "100 %");
        check(0.0, "0 %");
        check(-0.04, "0 %");
        check(-12.34, "-12.3 %");
        check(-1e300, "from nothing");
    }
}
