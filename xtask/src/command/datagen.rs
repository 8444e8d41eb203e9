//! `cargo xtask datagen`: build the generator in release and hand everything over to it.

use std::process::Command;

use anyhow::Context as _;

use crate::engine_build;
use crate::exit::{Exit, Stop};
use crate::paths::Paths;

/// Runs the command.
pub(crate) fn run(paths: &Paths, arguments: &[String]) -> anyhow::Result<Exit> {
    let binary = engine_build::build(paths, "datagen", "datagen")?;
    let status = Command::new(&binary)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    match status.code() {
        Some(0) => Ok(Exit::Pass),
        Some(2) => Ok(Exit::Usage),
        _ => Err(Stop::error(Exit::Failed, format!("datagen ended with {status}"))),
    }
}
