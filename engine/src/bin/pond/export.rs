//! `pond export`.

use anyhow::Result;
use engine::{ExportOptions, Pattern, Pond, Units};
use scenarios::Thresholds;

use crate::cli::ExportArguments;
use crate::watch::Watch;
use crate::{output, terminal, times};

pub(crate) fn run(pond: &Pond, thresholds: Thresholds, arguments: &ExportArguments) -> Result<()> {
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
    let watch = Watch::new(pond, thresholds, arguments.live)?;
    let (manifest, crossed) = watch.over(|told| pond.export_told(&options, told));
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
    let exported = format!(
        "exported {} series, {} rows, {files} files{kept}, {bytes}, to {}",
        manifest.targets.len(),
        manifest.rows(),
        arguments.dir.display()
    );
    let crossed = crossed.iter().map(|crossing| format!("threshold crossed: {crossing}"));
    output::lines(std::iter::once(exported).chain(crossed))
}
