//! Where and of what the run was made.

use maud::{Markup, html};

use super::Page;
use crate::fingerprint::Context;

/// Writes the lists.
pub(super) fn environment(page: &Page<'_>) -> Markup {
    let header = &page.record.header;
    let mut run = vec![
        ("run", header.run.clone()),
        ("started", header.started.clone()),
        ("ended", page.record.end.as_ref().map_or("not finished".to_owned(), |end| end.ended.clone())),
        ("tier", format!("{:?}", header.tier).to_lowercase()),
        ("filters", if header.filters.is_empty() { "none".to_owned() } else { header.filters.join(" ") }),
        ("cells", format!("{} of {} of the suite", header.planned.len(), header.suite_cells.len())),
        ("processes", page.record.processes.len().to_string()),
        ("executions", page.record.samples.len().to_string()),
    ];
    if let Some(base) = &header.base {
        let percent = |ppm: u32| format!("{} %", f64::from(ppm) / 1e4);
        run.extend([
            ("pairs of a cell, at most", base.pairs.to_string()),
            ("margin", percent(base.margin_ppm)),
            ("bound of equivalence", percent(base.equivalence_ppm)),
            ("canary", base.canary.clone().unwrap_or_else(|| "none".to_owned())),
        ]);
    }
    html! {
        div.sides {
            (list("Run", &run))
            (list("Head", &context(&header.context, &header.engine_digest)))
            @if let Some(base) = &header.base {
                (list("Base", &context(&base.context, &base.engine_digest)))
            }
        }
    }
}

fn context(context: &Context, digest: &str) -> Vec<(&'static str, String)> {
    let machine = &context.machine;
    vec![
        ("revision", context.revision.clone()),
        ("engine", format!("{}, {} build", context.engine_version, context.profile)),
        ("digest", digest.to_owned()),
        ("architecture", context.arch.clone()),
        ("processor", machine.cpu.clone()),
        ("cores", machine.cores.to_string()),
        ("memory", format!("{} GiB", machine.memory_gib)),
        ("system", machine.os.clone()),
        ("kernel", machine.kernel.clone()),
        ("compiler", machine.rustc.clone()),
    ]
}

fn list(heading: &str, entries: &[(&str, String)]) -> Markup {
    html! {
        div {
            h3 { (heading) }
            dl.environment {
                @for (name, value) in entries { div { dt { (name) } dd { (value) } } }
            }
        }
    }
}
