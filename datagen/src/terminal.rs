//! Writing as seen from a terminal: a bar while it lasts, a summary at the end.

use std::time::Instant;

use datagen::{Options, PondSpec};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// Writes the pond and tells what was written.
pub(crate) fn write(spec: &PondSpec, options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    // Hidden by indicatif where standard error is no terminal.
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} files, {msg} rows, {eta} left")?);
    let report = datagen::write(spec, options, &|progress| {
        bar.set_length(progress.files_total);
        bar.set_position(progress.files_done);
        bar.set_message(HumanCount(progress.rows_done).to_string());
    });
    bar.finish_and_clear();
    let report = report?;
    println!(
        "{}: {} files, {} rows, {} in {:.2} s, in {}",
        spec.name,
        HumanCount(report.files),
        HumanCount(report.rows),
        HumanBytes(report.bytes),
        start.elapsed().as_secs_f64(),
        options.out.display()
    );
    match report.kept_files {
        0 => {}
        1 => println!("note: 1 file that was there before was kept"),
        kept => println!("note: {} files that were there before were kept", HumanCount(kept)),
    }
    Ok(())
}
