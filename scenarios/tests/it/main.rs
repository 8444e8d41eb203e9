//! Integration tests of the vocabulary: suites as users write them, events as processes send them.

mod claim;
mod suite;
mod wire;
