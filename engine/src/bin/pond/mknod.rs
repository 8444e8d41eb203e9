//! `pond mknod`.

use std::io::Read;

use anyhow::{Context, Result};
use engine::Pond;

use crate::cli::MknodArguments;

pub(crate) fn run(pond: &Pond, arguments: &MknodArguments) -> Result<()> {
    let file = &arguments.config;
    let place = || format!("{}", file.display());
    let mut config = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut config).with_context(place)?;
    } else {
        config = std::fs::read_to_string(file).with_context(place)?;
    }
    pond.mknod(&arguments.factory, &arguments.path, &config).with_context(place)
}
