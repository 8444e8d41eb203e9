//! Tests of `cargo xtask` from outside: the real binary, a scripted engine, suites in temporary folders.

mod baselines;
mod bench;
mod beside;
mod claims;
mod commands;
mod exit_codes;
mod failures;
mod github;
mod history;
mod interrupts;
mod live;
mod micro;
mod overhead;
mod page;
mod page_history;
mod peers;
mod profile;
mod reports;
mod resume;
mod revisions;
mod shape;
mod thresholds;
mod workflows;
mod workspace;
