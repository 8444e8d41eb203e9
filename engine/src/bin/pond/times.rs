//! Times on the command line.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use engine::TimeRange;

/// Reads `--start` and `--end`.
pub(crate) fn range(start: Option<&str>, end: Option<&str>) -> Result<TimeRange> {
    let start_us = start.map(time).transpose().context("--start")?;
    let end_us = end.map(time).transpose().context("--end")?;
    if let (Some(start), Some(end)) = (start_us, end_us)
        && start >= end
    {
        bail!("--start must be before --end; no row can be between them");
    }
    Ok(TimeRange { start_us, end_us })
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
