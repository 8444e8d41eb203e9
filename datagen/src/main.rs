//! The `datagen` command: writes a named pond as Parquet or CSV files.

#![forbid(unsafe_code)]

mod list;
mod terminal;

use std::io::stdout;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use datagen::{Format, Options, PondSpec};

const EXAMPLES: &str = "\
Examples:
  cargo xtask datagen --list                                 what sizes there are
  cargo xtask datagen --list --size tiny                     the series of one size
  cargo xtask datagen --size small --out data/small          100 series as Parquet
  cargo xtask datagen --size tiny --out data/t --format csv  the same as CSV
  cargo xtask datagen --size tiny --out data/t2 --seed 7     the same shape, other values

Version k of a series is written to DIR/v<k>/<path>, the stations to DIR/stations.
The same size and seed give the same data on every machine.";

/// Writes a generated pond as files
#[derive(Parser)]
#[command(name = "datagen", version, after_help = EXAMPLES)]
struct Args {
    /// The pond: tiny, small, medium, large, rows-1m, rows-10m, rows-100m, deep, wide, history-1,
    /// history-10, history-100, history-1000 or versions
    #[arg(long, required_unless_present = "list")]
    size: Option<String>,
    /// The folder to fill
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// The format of the files
    #[arg(long, value_enum, default_value = "parquet")]
    format: FormatArg,
    /// Another seed than the size's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write into a folder that is not empty; files of the same name are replaced, others stay
    #[arg(long)]
    force: bool,
    /// Print the sizes, or the series of the size given, and write nothing
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    Csv,
    Parquet,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            // 2 is "usage or configuration" in every command of the workspace.
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let spec = args.size.as_deref().map(PondSpec::named).transpose()?;
    let spec = spec.map(|spec| PondSpec { seed: args.seed.unwrap_or(spec.seed), ..spec });
    match (spec, &args.out) {
        (Some(spec), _) if args.list => list::series(&mut stdout().lock(), &spec)?,
        (None, _) => list::sizes(&mut stdout().lock())?,
        (Some(spec), Some(out)) => {
            let format = match args.format {
                FormatArg::Csv => Format::Csv,
                FormatArg::Parquet => Format::Parquet,
            };
            terminal::write(&spec, &Options { out: out.clone(), format, force: args.force })?;
        }
        (Some(_), None) => anyhow::bail!("--out is needed to write; add --out DIR"),
    }
    Ok(())
}
