//! Charts of a run, each as SVG and as PNG.
//!
//! A chart is first laid out as a list of shapes, which is pure and testable, and then drawn by plotters.

mod claims;
mod drawing;
mod history;
mod palette;
mod peers;
mod ratio;
mod render;
mod resources;
mod scaling;
mod stages;

use std::path::Path;

use anyhow::Context as _;
use scenarios::Phase;

use crate::claims::Finding;
use crate::evaluation::Evaluation;
use crate::history::Series;
use crate::record::Record;
use drawing::Drawing;

/// Bars in one image; more go to further images.
const BARS_PER_IMAGE: usize = 20;

/// Writes every chart that the run has data for into an emptied folder; returns their names in order.
pub(crate) fn write_all(
    folder: &Path,
    record: &Record,
    evaluation: &Evaluation,
) -> anyhow::Result<Vec<String>> {
    if folder.is_dir() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let drawings = drawings(record, evaluation);
    for (name, drawing) in &drawings {
        render::svg(&folder.join(format!("{name}.svg")), drawing)?;
        render::png(&folder.join(format!("{name}.png")), drawing)?;
    }
    Ok(drawings.into_iter().map(|(name, _)| name).collect())
}

/// Writes the chart of claims, `claims.svg`, into a folder.
pub(crate) fn write_claims(folder: &Path, findings: &[Finding<'_>]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    render::svg(&folder.join("claims.svg"), &claims::draw(findings))
}

/// Writes rules that give what has the class of a stage the stage's colour.
pub(crate) fn stage_styles() -> String {
    let rule = |(stage, color): (&str, palette::Color)| {
        let palette::Color(red, green, blue) = color;
        format!(".stage-{stage} {{ background: #{red:02x}{green:02x}{blue:02x}; }}\n")
    };
    palette::all_stages().map(rule).collect()
}

/// Writes a chart of each series of a history into an emptied folder, under the names given.
pub(crate) fn write_history(folder: &Path, named: &[(String, &Series)]) -> anyhow::Result<()> {
    if folder.is_dir() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, series) in named {
        let drawing = history::draw(series);
        render::svg(&folder.join(format!("{name}.svg")), &drawing)?;
        render::png(&folder.join(format!("{name}.png")), &drawing)?;
    }
    Ok(())
}

fn drawings(record: &Record, evaluation: &Evaluation) -> Vec<(String, Drawing)> {
    let mut named = Vec::new();
    for phase in [Phase::Cold, Phase::Warm] {
        let rows = stages::rows(&evaluation.summary, phase);
        let palette = palette::stage_colors(&rows);
        pages(&mut named, &format!("stages-{}", phase.name()), &rows, |page, place| {
            stages::draw(&evaluation.summary.suite, phase, page, &palette, place)
        });
    }
    for (name, chart) in ratio::charts(evaluation) {
        pages(&mut named, name, &chart.rows, |page, place| ratio::draw(&chart.title, page, place));
    }
    if let Some(drawing) = scaling::draw(&evaluation.summary, Phase::Cold) {
        named.push(("scaling-cold".to_owned(), drawing));
    }
    if let Some(drawing) = resources::draw(record) {
        named.push(("resources".to_owned(), drawing));
    }
    named
}

/// Writes the chart of the peers, `peers.svg`, into a folder, if anybody was measured.
pub(crate) fn write_peers(folder: &Path, records: &[crate::peers::record::Record]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let Some(drawing) = peers::draw(records) else { return Ok(()) };
    render::svg(&folder.join("peers.svg"), &drawing)
}

/// Splits rows over images; a name gets a number only where there are several.
fn pages<R>(
    named: &mut Vec<(String, Drawing)>,
    name: &str,
    rows: &[R],
    draw: impl Fn(&[R], &str) -> Drawing,
) {
    let count = rows.len().div_ceil(BARS_PER_IMAGE);
    // Images of like height, rather than a full one and one with a single bar.
    let bars = rows.len().div_ceil(count.max(1)).max(1);
    for (index, page) in rows.chunks(bars).enumerate() {
        if count == 1 {
            named.push((name.to_owned(), draw(page, "")));
        } else {
            let place = format!(", part {} of {count}", index + 1);
            named.push((format!("{name}-{}", index + 1), draw(page, &place)));
        }
    }
}
