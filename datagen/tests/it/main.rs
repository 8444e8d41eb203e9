//! The integration tests of `datagen`: one file per subject.

#![forbid(unsafe_code)]

mod binary;
mod canon;
mod checksums;
mod oddities;
mod random;
mod spec;
