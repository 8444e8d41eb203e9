//! `pond export`.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use engine::{ExportOptions, Pattern, Pond, TimeRange, Units};

use crate::cli::ExportArguments;
use crate::{output, terminal};

pub(crate) fn run(pond: &Pond, arguments: &ExportArguments) -> Result<()> {
    let patterns =
        arguments.patterns.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let start_us = arguments.start.as_deref().map(time).transpose().context("--start")?;
    let end_us = arguments.end.as_deref().map(time).transpose().context("--end")?;
    if let (Some(start), Some(end)) = (start_us, end_us)
        && start >= end
    {
        bail!("--start must be before --end; no row can be between them");
    }
    let options = ExportOptions {
        patterns,
        dir: arguments.dir.clone(),
        temporal: Units::parse(&arguments.temporal)?,
        range: TimeRange { start_us, end_us },
        jobs: arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        replace: arguments.replace,
    };
    let bar = terminal::count_bar(0);
    bar.set_message("exporting");
    let manifest = pond.export(&options, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let manifest = manifest?;
    for target in &manifest.targets {
        if target.rows == 0 {
            eprintln!("note: {} has no rows in this time range, so no file was written for it", target.path);
        }
        let collides = |column: &&String| {
            let plain = column.strip_prefix("part_");
            plain.is_some_and(|plain| target.schema.field_with_name(plain).is_ok())
        };
        if let Some(column) = target.partition_columns.iter().find(collides) {
            let plain = column.trim_start_matches("part_");
            eprintln!(
                "note: {} has a column '{plain}' of its own; its folders are called {column}=…",
                target.path
            );
        }
    }
    let files = manifest.files().count();
    let bytes = terminal::size(manifest.files().map(|file| file.bytes).sum());
    output::line(&format!(
        "exported {} series, {} rows, {files} files, {bytes}, to {}",
        manifest.targets.len(),
        manifest.rows(),
        arguments.dir.display()
    ))
}

/// Reads a time of UTC: RFC 3339, a date and time, or a date.
fn time(text: &str) -> Result<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_micros());
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc().timestamp_micros());
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .with_context(|| format!("'{text}' is no time; write 2024-07-01 or 2024-07-01T12:00:00Z"))?;
    Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}
