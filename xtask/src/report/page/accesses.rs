//! What is asked of the store, by class: requests, bytes, and how much a request brings.

use maud::{Markup, html};
use scenarios::Phase;

use super::Page;
use super::value::{base_counted, bytes, change, count, counted};
use crate::summary::CellSummary;

/// Classes of accesses: name, counter of requests, counter of bytes, and what they are.
const CLASSES: [(&str, &str, Option<&str>, &str); 7] = [
    ("log", "store_log_json_requests", Some("store_log_json_bytes"), "Delta commit files"),
    ("checkpoint", "store_checkpoint_requests", Some("store_checkpoint_bytes"), "Delta checkpoints"),
    ("footer", "store_footer_requests", Some("store_footer_bytes"), "ends of Parquet files"),
    ("data", "store_data_requests", Some("store_data_bytes"), "Parquet data"),
    ("list", "store_list_requests", None, "listings"),
    ("other", "store_other_requests", None, "anything else"),
    ("content", "content_reads", Some("content_read_bytes"), "ranges of stored content"),
];

/// Requests and bytes of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moved {
    requests: f64,
    bytes: f64,
}

impl Moved {
    fn of(cell: &CellSummary, phase: Phase, class: usize) -> Self {
        let (_, requests, bytes, _) = CLASSES[class];
        let median = |name| cell.spread(phase, name).map(|spread| spread.median as f64);
        let value = |name| counted(cell, phase, name).or_else(|| median(name)).unwrap_or(0.0);
        Self { requests: value(requests), bytes: bytes.map_or(0.0, value) }
    }
}

/// Writes the totals by class and the table by cell.
pub(super) fn accesses(page: &Page<'_>) -> Markup {
    let total = |phase, class| {
        page.cells().map(|(_, cell, _)| Moved::of(cell, phase, class)).fold(Moved::default(), |sum, of| {
            Moved { requests: sum.requests + of.requests, bytes: sum.bytes + of.bytes }
        })
    };
    let phases = [Phase::Cold, Phase::Warm];
    let totals: Vec<[Moved; 2]> =
        (0..CLASSES.len()).map(|class| phases.map(|phase| total(phase, class))).collect();
    if totals.iter().flatten().all(|of| of.requests == 0.0) {
        return html! { p { "Nothing was asked of the store, or its counters do not repeat." } };
    }
    html! {
        p.note { "Requests and bytes of one execution, added up over the cells. Ranges of content are read by the requests above them." }
        div.scroll tabindex="0" role="group" aria-label="Accesses by class" { table {
            thead { tr {
                th scope="col" { "class" }
                th scope="col" { "what" }
                @for phase in phases {
                    th.number scope="col" { (phase.name()) " requests" }
                    th.number scope="col" { (phase.name()) " bytes" }
                    th.number scope="col" { "a request brings" }
                }
            } }
            tbody {
                @for ((name, _, _, about), totals) in CLASSES.iter().zip(&totals) {
                    tr {
                        th scope="row" { span.key.(format!("class-{name}")) {} " " (name) }
                        td { (about) }
                        @for of in totals { (moved(*of)) }
                    }
                }
            }
        } }
        (by_cell(page))
    }
}

fn moved(of: Moved) -> Markup {
    html! {
        td.number { (count(of.requests)) }
        td.number { @if of.bytes > 0.0 { (bytes(of.bytes)) } @else { "–" } }
        td.number { @if of.bytes > 0.0 && of.requests > 0.0 { (bytes(of.bytes / of.requests)) } @else { "–" } }
    }
}

/// Writes the cold requests of each cell, in which nothing is cached.
fn by_cell(page: &Page<'_>) -> Markup {
    let phase = Phase::Cold;
    let all = |cell: &CellSummary| -> Vec<Moved> {
        (0..CLASSES.len()).map(|class| Moved::of(cell, phase, class)).collect()
    };
    let sum = |of: &[Moved]| of.iter().map(|of| of.requests).sum::<f64>();
    let most = page.cells().map(|(_, cell, _)| sum(&all(cell))).fold(1.0, f64::max);
    html! {
        details {
            summary { "Requests by cell, " (phase.name()) " executions" }
            div.scroll tabindex="0" role="group" aria-label="Requests by cell" { table {
                thead { tr {
                    th scope="col" { "cell" }
                    th.number scope="col" { "requests" }
                    th scope="col" { "by class" }
                    th.number scope="col" { "bytes" }
                } }
                tbody {
                    @for (_, cell, _) in page.cells() {
                        @let of = all(cell);
                        @if sum(&of) > 0.0 {
                            tr {
                                th scope="row" { (page.link(&cell.id)) }
                                td.number { (count(sum(&of))) (was(page, cell, phase, sum(&of))) }
                                td { (stack(&of, most)) }
                                td.number { (bytes(of.iter().map(|of| of.bytes).sum())) }
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// Writes how the sum of requests changed, where the base has all of them.
fn was(page: &Page<'_>, cell: &CellSummary, phase: Phase, head: f64) -> Markup {
    let base: Option<f64> =
        CLASSES.iter().map(|(_, requests, _, _)| base_counted(page, &cell.id, phase, requests)).sum();
    html! { @if let Some(base) = base.filter(|base| *base != head) { " " (change(base, head, true)) } }
}

fn stack(of: &[Moved], most: f64) -> Markup {
    html! {
        span.stack aria-hidden="true" {
            @for ((name, ..), of) in CLASSES.iter().zip(of) {
                @if of.requests > 0.0 { (bar_of(of.requests / most, name)) }
            }
        }
    }
}

fn bar_of(share: f64, name: &str) -> Markup {
    html! { span.(format!("class-{name}")) style=(format!("width:{:.2}%", share * 100.0)) {} }
}
