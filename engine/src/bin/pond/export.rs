//! `pond export`.

use anyhow::Result;
use engine::{ExportOptions, Pattern, Pond, Units};

use crate::cli::ExportArguments;
use crate::{output, terminal, times};

pub(crate) fn run(pond: &Pond, arguments: &ExportArguments) -> Result<()> {
    let patterns =
        arguments.patterns.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let range = times::range(arguments.start.as_deref(), arguments.end.as_deref())?;
    let options = ExportOptions {
        patterns,
        dir: arguments.dir.clone(),
        temporal: Units::parse(&arguments.temporal)?,
        range,
        jobs: arguments.jobs.unwrap_or_else(|| pond.knobs().jobs()),
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
    let kept = match manifest.files().filter(|file| file.reused).count() {
        0 => String::new(),
        kept => format!(" ({kept} were there already)"),
    };
    output::line(&format!(
        "exported {} series, {} rows, {files} files{kept}, {bytes}, to {}",
        manifest.targets.len(),
        manifest.rows(),
        arguments.dir.display()
    ))
}
