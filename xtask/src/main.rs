//! `cargo xtask`: the harness of Pondmark.
//!
//! It measures the engine from outside, as a child process, and never links it. This file parses and
//! dispatches; `command/` holds one file per command.

#![forbid(unsafe_code)]

mod baseline;
mod cargo;
mod chart;
mod claims;
mod cli;
mod clock;
mod command;
mod document;
mod engine_build;
mod engine_code;
mod engine_store;
mod evaluation;
mod exit;
mod explained;
mod fingerprint;
mod github;
mod history;
mod interrupt;
mod measured;
mod micro;
mod noise;
mod overhead;
mod paired;
mod paths;
mod peers;
mod plan;
mod process;
mod profile;
mod progress;
mod random;
mod record;
mod report;
mod resolve;
mod revision;
mod runner;
mod selection;
mod selftest;
mod statistics;
mod summary;
mod thresholds;
mod timing;
mod units;
mod verdict;
mod watch;
mod why;
mod work_folder;

use clap::Parser;

use crate::cli::{BenchInstead, Cli, Command};
use crate::exit::{Exit, Stop};
use crate::paths::Paths;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    if let Command::Guard { words } = &cli.command {
        return command::guard::run(words).into();
    }
    let exit = end(cli);
    interrupt::exit_code().map_or(exit.into(), std::process::ExitCode::from)
}

/// Runs a command to its end and reports its error, if there is one.
fn end(cli: Cli) -> Exit {
    dispatch(cli).unwrap_or_else(|error| {
        if interrupt::exit_code().is_some() {
            eprintln!(
                "interrupted: what is recorded stays; `bench --resume` and `selftest --resume` go on from there, \
                 `bisect` by itself; other commands begin anew"
            );
            return Exit::Inconclusive;
        }
        eprintln!("error: {error:#}");
        error.downcast_ref::<Stop>().map_or(Exit::Usage, |stop| stop.exit)
    })
}

fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let paths = Paths::new(cli.root.as_deref())?;
    if cli.command.measures() {
        interrupt::watch()?;
    }
    match cli.command {
        Command::Bench(bench) => match bench.instead {
            None => command::bench::run(&paths, &bench.suites),
            Some(BenchInstead::Peers(options)) => command::peers::run(&paths, &options),
            Some(BenchInstead::Overhead(options)) => command::overhead::run(&paths, &options),
        },
        Command::Baseline { action } => command::baseline::run(&paths, &action),
        Command::Compare(options) => command::compare::run(&paths, &options),
        Command::Report(options) => command::report::run(&paths, &options),
        Command::History(options) => command::history::run(&paths, &options),
        Command::Claims(options) => command::claims::run(&paths, &options),
        Command::Datagen { arguments } => command::datagen::run(&paths, &arguments),
        Command::Explain(options) => command::explain::run(&paths, &options),
        Command::Profile(options) => command::profile::run(&paths, &options),
        Command::Bisect(options) => command::bisect::run(&paths, &options),
        Command::Selftest(options) => command::selftest::run(&paths, &options),
        Command::Github { action } => command::github::run(&action),
        Command::Doctor => command::doctor::run(&paths),
        Command::Ci(options) => command::ci::run(&paths, &options),
        Command::Guard { .. } => unreachable!("a guard was run before"),
    }
}
