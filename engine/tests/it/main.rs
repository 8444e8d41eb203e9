//! The integration tests of the engine: the library and the `pond` command, each subject in a file.

mod bad_input;
mod cells;
mod crash;
mod damage;
mod export;
mod full_disk;
mod import_csv;
mod import_parquet;
mod import_versions;
mod pond_command;
mod query;
mod rows;
mod shape;
mod tree;
mod writers;
