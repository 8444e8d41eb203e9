//! Types of CSV columns, inferred from every row that was seen.
//!
//! A column is whole numbers, floats or booleans only if all its values are; otherwise it is text, and
//! nothing of it is lost. Numbers with leading zeros, and whole numbers too large for 64 bits, stay text.
//! Whole numbers among floats are floats unless a float would round them; then the column is text too.
//! A column without any value has no type: it takes that of the versions before and after it.

use super::time::{Scale, Shape, names_a_time, parse_integer, scale_of, shape_of};

/// The type of a CSV column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    Empty,
    Bool,
    Int,
    Float,
    Text,
}

/// The largest whole number up to which floats hold every one.
const FLOAT_INTEGER_MAX: u64 = 1 << 53;

/// What a column's values allow so far.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    values: u64,
    bool: bool,
    int: bool,
    float: bool,
    /// The shape that all values have as times.
    time: TimeGuess,
    /// Whether whole numbers count as times.
    counts: bool,
}

/// What is known of a column as times.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TimeGuess {
    /// No value yet.
    Open,
    /// All values have this shape.
    Shape(Shape),
    /// They had a shape until this line.
    Until { shape: Shape, line: u64, text: String },
    /// They have none.
    No,
}

impl Column {
    /// Begins a column; `is_time` if the user says that it is the time.
    pub(super) fn new(name: &str, is_time: bool) -> Self {
        let counts = is_time || names_a_time(name);
        let (name, time) = (name.to_owned(), TimeGuess::Open);
        Self { name, values: 0, bool: true, int: true, float: true, time, counts }
    }

    /// Takes one value that is not missing; `line` tells where it is, should it be to blame.
    pub(super) fn see(&mut self, text: &[u8], line: impl Fn() -> u64) {
        self.values += 1;
        self.bool = self.bool && parse_bool(text).is_some();
        self.int = self.int && plain_integer(text).is_some();
        self.float = self.float && parse_float(text).is_some();
        let shape = match shape_of(text) {
            None if self.counts => parse_integer(text).map(|number| Shape::Epoch(scale_of(number))),
            shape => shape,
        };
        self.time = match (std::mem::replace(&mut self.time, TimeGuess::No), shape) {
            (TimeGuess::Open, Some(shape)) => TimeGuess::Shape(shape),
            (TimeGuess::Shape(old), Some(new)) if old == new || same_epoch(old, new, text) => {
                TimeGuess::Shape(old)
            }
            (TimeGuess::Shape(shape), _) => {
                TimeGuess::Until { shape, line: line(), text: String::from_utf8_lossy(text).into_owned() }
            }
            (until @ TimeGuess::Until { .. }, _) => until,
            _ => TimeGuess::No,
        };
    }

    /// Returns the type of the values seen so far.
    pub(super) fn column_type(&self) -> ColumnType {
        match self {
            Self { values: 0, .. } => ColumnType::Empty,
            Self { bool: true, .. } => ColumnType::Bool,
            Self { int: true, .. } => ColumnType::Int,
            Self { float: true, .. } => ColumnType::Float,
            _ => ColumnType::Text,
        }
    }

    /// Says where the values stopped being times of one shape, if they began so.
    pub(super) fn time_break(&self) -> Option<String> {
        let TimeGuess::Until { shape, line, text } = &self.time else { return None };
        Some(format!(
            "'{}' holds {} until line {line}, where it is '{text}'; correct the line",
            self.name,
            shape.name()
        ))
    }

    /// Returns the shape of the column as times, if all its values have one.
    pub(super) fn time_shape(&self) -> Option<Shape> {
        match self.time {
            TimeGuess::Shape(shape) => Some(shape),
            _ => None,
        }
    }
}

/// Zero is zero on every scale.
fn same_epoch(old: Shape, new: Shape, text: &[u8]) -> bool {
    matches!((old, new), (Shape::Epoch(_), Shape::Epoch(Scale::S))) && parse_integer(text) == Some(0)
}

/// Finds the time column among columns whose values were all seen.
///
/// # Errors
/// If there is none, or more than one that could be meant.
pub(super) fn find_time(columns: &[Column]) -> Result<usize, String> {
    let candidates: Vec<usize> =
        (0..columns.len()).filter(|index| columns[*index].time_shape().is_some()).collect();
    let named = |name: &str| candidates.iter().copied().find(|i| columns[*i].name.eq_ignore_ascii_case(name));
    // Numbers are times by their name alone (`uptime`, `updates`), so times that are written out win.
    let written = || {
        let is_count = |i: &usize| matches!(columns[*i].time_shape(), Some(Shape::Epoch(_)));
        let mut found = candidates.iter().copied().filter(|i| !is_count(i));
        found.next().filter(|_| found.next().is_none())
    };
    match candidates[..] {
        [only] => Ok(only),
        [] => Err(no_time(columns)),
        _ => {
            ["timestamp", "time", "datetime"].into_iter().find_map(named).or_else(written).ok_or_else(|| {
                let names: Vec<&str> = candidates.iter().map(|index| columns[*index].name.as_str()).collect();
                format!("several columns hold times ({}); choose one with --time", names.join(", "))
            })
        }
    }
}

fn no_time(columns: &[Column]) -> String {
    if let Some(why) = columns.iter().find_map(Column::time_break) {
        return format!("no time column: {why}, or name another column with --time");
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    format!(
        "no column holds times ({}); name one with --time and its format with --time-format, or import as a table \
         with --as table",
        names.join(", ")
    )
}

/// Reads `true` or `false`, in any case.
pub(super) fn parse_bool(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// Reads a whole number that its digits say completely: no leading zeros, within 64 bits.
pub(super) fn plain_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits[0] == b'0';
    if leading_zero || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a float; infinities and NaN too, so that they can be refused by name.
pub(super) fn parse_float(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
    let is_long = digits.len() > 15 && digits.iter().all(u8::is_ascii_digit);
    let is_rounded = || plain_integer(text).is_none_or(|number| number.unsigned_abs() > FLOAT_INTEGER_MAX);
    if leading_zero || (is_long && is_rounded()) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: &[&str]) -> Column {
        let mut column = Column::new(name, false);
        values.iter().enumerate().for_each(|(line, text)| column.see(text.as_bytes(), || line as u64 + 2));
        column
    }

    #[test]
    fn types_are_what_all_values_are() {
        let check = |values: &[&str], expect| {
            assert_eq!(column("x", values).column_type(), expect, "{values:?}");
        };
        check(&[], ColumnType::Empty);
        check(&["1", "-2"], ColumnType::Int);
        check(&["1", "2.5"], ColumnType::Float);
        check(&["1e3"], ColumnType::Float);
        check(&["true", "FALSE"], ColumnType::Bool);
        check(&["true", "1"], ColumnType::Text);
        check(&["007"], ColumnType::Text);
        check(&["0.5", "0", "-0.25"], ColumnType::Float);
        check(&["99999999999999999999"], ColumnType::Text);
        check(&["9007199254740993"], ColumnType::Int);
        check(&["9007199254740993", "0.5"], ColumnType::Text);
        check(&["9007199254740992", "0.5"], ColumnType::Float);
        check(&["1", "x"], ColumnType::Text);
        check(&["NaN", "inf"], ColumnType::Float);
    }

    #[test]
    fn the_time_column_is_found_or_the_reason_is_told() {
        let check = |columns: &[Column], expect: Result<usize, &str>| {
            let found = find_time(columns);
            match expect {
                Ok(index) => assert_eq!(found, Ok(index)),
                Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{found:?}"),
            }
        };
        let number = column("id", &["1", "2"]);
        let when = column("when", &["2024-01-01 00:00", "2024-01-02 00:00"]);
        check(&[number.clone(), when.clone()], Ok(1));
        check(std::slice::from_ref(&number), Err("--as table"));
        check(&[when.clone(), column("until", &["2024-01-01 00:00"])], Err("when, until"));
        check(&[when, column("timestamp", &["2024-01-01 00:00"])], Ok(1));
        check(&[column("ts", &["1500000000", "1500000060"])], Ok(0));
        check(
            &[column("when", &["2024-01-01", "2024-01-02 00:00"])],
            Err("until line 3, where it is '2024-01-02 00:00'"),
        );
    }
}
