//! Calendar units in UTC: where a timestamp's year, month, day or hour begins and ends.

use std::fmt;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Timelike, Utc};

use crate::error::{Error, Result};

/// A calendar unit; coarser units are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A calendar year.
    Year,
    /// A calendar month.
    Month,
    /// A day of UTC.
    Day,
    /// An hour.
    Hour,
}

impl Unit {
    const ALL: [Self; 4] = [Self::Year, Self::Month, Self::Day, Self::Hour];

    /// Returns the name used in options and folder names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// Returns the half-open span of the unit that holds a timestamp, in microseconds.
    ///
    /// The end is `None` where the calendar ends.
    pub fn span(self, timestamp_us: i64) -> Option<(i64, Option<i64>)> {
        let time = DateTime::from_timestamp_micros(timestamp_us)?;
        let date = time.date_naive();
        let (begin, end) = match self {
            Self::Year => (
                NaiveDate::from_ymd_opt(date.year(), 1, 1)?,
                date.year().checked_add(1).and_then(|y| NaiveDate::from_ymd_opt(y, 1, 1)),
            ),
            Self::Month => {
                let begin = NaiveDate::from_ymd_opt(date.year(), date.month(), 1)?;
                (begin, begin.checked_add_months(Months::new(1)))
            }
            Self::Day => (date, date.succ_opt()),
            Self::Hour => {
                let begin = date.and_hms_opt(time.hour(), 0, 0)?.and_utc();
                let end = begin.checked_add_signed(TimeDelta::hours(1));
                return Some((begin.timestamp_micros(), end.map(|end| end.timestamp_micros())));
            }
        };
        let midnight =
            |date: NaiveDate| date.and_hms_opt(0, 0, 0).map(|time| time.and_utc().timestamp_micros());
        Some((midnight(begin)?, end.and_then(midnight)))
    }
}

/// The units that partition an export, coarsest first; none for a single file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units(Vec<Unit>);

impl Units {
    /// Reads a list such as `year,month`; the empty text means no partitions.
    ///
    /// # Errors
    /// If a unit is unknown, given twice, or left out between two others.
    pub fn parse(text: &str) -> Result<Self> {
        let option = |message: String| Error::Option { option: "--temporal", message };
        let mut units = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name).ok_or_else(|| {
                let near = scenarios::nearest(name, Unit::ALL.map(Unit::name));
                let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                option(format!("unknown unit '{name}'{near} (known: year, month, day, hour)"))
            })?;
            units.push(unit);
        }
        if units[..] != Unit::ALL[..units.len().min(4)] {
            return Err(option(format!(
                "'{text}' skips or repeats a unit; write year, year,month, year,month,day or year,month,day,hour"
            )));
        }
        Ok(Self(units))
    }

    /// Returns the finest unit, which decides where partitions end; nothing for a single file.
    pub fn finest(&self) -> Option<Unit> {
        self.0.last().copied()
    }

    /// Returns the units, coarsest first.
    pub fn as_slice(&self) -> &[Unit] {
        &self.0
    }

    /// Returns the folder of the partition that holds a timestamp: `year=2024/month=07`.
    ///
    /// `prefix` goes before every unit's name.
    pub fn folder(&self, timestamp_us: i64, prefix: &str) -> String {
        let time = DateTime::<Utc>::from_timestamp_micros(timestamp_us).unwrap_or_default();
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|unit| {
                let value = match unit {
                    Unit::Year => format!("{:04}", time.year()),
                    Unit::Month => format!("{:02}", time.month()),
                    Unit::Day => format!("{:02}", time.day()),
                    Unit::Hour => format!("{:02}", time.hour()),
                };
                format!("{prefix}{}={value}", unit.name())
            })
            .collect();
        parts.join("/")
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|unit| unit.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn us(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[test]
    fn spans_hold_their_timestamp_and_end_before_the_next() {
        let check = |unit: Unit, at: &str, begin: &str, end: &str| {
            assert_eq!(unit.span(us(at)), Some((us(begin), Some(us(end)))), "{unit:?} {at}");
        };
        check(Unit::Month, "2024-02-29T23:59:59.999999Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
        check(Unit::Month, "2023-12-31T23:59:59Z", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z");
        check(Unit::Year, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check(Unit::Day, "1969-12-31T12:00:00Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z");
        check(Unit::Hour, "2024-07-01T05:59:59Z", "2024-07-01T05:00:00Z", "2024-07-01T06:00:00Z");
    }

    #[test]
    fn units_are_chronological() {
        let check = |text: &str, ok: bool| assert_eq!(Units::parse(text).is_ok(), ok, "{text}");
        check("", true);
        check("year", true);
        check("year,month", true);
        check("year,month,day,hour", true);
        check("month", false);
        check("month,year", false);
        check("year,day", false);
        check("year,year", false);
        check("year,mnth", false);
    }

    #[test]
    fn folders_are_padded() {
        let units = Units::parse("year,month,day,hour").unwrap();
        assert_eq!(units.folder(us("2024-07-05T03:04:05Z"), ""), "year=2024/month=07/day=05/hour=03");
        assert_eq!(
            units.folder(us("2024-07-05T03:04:05Z"), "part_"),
            "part_year=2024/part_month=07/part_day=05/part_hour=03"
        );
    }

    proptest! {
        #[test]
        fn every_timestamp_lies_in_its_span(at in -4_000_000_000_000_000i64..9_000_000_000_000_000) {
            for unit in Unit::ALL {
                let (begin, end) = unit.span(at).unwrap();
                prop_assert!(begin <= at && at < end.unwrap());
                prop_assert_eq!(unit.span(begin).unwrap().0, begin);
                prop_assert_eq!(unit.span(end.unwrap()).unwrap().0, end.unwrap());
            }
        }
    }
}
