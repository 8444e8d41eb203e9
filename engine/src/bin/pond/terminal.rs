//! Progress bars, tables, and how times and sizes are shown.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Makes a progress bar over bytes; hidden if standard error is no terminal.
pub(crate) fn byte_bar(total: u64) -> ProgressBar {
    bar(total, "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}")
}

/// Makes a progress bar over things; hidden if standard error is no terminal.
pub(crate) fn count_bar(total: u64) -> ProgressBar {
    bar(total, "{msg} [{bar:30}] {pos}/{len} {eta}")
}

/// Makes a progress bar over series with room for lines below; nothing if standard error is no terminal. It is drawn
/// when it is told to, `hz` times a second at most.
pub(crate) fn live_bar(hz: u8) -> Option<ProgressBar> {
    let style = style("exporting [{bar:30}] {pos}/{len} series{msg}");
    let target = ProgressDrawTarget::stderr_with_hz(hz);
    stderr().is_terminal().then(|| ProgressBar::with_draw_target(None, target).with_style(style))
}

fn bar(total: u64, template: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total).with_style(style(template));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> ")
}

/// Shows a time as RFC 3339 in UTC.
pub(crate) fn time(us: Option<i64>) -> String {
    let time = us.and_then(DateTime::from_timestamp_micros);
    time.map_or_else(|| "-".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Shows a size with three digits or so.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Aligns the cells of rows; the columns named in `right` go to the right.
pub(crate) fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            if right.contains(&column) { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect()
}
