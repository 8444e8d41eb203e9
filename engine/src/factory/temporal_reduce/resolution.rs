//! Resolutions: widths of buckets, such as `1h`, `6h` and `1d`.

/// The least width, in microseconds.
const LEAST_US: i64 = 1_000_000;
/// The greatest width, in microseconds: a century, which nanoseconds still hold.
const GREATEST_US: i64 = 100 * 366 * 86_400 * 1_000_000;

/// A width with the text that it was given as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    text: String,
    pub us: i64,
}

impl Resolution {
    /// Returns the name of a series of this resolution.
    pub(super) fn file_name(&self) -> String {
        format!("res={}.series", self.text)
    }
}

/// Reads resolutions, finest first.
pub(super) fn read(texts: &[String]) -> Result<Vec<Resolution>, String> {
    if texts.is_empty() {
        return Err("resolutions: give at least one, such as 1h".to_owned());
    }
    let mut resolutions: Vec<Resolution> = Vec::with_capacity(texts.len());
    for text in texts {
        let us = width(text).map_err(|message| format!("resolutions: '{text}' {message}"))?;
        if let Some(same) = resolutions.iter().find(|other| other.us == us) {
            return Err(format!("resolutions: '{text}' is as long as '{}'; leave one out", same.text));
        }
        resolutions.push(Resolution { text: text.split_whitespace().collect(), us });
    }
    resolutions.sort_by_key(|resolution| resolution.us);
    Ok(resolutions)
}

fn width(text: &str) -> Result<i64, String> {
    let units = text.split(|c: char| !c.is_alphabetic());
    let uneven = ["M", "month", "months", "y", "yr", "yrs", "year", "years"];
    if let Some(unit) = units.into_iter().find(|unit| uneven.contains(unit)) {
        return Err(format!(
            "has no fixed length, because of '{unit}'; write days, hours, minutes or seconds"
        ));
    }
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("is no duration such as 1h or 15m: {}", error.to_string().to_lowercase()))?;
    if duration.subsec_nanos() % 1000 != 0 {
        return Err("is finer than microseconds".to_owned());
    }
    let us = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    match us {
        ..LEAST_US => Err("is shorter than a second, which is the least".to_owned()),
        us if us > GREATEST_US => Err("is longer than a century".to_owned()),
        us => Ok(us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_exact_or_refused() {
        let check = |text: &str, expect: Result<i64, &str>| {
            let found = width(text);
            match (&found, expect) {
                (Ok(us), Ok(seconds)) => assert_eq!(*us, seconds * 1_000_000, "{text}"),
                (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
                _ => panic!("{text}: {found:?}"),
            }
        };
        check("1s", Ok(1));
        check("1h", Ok(3600));
        check("2h", Ok(7200));
        check("1h 30m", Ok(5400));
        check("1d", Ok(86_400));
        check("1week", Ok(7 * 86_400));
        check("500ms", Err("shorter than a second"));
        check("0s", Err("shorter than a second"));
        check("1s 1ns", Err("finer than microseconds"));
        check("1month", Err("no fixed length"));
        check("1M", Err("no fixed length"));
        check("1y", Err("no fixed length"));
        check("200000weeks", Err("longer than a century"));
        check("hour", Err("no duration"));
        check("", Err("no duration"));
        check("-1h", Err("no duration"));
    }

    #[test]
    fn each_width_is_given_once() {
        let read = |texts: &[&str]| read(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let names = |texts| read(texts).unwrap().iter().map(Resolution::file_name).collect::<Vec<_>>();
        assert_eq!(names(&["1d", "1h", "1h 30m"]), ["res=1h.series", "res=1h30m.series", "res=1d.series"]);
        assert_eq!(read(&["1h", "60m"]).unwrap_err(), "resolutions: '60m' is as long as '1h'; leave one out");
        assert!(read(&[]).is_err());
    }
}
