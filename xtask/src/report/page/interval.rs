//! An interval of a change, drawn in the width of a table's cell.

use maud::{Markup, html};

use crate::paired::Judged;
use crate::timing::Timing;

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 18.0;

/// The widest change that is drawn; larger ones reach the edge.
const MOST: f64 = 0.5;

/// The scale that all intervals of a table share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    most: f64,
    margin: f64,
}

impl Scale {
    /// Makes one that holds the intervals of a run, whose margin is a share of the base.
    pub(super) fn of(timing: &Timing, margin: f64) -> Self {
        let ends = timing.cells.values().flat_map(|cell| {
            let Judged { test, interval, .. } = cell.judged;
            let ends = interval.map_or([test.effect; 2], |interval| [interval.low, interval.high]);
            ends.map(|end| end.exp_m1().abs())
        });
        Self { most: ends.fold(2.0 * margin, f64::max).min(MOST), margin }
    }

    fn x(self, change: f64) -> f64 {
        WIDTH / 2.0 * (1.0 + (change / self.most).clamp(-1.0, 1.0))
    }

    /// Draws what pairs say.
    pub(super) fn draw(self, judged: &Judged, tone: &str) -> Markup {
        let change = judged.test.effect.exp_m1();
        let middle = HEIGHT / 2.0;
        let ends = judged.interval.map(|interval| [interval.low, interval.high].map(f64::exp_m1));
        let label = format!("{:+.1} %", change * 100.0);
        html! {
            svg.interval.(tone) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT)
                role="img" aria-label=(label) {
                rect.margin x=(self.x(-self.margin)) y="0" height=(HEIGHT)
                    width=(self.x(self.margin) - self.x(-self.margin)) {}
                line.zero x1=(WIDTH / 2.0) x2=(WIDTH / 2.0) y1="0" y2=(HEIGHT) {}
                @if let Some([low, high]) = ends {
                    line.range x1=(self.x(low)) x2=(self.x(high)) y1=(middle) y2=(middle) {}
                }
                circle cx=(self.x(change)) cy=(middle) r="4" {}
            }
        }
    }
}
