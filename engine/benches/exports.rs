//! Instruction counts of whole small exports, from the start of the `pond` process to its end, by callgrind.

#![expect(missing_docs, reason = "the macros of gungraun make undocumented items")]

extern crate iai_callgrind as gungraun;

#[path = "ponds/tiny.rs"]
mod tiny;

use std::path::Path;

use gungraun::{
    BinaryBenchmarkConfig, Command, Sandbox, Stdio, binary_benchmark, binary_benchmark_group, main,
};

/// Makes the pond in the folder that the command runs in.
fn pond() {
    drop(tiny::made(Path::new("pond"), &[]));
}

#[binary_benchmark(setup = pond())]
#[bench::passthrough(&["copy=passthrough"], "/*/**/*.series")]
#[bench::split(&["copy=split"], "/*/**/*.series")]
#[bench::sql(&["copy=sql"], "/*/**/*.series")]
#[bench::reduced(&["reduce=streaming"], "/reduced/**/*.series")]
fn export(settings: &[&str], pattern: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pond"));
    command.args(["--pond", "pond", "--set", "jobs=1"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.args(["export", "--pattern", pattern, "--dir", "out", "--temporal", "year,month", "--jobs", "1"]);
    command.stdout(Stdio::Null).build()
}

binary_benchmark_group!(
    name = exports,
    config = BinaryBenchmarkConfig::default().sandbox(Sandbox::new(true)),
    benchmarks = export
);
main!(binary_benchmark_groups = exports);
