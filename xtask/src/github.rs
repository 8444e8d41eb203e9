//! What the workflows ask of GitHub, by its command line: one comment on a pull request, kept up to date.
//!
//! A run for a pull request from a fork has no token that may write. So another workflow, which has one, posts what that
//! run left. It runs the code of the default branch only, and takes nothing from the run on trust: which pull request it
//! is follows from the event and from GitHub's own list, never from a file of the run; files are bounded, links among
//! them are refused, and their Markdown is made harmless.

mod comment;
mod event;
mod gh;
mod pull;
mod reports;

pub(crate) use comment::{Comment, comment};
pub(crate) use event::WorkflowRun;
pub(crate) use gh::Gh;
pub(crate) use pull::{Found, find};
pub(crate) use reports::reports;
