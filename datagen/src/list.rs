//! What `--list` prints.

use std::io::{self, Write};

use datagen::{PondSpec, SIZES};

/// Prints every size with what it holds.
pub(crate) fn sizes(out: &mut impl Write) -> anyhow::Result<()> {
    let mut text = format!("{:<10} {:>6} {:>12}  {:<16}\n", "size", "files", "rows", "digest");
    for size in SIZES {
        let spec = PondSpec::named(size)?;
        let (files, rows) = (spec.files(), spec.planned_rows());
        text.push_str(&format!("{size:<10} {files:>6} {rows:>12}  {}\n", spec.digest()));
    }
    print(out, &text)
}

/// Prints the path and the number of versions of every series.
pub(crate) fn series(out: &mut impl Write, spec: &PondSpec) -> anyhow::Result<()> {
    let mut text = String::new();
    for series in spec.series() {
        let versions = series.versions();
        let noun = if versions == 1 { "version" } else { "versions" };
        text.push_str(&format!("{} ({versions} {noun})\n", series.path()));
    }
    print(out, &text)
}

/// Prints; a reader that has seen enough, such as `head`, is no failure.
fn print(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
