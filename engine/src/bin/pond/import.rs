//! `pond import`.

use anyhow::{Context, Result};
use engine::{Ambiguous, EntryType, ImportOptions, NonFinite, Pond};

use crate::cli::{AmbiguousArgument, ImportArguments, NonFiniteArgument, TypeArgument};
use crate::{output, terminal};

/// Series listed one by one; of more, only the sum is shown.
const LISTED_MAX: usize = 20;

pub(crate) fn run(pond: &Pond, arguments: &ImportArguments) -> Result<()> {
    let (target, files) = arguments.files.split_last().context("name a file and a path in the pond")?;
    let target = target.to_str().context("the path in the pond is not UTF-8")?;
    let options = ImportOptions {
        entry_type: arguments.entry_type.map(|entry_type| match entry_type {
            TypeArgument::Series => EntryType::Series,
            TypeArgument::Table => EntryType::Table,
        }),
        time: arguments.time.clone(),
        time_format: arguments.time_format.clone(),
        zone: arguments.zone,
        ambiguous: arguments.ambiguous.map(|ambiguous| match ambiguous {
            AmbiguousArgument::Earliest => Ambiguous::Earliest,
            AmbiguousArgument::Latest => Ambiguous::Latest,
        }),
        truncate_time: arguments.truncate_time,
        delimiter: arguments.delimiter,
        nulls: arguments.nulls.clone(),
        non_finite: match arguments.non_finite {
            NonFiniteArgument::Refuse => NonFinite::Refuse,
            NonFiniteArgument::Null => NonFinite::Null,
            NonFiniteArgument::Keep => NonFinite::Keep,
        },
        split_by: arguments.split_by.clone(),
        ..ImportOptions::default()
    };
    let total = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum();
    let bar = terminal::byte_bar(total);
    bar.set_message("importing");
    let imported = pond.import(files, target, &options, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let imported = imported?;
    let rows: u64 = imported.iter().map(|one| one.rows).sum();
    let bytes: u64 = imported.iter().map(|one| one.bytes).sum();
    if imported.len() <= LISTED_MAX {
        let rows: Vec<Vec<String>> = imported
            .iter()
            .map(|one| {
                let span = match one.first_us {
                    Some(_) => format!("{} .. {}", terminal::time(one.first_us), terminal::time(one.last_us)),
                    None => String::new(),
                };
                vec![one.path.to_string(), format!("{} rows", one.rows), terminal::size(one.bytes), span]
            })
            .collect();
        output::lines(terminal::table(&rows, &[1, 2]))?;
    }
    let txn = pond.snapshot().txn();
    let what = if imported.len() == 1 { "version" } else { "versions" };
    let size = terminal::size(bytes);
    output::line(&format!(
        "imported {} {what}, {rows} rows, {size} stored, as transaction {txn}",
        imported.len()
    ))
}
