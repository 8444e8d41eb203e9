//! The top of the page: the verdict in a line, what was compared, and how many cells came out how.

use maud::{Markup, html};

use super::{Page, badge, class};
use crate::exit::Exit;
use crate::verdict::Verdict;

/// From the most to the least urgent.
const VERDICTS: [Verdict; 7] = [
    Verdict::Failed,
    Verdict::Regressed,
    Verdict::Incomparable,
    Verdict::Inconclusive,
    Verdict::Improved,
    Verdict::Unchanged,
    Verdict::NotCompared,
];

/// Writes the top of the page.
pub(super) fn head(page: &Page<'_>) -> Markup {
    let evaluation = page.evaluation;
    let summary = &evaluation.summary;
    let tone = match evaluation.exit() {
        Exit::Pass => "good",
        Exit::Inconclusive | Exit::Incomparable => "doubt",
        Exit::Regression | Exit::Failed | Exit::Usage => "bad",
    };
    let contaminated = evaluation.timing.as_ref().is_some_and(|timing| timing.contaminated);
    let notes: Vec<&String> = summary.notes.iter().chain(&evaluation.comparison.notes).collect();
    html! {
        header.(tone) {
            p.kind { "Pondmark, suite " b { (summary.suite) } }
            h1 { (evaluation.verdict_word()) }
            p.line { (evaluation.verdict_line()) }
            p {
                "Revision " code { (summary.context.revision) } ", "
                @match &evaluation.base {
                    Some(base) => { "compared with " (base.origin) "." },
                    None => "compared with nothing.",
                }
            }
            @if contaminated {
                p.alarm { "The machine moved while this was measured: nothing is called by its times." }
            }
            div.counts role="group" aria-label="Show only cells of a verdict" {
                @for verdict in VERDICTS {
                    @let count = page.cells().filter(|(_, _, other)| *other == verdict).count();
                    @if count > 0 {
                        button type="button" class=(class(verdict)) data-verdict=(verdict.name())
                            aria-pressed="false" {
                            b { (count) } " " (badge(verdict))
                        }
                    }
                }
            }
            @if !notes.is_empty() {
                ul.notes { @for note in notes { li { (note) } } }
            }
        }
    }
}
