//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units;

/// Where progress is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts a bar of so many steps, or nothing where standard error is no terminal.
    pub(crate) fn start(steps: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}")
            .expect("the template is constant")
            .progress_chars("━╸─");
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
        Self { bar: Some(bar.with_style(style)) }
    }

    /// Says what is being done now, and how long the rest will take.
    pub(crate) fn now(&self, what: &str, left: Option<Duration>) {
        if let Some(bar) = &self.bar {
            let left = left.map_or_else(String::new, |left| format!("{} left  ", units::duration(left)));
            bar.set_message(format!("{left}{what}"));
            bar.tick();
        }
    }

    /// Counts one step as done.
    pub(crate) fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Prints a line that stays where there is no bar.
    pub(crate) fn line(&self, text: &str) {
        if self.bar.is_none() {
            eprintln!("{text}");
        }
    }

    /// Prints a line that stays in any case.
    pub(crate) fn warn(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
