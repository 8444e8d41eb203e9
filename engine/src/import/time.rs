//! Times as text and as numbers: their shapes, and their meaning in microseconds of UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

/// What a local time means that the clocks showed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguous {
    /// The first time they showed it.
    Earliest,
    /// The second time they showed it.
    Latest,
}

/// The shape of a time; all times of a column have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Date, time and offset: RFC 3339.
    Offset,
    /// Date and time.
    Local,
    /// A date alone.
    Date,
    /// A number of seconds, milli-, micro- or nanoseconds since 1970.
    Epoch(Scale),
}

/// What one count of an epoch time is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    S,
    Ms,
    Us,
    Ns,
}

impl Shape {
    /// Describes the shape to a user.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Offset => "a time with offset (RFC 3339)",
            Self::Local => "a date and time without zone",
            Self::Date => "a date",
            Self::Epoch(Scale::S) => "seconds since 1970",
            Self::Epoch(Scale::Ms) => "milliseconds since 1970",
            Self::Epoch(Scale::Us) => "microseconds since 1970",
            Self::Epoch(Scale::Ns) => "nanoseconds since 1970",
        }
    }
}

/// A time as it was written: fields on the clock, and how far the clock was ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    shape: Shape,
    /// Microseconds from 1970 to the fields, read as if they were UTC.
    clock_us: i64,
    offset_s: i64,
    /// Whether digits below a microsecond were left out, and not all zero.
    finer: bool,
}

/// How texts become times.
#[derive(Clone, Debug)]
pub(super) struct TimeRule {
    pub zone: Tz,
    pub ambiguous: Option<Ambiguous>,
    pub truncate: bool,
    pub format: Option<String>,
}

impl TimeRule {
    /// Reads a time of a known shape, in microseconds of UTC; the error is for the user.
    pub(super) fn read(&self, text: &[u8], expected: Option<Shape>) -> Result<i64, String> {
        if let Some(format) = &self.format {
            return self.read_format(text, format);
        }
        if let Some(shape @ Shape::Epoch(_)) = expected {
            let number = parse_integer(text).ok_or_else(|| format!("{} is no whole number", quoted(text)))?;
            return self.count(number, shape);
        }
        let written = parse(text).ok_or_else(|| {
            format!(
                "{} is no time; name another column with --time, or the format with --time-format",
                quoted(text)
            )
        })?;
        if let Some(expected) = expected.filter(|expected| *expected != written.shape) {
            return Err(format!(
                "{} is {}, the times before it are {}; make them agree, or give --time-format",
                quoted(text),
                written.shape.name(),
                expected.name()
            ));
        }
        if written.finer && !self.truncate {
            return Err(format!(
                "{} is finer than a microsecond; cut it off with --truncate-time",
                quoted(text)
            ));
        }
        match written.shape {
            Shape::Offset => Ok(written.clock_us - written.offset_s * 1_000_000),
            _ => self.local(written.clock_us).map_err(|reason| format!("{}: {reason}", quoted(text))),
        }
    }

    /// Turns a count since 1970 into microseconds, if its magnitude is that of the counts before it.
    pub(super) fn count(&self, number: i64, expected: Shape) -> Result<i64, String> {
        let found = Shape::Epoch(scale_of(number));
        if found != expected && number != 0 {
            let (found, expected) = (found.name(), expected.name());
            return Err(format!(
                "'{number}' looks like {found}, the times before it are {expected}; correct it"
            ));
        }
        let Shape::Epoch(scale) = expected else { unreachable!("only epoch times are counts") };
        self.epoch(number, scale)
    }

    /// Turns a count since 1970 into microseconds.
    pub(super) fn epoch(&self, number: i64, scale: Scale) -> Result<i64, String> {
        let out_of_range = || format!("{number} is no time that microseconds can hold");
        match scale {
            Scale::S => number.checked_mul(1_000_000).ok_or_else(out_of_range),
            Scale::Ms => number.checked_mul(1000).ok_or_else(out_of_range),
            Scale::Us => Ok(number),
            Scale::Ns if number % 1000 != 0 && !self.truncate => {
                Err(format!("{number} ns is finer than a microsecond; cut it off with --truncate-time"))
            }
            Scale::Ns => Ok(number.div_euclid(1000)),
        }
    }

    /// Turns fields of a clock in the rule's zone into UTC.
    pub(super) fn local(&self, clock_us: i64) -> Result<i64, String> {
        if self.zone == Tz::UTC {
            return Ok(clock_us);
        }
        let clock = DateTime::from_timestamp_micros(clock_us).ok_or("it is out of range")?.naive_utc();
        let zone = self.zone;
        match (zone.from_local_datetime(&clock), self.ambiguous) {
            (chrono::LocalResult::Single(time), _) => Ok(time.timestamp_micros()),
            (chrono::LocalResult::Ambiguous(first, _), Some(Ambiguous::Earliest)) => {
                Ok(first.timestamp_micros())
            }
            (chrono::LocalResult::Ambiguous(_, last), Some(Ambiguous::Latest)) => Ok(last.timestamp_micros()),
            (chrono::LocalResult::Ambiguous(..), None) => Err(format!(
                "the clocks of {zone} showed it twice; choose with --ambiguous earliest or latest"
            )),
            (chrono::LocalResult::None, _) => {
                Err(format!("the clocks of {zone} never showed it; is --zone right?"))
            }
        }
    }

    fn read_format(&self, text: &[u8], format: &str) -> Result<i64, String> {
        let value = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?.trim();
        let failed = || format!("'{value}' does not fit the format '{format}'; correct it, or --time-format");
        if let Ok(time) = DateTime::parse_from_str(value, format) {
            return Ok(time.timestamp_micros());
        }
        let clock = NaiveDateTime::parse_from_str(value, format)
            .or_else(|_| {
                NaiveDate::parse_from_str(value, format).map(|date| date.and_time(chrono::NaiveTime::MIN))
            })
            .map_err(|_| failed())?;
        self.local(clock.and_utc().timestamp_micros()).map_err(|reason| format!("'{value}': {reason}"))
    }
}

/// Returns the shape of a text, if it is a time with a date.
pub(super) fn shape_of(text: &[u8]) -> Option<Shape> {
    parse(text).map(|written| written.shape)
}

/// Guesses what a count since 1970 counts, by its magnitude: seconds until the year 5138, and so on.
pub(super) fn scale_of(number: i64) -> Scale {
    match number.unsigned_abs() {
        0..100_000_000_000 => Scale::S,
        100_000_000_000..100_000_000_000_000 => Scale::Ms,
        100_000_000_000_000..100_000_000_000_000_000 => Scale::Us,
        _ => Scale::Ns,
    }
}

/// Tells whether a column's name says that its numbers are times.
pub(super) fn names_a_time(name: &str) -> bool {
    let name = name.to_lowercase();
    ["time", "date", "epoch", "ts", "ds", "unix"]
        .iter()
        .any(|word| name == *word || (word.len() > 2 && name.contains(word)))
}

/// Reads a whole number, without blanks around it.
pub(super) fn parse_integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// Reads `YYYY-MM-DD[ HH:MM[:SS[.f]]][Z|±HH:MM]`, with `-` or `/` in the date and a blank or `T` before the time.
fn parse(text: &[u8]) -> Option<Written> {
    let text = text.trim_ascii();
    if text.len() < 10 || !matches!(text[4], b'-' | b'/') || text[7] != text[4] {
        return None;
    }
    let year = digits(&text[..4])?;
    let (month, day) = (digits(&text[5..7])?, digits(&text[8..10])?);
    let date = NaiveDate::from_ymd_opt(year as i32, month as u32, day as u32)?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    let midnight_us = days * 86_400_000_000;
    if text.len() == 10 {
        return Some(Written { shape: Shape::Date, clock_us: midnight_us, offset_s: 0, finer: false });
    }
    if !matches!(text[10], b'T' | b't' | b' ') || text.len() < 16 || text[13] != b':' {
        return None;
    }
    let (hour, minute) = (digits(&text[11..13])?, digits(&text[14..16])?);
    let mut rest = &text[16..];
    let mut second = 0;
    let (mut fraction_us, mut finer) = (0, false);
    if rest.len() >= 3 && rest[0] == b':' {
        second = digits(&rest[1..3])?;
        rest = &rest[3..];
        if let [b'.' | b',', more @ ..] = rest {
            let length = more.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            (fraction_us, finer) = fraction(&more[..length]);
            rest = &more[length..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let clock_us = midnight_us + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction_us;
    let (shape, offset_s) = match rest.trim_ascii_start() {
        b"" => (Shape::Local, 0),
        b"Z" | b"z" | b"UTC" => (Shape::Offset, 0),
        [sign @ (b'+' | b'-'), more @ ..] => {
            let seconds = offset(more)?;
            (Shape::Offset, if *sign == b'-' { -seconds } else { seconds })
        }
        _ => return None,
    };
    Some(Written { shape, clock_us, offset_s, finer })
}

/// Reads `HH`, `HHMM` or `HH:MM` as seconds.
fn offset(text: &[u8]) -> Option<i64> {
    let (hours, minutes) = match text {
        [a, b] => (digits(&[*a, *b])?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (digits(&[*a, *b])?, digits(&[*c, *d])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some((hours * 60 + minutes) * 60)
}

fn fraction(text: &[u8]) -> (i64, bool) {
    let mut us = 0;
    for place in 0..6 {
        us = us * 10 + text.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    }
    (us, text.iter().skip(6).any(|byte| *byte != b'0'))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn quoted(text: &[u8]) -> String {
    format!("'{}'", String::from_utf8_lossy(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(zone: Tz) -> TimeRule {
        TimeRule { zone, ambiguous: None, truncate: false, format: None }
    }

    #[test]
    fn times_have_known_values() {
        let check = |text: &str, expect: &str| {
            let expect = DateTime::parse_from_rfc3339(expect).unwrap().timestamp_micros();
            assert_eq!(rule(Tz::UTC).read(text.as_bytes(), None), Ok(expect), "{text}");
        };
        check("2016-02-15T00:30:00Z", "2016-02-15T00:30:00Z");
        check("2016-02-15 00:30:00.25+02:00", "2016-02-14T22:30:00.25Z");
        check("2016-02-15 00:30:00 -0530", "2016-02-15T06:00:00Z");
        check("2010/01/01 00:00", "2010-01-01T00:00:00Z");
        check("1969-12-31", "1969-12-31T00:00:00Z");
        check("2012-01-01 01:00:00.123456", "2012-01-01T01:00:00.123456Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "hello",
            "2016-02-30",
            "2016-13-01",
            "2016-02-15T25:00",
            "2016-02-15T00:00:00.",
            "2016-02-15T00:00Q",
            "2016-02/15",
            "20160215",
            "2016-02-15T00:60",
            "2016-02-15T0a:00",
        ] {
            assert!(shape_of(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn zones_apply_to_local_times_only() {
        let new_york = rule(Tz::America__New_York);
        let at = |text: &str| new_york.read(text.as_bytes(), None);
        assert_eq!(at("2013-07-01 00:00"), Ok(1_372_651_200_000_000));
        assert_eq!(at("2013-07-01T00:00Z"), Ok(1_372_636_800_000_000));
        assert!(at("2013-03-10 02:30").unwrap_err().contains("never showed it"));
        assert!(at("2013-11-03 01:30").unwrap_err().contains("--ambiguous"));
        let latest = TimeRule { ambiguous: Some(Ambiguous::Latest), ..new_york };
        assert_eq!(latest.read(b"2013-11-03 01:30", None), Ok(1_383_460_200_000_000));
    }

    #[test]
    fn epoch_numbers_are_told_by_their_magnitude() {
        let utc = rule(Tz::UTC);
        let check = |text: &str, shape: Scale, expect: i64| {
            assert_eq!(scale_of(text.parse().unwrap()), shape);
            assert_eq!(utc.read(text.as_bytes(), Some(Shape::Epoch(shape))), Ok(expect), "{text}");
        };
        check("1500000000", Scale::S, 1_500_000_000_000_000);
        check("1500000000123", Scale::Ms, 1_500_000_000_123_000);
        check("1500000000123456", Scale::Us, 1_500_000_000_123_456);
        check("1500000000123456000", Scale::Ns, 1_500_000_000_123_456);
        assert!(
            utc.read(b"1500000000123", Some(Shape::Epoch(Scale::S))).unwrap_err().contains("milliseconds")
        );
        assert!(
            utc.read(b"1500000000123456789", Some(Shape::Epoch(Scale::Ns)))
                .unwrap_err()
                .contains("--truncate-time")
        );
    }

    proptest! {
        #[test]
        fn written_times_read_back(us in -60_000_000_000_000_000i64..200_000_000_000_000_000) {
            let time = DateTime::from_timestamp_micros(us).unwrap();
            let text = time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            if text.len() == 27 {
                prop_assert_eq!(rule(Tz::UTC).read(text.as_bytes(), Some(Shape::Offset)), Ok(us));
            }
        }

        #[test]
        fn nothing_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = shape_of(&text);
        }
    }
}
