//! The claims: a band for what is promised, a point with its interval for what was measured.

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, SMALL, widest};
use super::palette::{BETTER, Color, FAINT_INK, GRID, INK, OTHER, SERIES, WORSE};
use crate::claims::{Finding, Measured, Verdict, interval, percent};

const STEP: f64 = 24.0;
const BAND: f64 = 16.0;
const PLOT: f64 = 560.0;
const DOT: f64 = 4.5;
/// The axis ends here; what is beyond is drawn as an arrow at the edge, with its value beside it.
const LEAST: f64 = -50.0;
const MOST: f64 = 100.0;
/// Light enough that every verdict's colour can be seen on it.
const PROMISED: Color = Color(214, 222, 232);

const TITLE_TEXT: &str = "What was promised and what was measured";
const BELOW: &str = "grey band: promised; point and line: measured, with the interval of 95 %; an arrow goes on \
    beyond the edge";
const AXIS: &str = "less than before, in percent (of a share: how large it is, in percent)";

/// Returns the colour of a verdict.
fn color(verdict: Verdict) -> Color {
    match verdict {
        Verdict::Exceeded => BETTER,
        Verdict::Confirmed => SERIES[6],
        Verdict::Weaker => SERIES[1],
        Verdict::Undecided => FAINT_INK,
        Verdict::Refuted => WORSE,
        Verdict::Failed => INK,
    }
}

/// Draws a row for each claim, under a heading for each section of the document.
pub(super) fn draw(findings: &[Finding<'_>]) -> Drawing {
    let names = widest(findings.iter().map(|finding| finding.claim.name.as_str()), LABEL);
    let sections = widest(findings.iter().map(|finding| finding.claim.section()), SMALL);
    let left = MARGIN + sections.max(names + 16.0) + 12.0;
    let values: Vec<String> = findings.iter().map(value).collect();
    let right = widest(values.iter().map(String::as_str), LABEL) + 44.0;
    let words = widest(Verdict::ALL.map(Verdict::name), LABEL) + MARGIN;
    let mut page = Drawing::new(left + PLOT + right + words, 0.0);
    let mut y = page.heading(TITLE_TEXT, BELOW) + 4.0;
    y = legend(&mut page, findings, y) + 12.0;
    let sections = findings.iter().map(|finding| finding.claim.section());
    let headings =
        sections.fold((0, ""), |(count, last), section| (count + usize::from(section != last), section)).0;
    let bottom = y + (findings.len() + headings) as f64 * STEP;
    grid(&mut page, left, y, bottom);
    let mut section = "";
    for (finding, value) in findings.iter().zip(&values) {
        if finding.claim.section() != section {
            section = finding.claim.section();
            page.text((MARGIN, y + STEP / 2.0 + 2.0), section, SMALL, Anchor::Start, FAINT_INK);
            y += STEP;
        }
        row(&mut page, finding, left, y + STEP / 2.0);
        let ink = color(finding.verdict());
        page.text((left + PLOT + 20.0, y + STEP / 2.0), value, LABEL, Anchor::Start, INK);
        let at = left + PLOT + right;
        page.text((at, y + STEP / 2.0), finding.verdict().name(), LABEL, Anchor::Start, ink);
        y += STEP;
    }
    page.text((left + PLOT / 2.0, bottom + 42.0), AXIS, LABEL, Anchor::Middle, INK);
    page.height = bottom + 42.0 + MARGIN;
    page
}

/// Names the colours of the verdicts that occur; returns where the legend ends.
fn legend(page: &mut Drawing, findings: &[Finding<'_>], y: f64) -> f64 {
    let mut x = MARGIN;
    for verdict in Verdict::ALL {
        let count = findings.iter().filter(|finding| finding.verdict() == verdict).count();
        if count > 0 {
            let text = format!("{count} {}", verdict.name());
            page.dot((x + DOT, y + 8.0), DOT, color(verdict));
            page.text((x + 3.0 * DOT, y + 8.0), &text, LABEL, Anchor::Start, INK);
            x += 3.0 * DOT + widest([text.as_str()], LABEL) + 24.0;
        }
    }
    y + 20.0
}

fn grid(page: &mut Drawing, left: f64, top: f64, bottom: f64) {
    for tick in (0_i32..=6).map(|step| LEAST + 25.0 * f64::from(step)) {
        let x = x_of(left, tick);
        let ink = if tick == 0.0 { OTHER } else { GRID };
        page.line((x, top), (x, bottom + 4.0), ink);
        page.text((x, bottom + 18.0), &format!("{tick:.0}"), LABEL, Anchor::Middle, INK);
    }
}

fn row(page: &mut Drawing, finding: &Finding<'_>, left: f64, y: f64) {
    page.text((left - 16.0, y), &finding.claim.name, LABEL, Anchor::End, INK);
    let promise = finding.claim.promise;
    let from = x_of(left, f64::from(promise.from));
    let to = x_of(left, promise.to.map_or(MOST, f64::from));
    // A promise of one value, or beyond the axis, is still a band that can be seen.
    let width = (to - from).max(4.0);
    page.rect((from.min(left + PLOT - width), y - BAND / 2.0), (width, BAND), PROMISED);
    if let Ok(measured) = &finding.outcome {
        mark(page, measured, color(finding.verdict()), left, y);
    }
}

fn mark(page: &mut Drawing, measured: &Measured, ink: Color, left: f64, y: f64) {
    let [low, middle, high] = [measured.percent.low, measured.percent.middle, measured.percent.high];
    page.path(vec![(x_of(left, low), y), (x_of(left, high), y)], 3, ink);
    if !measured.exact {
        for end in [low, high] {
            end_mark(page, end, ink, left, y);
        }
    }
    if (LEAST..=MOST).contains(&middle) {
        page.dot((x_of(left, middle), y), DOT, ink);
    } else {
        end_mark(page, middle, ink, left, y);
    }
}

/// Marks the end of an interval, or with an arrow that it is beyond the edge.
fn end_mark(page: &mut Drawing, value: f64, ink: Color, left: f64, y: f64) {
    let x = x_of(left, value);
    let inward = match value {
        value if value < LEAST => 7.0,
        value if value > MOST => -7.0,
        _ => 0.0,
    };
    page.path(vec![(x + inward, y - 5.0), (x, y), (x + inward, y + 5.0)], 2, ink);
}

fn x_of(left: f64, value: f64) -> f64 {
    left + PLOT * (value.clamp(LEAST, MOST) - LEAST) / (MOST - LEAST)
}

/// Writes what was measured, and what was promised.
fn value(finding: &Finding<'_>) -> String {
    let promise = finding.claim.promise;
    match &finding.outcome {
        Ok(measured) if measured.exact => format!("{}, promised {promise}", percent(measured.percent.middle)),
        Ok(measured) => {
            format!("{} ({}), promised {promise}", percent(measured.percent.middle), interval(measured))
        }
        Err(_) => format!("not measured, promised {promise}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use scenarios::Ledger;

    use super::super::drawing::Shape;
    use super::*;
    use crate::claims::Interval;

    const LEDGER: &str = r#"
about = "a ledger for this test"
[[claim]]
name = "total"
words = "w"
source = "s"
workload = "open"
with = { size = "tiny" }
plain = { preset = "plain" }
tuned = { preset = "tuned" }
metric = "wall_ns"
phase = "warm"
promise = "50.."
why = "y"
"#;

    #[test]
    fn the_axis_ends_and_says_so() {
        let check = |value: f64, expect: f64| assert_eq!(x_of(0.0, value), expect, "{value}");
        check(LEAST, 0.0);
        check(MOST, PLOT);
        check(-1e300, 0.0);
        check(300.0, PLOT);
        check(25.0, PLOT / 2.0);
    }

    #[test]
    fn every_mark_is_on_the_page() {
        let ledger = Ledger::parse(Path::new("claims.toml"), LEDGER).unwrap();
        let mut findings = vec![Finding { claim: &ledger.claims[0], outcome: Err("it crashed".to_owned()) }];
        for (low, high) in [(-80.0, -60.0), (-1e300, 99.0), (10.0, 20.0)] {
            let percent = Interval { low, middle: (low + high) / 2.0, high };
            findings.push(Finding { claim: &ledger.claims[0], outcome: Ok(Measured::for_a_chart(percent)) });
        }
        let page = draw(&findings);
        let inside = |(x, y): (f64, f64)| (0.0..=page.width).contains(&x) && (0.0..=page.height).contains(&y);
        for shape in &page.shapes {
            let ok = match shape {
                Shape::Rect { x, y, width, height, .. } => {
                    inside((*x, *y)) && inside((x + width, y + height))
                }
                Shape::Line { points, .. } => points.iter().all(|point| inside(*point)),
                Shape::Dot { x, y, .. } | Shape::Text { x, y, .. } => inside((*x, *y)),
            };
            assert!(ok, "{shape:?}");
        }
        let dots = page.shapes.iter().filter(|shape| matches!(shape, Shape::Dot { .. })).count();
        // One mark within the axis, and the legend's four: weaker, undecided, refuted, failed.
        assert_eq!(dots, 1 + 4);
    }
}
