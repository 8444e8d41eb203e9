//! The charts of the run, as they were drawn.

use anyhow::Context as _;
use maud::{Markup, html};

use super::Page;
use super::changes::chart;

/// Writes the charts of stages, ratios and scaling.
pub(super) fn timing(page: &Page<'_>) -> anyhow::Result<Markup> {
    let names = page.charts.iter().filter(|name| *name != RESOURCES);
    let charts = charts(page, names)?;
    Ok(html! {
        @if charts.is_empty() { p { "Nothing was timed." } }
        @for chart in charts { (chart) }
    })
}

/// The chart of resources.
const RESOURCES: &str = "resources";

/// Writes the chart of resources.
pub(super) fn resources(page: &Page<'_>) -> anyhow::Result<Markup> {
    let charts = charts(page, page.charts.iter().filter(|name| *name == RESOURCES))?;
    Ok(html! {
        @if charts.is_empty() { p { "There are too few processes to draw, or their times are not in the record." } }
        @for chart in charts { (chart) }
    })
}

fn charts<'a>(page: &Page<'_>, names: impl Iterator<Item = &'a String>) -> anyhow::Result<Vec<Markup>> {
    let mut charts = Vec::new();
    for name in names {
        let path = page.folder.join("charts").join(format!("{name}.svg"));
        let svg =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        charts.push(chart(&svg, &format!("chart {name}")));
    }
    Ok(charts)
}
