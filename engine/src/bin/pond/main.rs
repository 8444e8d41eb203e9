//! `pond`: a versioned file system of time series, for people and for the benchmark harness.

mod cat;
mod cli;
mod describe;
mod explain;
mod export;
mod import;
mod listing;
mod mknod;
mod output;
mod stats;
mod terminal;
mod times;
mod watch;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use engine::{CountingAllocator, Knobs, Pond, PondOptions, thresholds_of_pond};

use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    engine::keep_freed_memory();
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough: that is no failure.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pond: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}

/// Writes an error with its causes; most errors of the library tell theirs already.
fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn run(cli: Cli) -> Result<()> {
    let root = match cli.command {
        Command::Cell => {
            let input = std::io::stdin().lock();
            return engine::serve_cells(input, output::stdout()).context("cell protocol");
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pond", &mut script);
            return output::bytes(&script);
        }
        _ => cli.pond.context("which pond? give --pond DIR before the command, or set POND=DIR")?,
    };
    let (mut knobs, thresholds) = (Knobs::of_pond(&root)?, thresholds_of_pond(&root)?);
    cli.settings.iter().try_for_each(|setting| knobs.assign(setting))?;
    let accesses = matches!(cli.command, Command::Explain(_));
    let options = PondOptions { knobs, trace: cli.trace.is_some(), accesses, ..PondOptions::default() };
    let pond = match &cli.command {
        Command::Init { inline_max } => {
            Pond::init(&root, PondOptions { inline_bytes_max: *inline_max, ..options })?
        }
        _ => Pond::open(&root, options)?,
    };
    match cli.command {
        Command::Init { .. } => output::line(&format!("made the pond {}", root.display()))?,
        Command::Import(arguments) => import::run(&pond, &arguments)?,
        Command::Mkdir { path } => listing::mkdir(&pond, &path)?,
        Command::Link { path, target } => pond.link(&path, &target)?,
        Command::Mknod(arguments) => mknod::run(&pond, &arguments)?,
        Command::List(arguments) => listing::list(&pond, &arguments)?,
        Command::Describe { path } => describe::run(&pond, &path)?,
        Command::Cat(arguments) => cat::run(&pond, &arguments)?,
        Command::Explain(arguments) => explain::run(&pond, &arguments)?,
        Command::Log { limit } => listing::log(&pond, limit)?,
        Command::Export(arguments) => export::run(&pond, thresholds, &arguments)?,
        Command::Stats => stats::pond(&pond)?,
        Command::Knobs => stats::knobs(pond.knobs())?,
        Command::Cell | Command::Completions { .. } => unreachable!("both were answered above"),
    }
    if cli.stats {
        stats::run(&pond);
    }
    if let Some(path) = cli.trace {
        pond.recorder().write_trace(&path)?;
    }
    Ok(())
}
