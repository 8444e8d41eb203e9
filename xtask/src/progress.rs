//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units;
use crate::watch::Live;

/// How long a view stays as it is when samples come faster.
const REDRAWN: Duration = Duration::from_millis(125);

/// Where progress is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// What is shown with the bar, if it is asked for, and when it was drawn.
    live: Option<(Rc<RefCell<Live>>, Cell<Instant>)>,
}

impl Progress {
    /// Starts a bar of so many steps, or nothing where standard error is no terminal.
    pub(crate) fn start(steps: usize) -> Self {
        Self { bar: bar(steps, "{bar:24} {pos}/{len}  {msg}"), live: None }
    }

    /// Starts a bar with a view of the run below it, or nothing where standard error is no terminal.
    pub(crate) fn start_live(steps: usize, live: Rc<RefCell<Live>>) -> Self {
        let bar = bar(steps, "{bar:24} {pos}/{len}{msg}");
        Self { bar, live: Some((live, Cell::new(Instant::now()))) }
    }

    /// Says what is being done now, and how long the rest will take.
    pub(crate) fn now(&self, what: &str, left: Option<Duration>) {
        if let Some((live, _)) = &self.live {
            live.borrow_mut().now(what, left);
            return self.draw();
        }
        if let Some(bar) = &self.bar {
            let left = left.map_or_else(String::new, |left| format!("{} left  ", units::duration(left)));
            bar.set_message(format!("{left}{what}"));
            bar.tick();
        }
    }

    /// Shows the view of the run again, unless it was drawn just now.
    pub(crate) fn changed(&self) {
        if self.live.as_ref().is_some_and(|(_, drawn)| drawn.get().elapsed() >= REDRAWN) {
            self.draw();
        }
    }

    fn draw(&self) {
        if let (Some(bar), Some((live, drawn))) = (&self.bar, &self.live) {
            drawn.set(Instant::now());
            bar.set_message(live.borrow().text(drawn.get()));
            // What follows may take long, and nobody draws meanwhile.
            bar.force_draw();
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

fn bar(steps: usize, template: &str) -> Option<ProgressBar> {
    let style =
        ProgressStyle::with_template(template).expect("the template is constant").progress_chars("━╸─");
    let bar = || ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
    std::io::stderr().is_terminal().then(|| bar().with_style(style))
}
