//! How far each cache helps: look-ups of an execution, added up over the cells, and hit ratios by cell.

use maud::{Markup, html};
use scenarios::{CACHES, Phase};

use super::Page;
use super::value::{bar, base_counted, bytes, count, counted};
use crate::summary::CellSummary;
use crate::units;

/// A hit ratio that differs by less is not worth a word.
const LEAST_CHANGE: f64 = 0.005;

/// What the executions of a phase did with a cache, added up over the cells.
#[derive(Clone, Copy, Debug, Default)]
struct Lookups {
    hits: f64,
    misses: f64,
    stale: f64,
    evictions: f64,
    most_bytes: u64,
    access_ns: f64,
    saved_ns: f64,
}

impl Lookups {
    fn of(page: &Page<'_>, phase: Phase, cache: &str) -> Self {
        let mut all = Self::default();
        for (_, cell, _) in page.cells() {
            let value = |what: &str| counted(cell, phase, &name(cache, what)).unwrap_or(0.0);
            let median =
                |what: &str| cell.spread(phase, &name(cache, what)).map_or(0, |spread| spread.median);
            all.hits += value("hits");
            all.misses += value("misses");
            all.stale += value("stale");
            all.evictions += value("evictions");
            all.most_bytes = all.most_bytes.max(median("bytes"));
            all.access_ns += median("access_ns") as f64;
            all.saved_ns += median("saved_ns") as f64;
        }
        all
    }

    fn count(self) -> f64 {
        self.hits + self.misses
    }
}

fn name(cache: &str, what: &str) -> String {
    format!("cache.{cache}.{what}")
}

/// Writes the tables.
pub(super) fn caches(page: &Page<'_>) -> Markup {
    let all = |phase| CACHES.map(|cache| (cache, Lookups::of(page, phase, cache)));
    let phases = [Phase::Cold, Phase::Warm].map(|phase| (phase, all(phase)));
    let asked: Vec<&str> = CACHES
        .into_iter()
        .filter(|cache| {
            phases.iter().any(|(_, of)| of.iter().any(|(other, of)| other == cache && of.count() > 0.0))
        })
        .collect();
    html! {
        @if asked.is_empty() {
            p { "No cell asked a cache, or its counters do not repeat." }
        } @else {
            p.note {
                "Look-ups of one execution, added up over the cells. Saved is what the hits would have cost at the mean "
                "cost of a miss."
            }
            @for (phase, caches) in phases {
                @if caches.iter().any(|(_, of)| of.count() > 0.0) {
                    h3 { (phase.name()) " executions" }
                    (totals(&caches))
                }
            }
            (matrix(page, &asked))
        }
    }
}

fn totals(caches: &[(&str, Lookups)]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Caches" { table {
            thead { tr {
                th scope="col" { "cache" }
                th scope="col" { "hit ratio" }
                @for heading in ["hits", "misses", "replaced", "evicted", "most held", "a hit takes", "saved"] {
                    th.number scope="col" { (heading) }
                }
            } }
            tbody {
                @for (cache, of) in caches.iter().filter(|(_, of)| of.count() > 0.0) {
                    tr {
                        th scope="row" { (cache) }
                        td { (ratio(of.hits / of.count())) }
                        td.number { (count(of.hits)) }
                        td.number { (count(of.misses)) }
                        td.number { (count(of.stale)) }
                        td.number { (count(of.evictions)) }
                        td.number { (bytes(of.most_bytes as f64)) }
                        td.number {
                            @if of.hits > 0.0 { (units::nanoseconds((of.access_ns / of.hits).round() as u64)) }
                            @else { "–" }
                        }
                        td.number { (units::nanoseconds(of.saved_ns.round() as u64)) }
                    }
                }
            }
        } }
    }
}

fn ratio(share: f64) -> Markup {
    html! { span.share { (bar(share, "hit")) span { (percent(share)) } } }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Writes the hit ratios of each cell, of the phase in which caches can help.
fn matrix(page: &Page<'_>, caches: &[&str]) -> Markup {
    let has_warm = page.cells().any(|(_, cell, _)| cell.phases.contains_key(&Phase::Warm));
    let phase = if has_warm { Phase::Warm } else { Phase::Cold };
    let asks = |cell: &CellSummary| caches.iter().any(|cache| hit_ratio(cell, phase, cache).is_some());
    html! {
        details {
            summary { "Hit ratios by cell, " (phase.name()) " executions" }
            div.scroll tabindex="0" role="group" aria-label="Hit ratios by cell" { table {
                thead { tr {
                    th scope="col" { "cell" }
                    @for cache in caches { th.number scope="col" { (cache) } }
                } }
                tbody {
                    @for (_, cell, _) in page.cells().filter(|(_, cell, _)| asks(cell)) {
                        tr {
                            th scope="row" { (page.link(&cell.id)) }
                            @for cache in caches { td.number { (field(page, cell, phase, cache)) } }
                        }
                    }
                }
            } }
        }
    }
}

fn field(page: &Page<'_>, cell: &CellSummary, phase: Phase, cache: &str) -> Markup {
    let Some(head) = hit_ratio(cell, phase, cache) else { return html! { "–" } };
    let base = |what: &str| base_counted(page, &cell.id, phase, &name(cache, what));
    let base = base("hits").zip(base("misses")).and_then(|(hits, misses)| share(hits, misses));
    html! {
        (percent(head))
        @if let Some(base) = base.filter(|base| (head - base).abs() >= LEAST_CHANGE) {
            " " span.(if head < base { "worse" } else { "better" }) { "was " (percent(base)) }
        }
    }
}

fn hit_ratio(cell: &CellSummary, phase: Phase, cache: &str) -> Option<f64> {
    share(counted(cell, phase, &name(cache, "hits"))?, counted(cell, phase, &name(cache, "misses"))?)
}

fn share(hits: f64, misses: f64) -> Option<f64> {
    (hits + misses > 0.0).then(|| hits / (hits + misses))
}
