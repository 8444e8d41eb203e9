//! Numbers for people: times, bytes and counts with three significant digits or exact.

use std::time::Duration;

/// Writes nanoseconds in the unit that suits: `850 ns`, `12.3 µs`, `4.56 ms`, `7.89 s`.
pub(crate) fn nanoseconds(ns: u64) -> String {
    scaled(ns as f64, 1000.0, &["ns", "µs", "ms", "s"])
}

/// Writes bytes in the unit that suits: `512 B`, `1.50 KiB`, `64.0 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Writes a count exactly, with thousands apart: `1,234,567`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a value of a metric in the unit that suits.
pub(crate) fn metric(name: &str, value: u64) -> String {
    match scenarios::Metric::unit_of(name) {
        "ns" => nanoseconds(value),
        "bytes" if scenarios::Metric::kind_of(name) != Some(scenarios::Kind::Exact) => bytes(value),
        unit => format!("{} {unit}", count(value)),
    }
}

/// Writes a ratio as a change: `+8.3 %`; from nothing it is no percentage.
pub(crate) fn change(base: u64, head: u64) -> String {
    if base == head {
        return "±0 %".to_owned();
    }
    if base == 0 {
        return "from nothing".to_owned();
    }
    let percent = (head as f64 / base as f64 - 1.0) * 100.0;
    let digits = match percent.abs() {
        0.995.. => 1,
        0.00995.. => 2,
        _ => 4,
    };
    format!("{percent:+.digits$} %")
}

/// Writes a time span: `45 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Makes the name of a file from that of a cell: `smoke/open[size=tiny]` becomes `smoke-open-size-tiny`.
pub(crate) fn slug(id: &str) -> String {
    let words = id.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.5 would be written as 1000, which belongs to the next unit.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 => 0,
        _ if value < 9.995 => 2,
        _ if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let check = |ns, expect| assert_eq!(nanoseconds(ns), expect);
        check(0, "0 ns");
        check(999, "999 ns");
        check(1_000, "1.00 µs");
        check(12_345, "12.3 µs");
        check(999_499, "999 µs");
        check(999_600, "1.00 ms");
        check(7_894_000_000, "7.89 s");
        check(90_000_000_000, "90.0 s");
    }

    #[test]
    fn bytes_are_binary() {
        let check = |value, expect| assert_eq!(bytes(value), expect);
        check(512, "512 B");
        check(1536, "1.50 KiB");
        check(64 << 20, "64.0 MiB");
    }

    #[test]
    fn counts_are_exact() {
        let check = |value, expect| assert_eq!(count(value), expect);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_234_567, "1,234,567");
    }

    #[test]
    fn files_have_plain_names() {
        let check = |id, expect| assert_eq!(slug(id), expect);
        check("smoke/export[temporal=year,month size=tiny]", "smoke-export-temporal-year-month-size-tiny");
        check("smoke/query[]", "smoke-query");
    }

    #[test]
    fn changes_have_a_sign() {
        let check = |base, head, expect| assert_eq!(change(base, head), expect);
        check(12, 13, "+8.3 %");
        check(13, 12, "-7.7 %");
        check(1_000, 1_001, "+0.10 %");
        check(1_000_000, 1_000_001, "+0.0001 %");
        check(0, 5, "from nothing");
        check(5, 5, "±0 %");
        check(5, 0, "-100.0 %");
    }
}
