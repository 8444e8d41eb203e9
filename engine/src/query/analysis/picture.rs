//! A picture of a plan: its operators from the answer down to the scans, with the time of each.
//!
//! A bar in each box is as long as the operator's share of all operators' time. Operators run side by side,
//! so shares are of their sum, not of the elapsed time. Colours change with the reader's light or dark page.

use svg::Document;
use svg::node::element::{Group, Polyline, Rectangle, Style, Text, Title};

use super::Analysis;
use super::findings::Finding;
use super::operators::Operator;
use super::text::{counted, millis};

/// Sizes in pixels.
const BOX_WIDTH: f64 = 440.0;
const BOX_HEIGHT: f64 = 80.0;
const GAP_WIDTH: f64 = 24.0;
const GAP_HEIGHT: f64 = 40.0;
/// How far below a box the lines to its inputs part.
const BEND: f64 = 12.0;
const MARGIN: f64 = 24.0;
const HEADING_HEIGHT: f64 = 72.0;
const PAD: f64 = 12.0;
const BAR_HEIGHT: f64 = 6.0;

/// Letters of a line that fit a box.
const LINE_LETTERS: usize = 56;
/// Inputs of one operator that are drawn; the others are counted.
const INPUTS_MAX: usize = 8;

/// From this share of the time on, a bar is warm, or hot.
const WARM: f64 = 0.1;
const HOT: f64 = 0.4;

const STYLE: &str = "
text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 12px; fill: #222 }
.page { fill: #fff } .box { fill: #f6f6f6; stroke: #aaa } .edge { stroke: #888; fill: none } .track { fill: #e2e2e2 }
.title { font-size: 16px; font-weight: 600 } .name { font-size: 13px; font-weight: 600 } .faint { fill: #555 }
.cool { fill: #0072b2 } .warm { fill: #e69f00 } .hot { fill: #d55e00 }
@media (prefers-color-scheme: dark) {
  text { fill: #eee } .page { fill: #1a1a1a } .box { fill: #2a2a2a; stroke: #777 } .edge { stroke: #999 }
  .track { fill: #444 } .faint { fill: #bbb } .cool { fill: #56b4e9 } .hot { fill: #ff7f2a }
}
";

impl Analysis {
    /// Draws the plan as an SVG document.
    pub fn picture(&self) -> String {
        let layout = Layout::new(&self.operators);
        let width = layout.width + 2.0 * MARGIN;
        let height = HEADING_HEIGHT + layout.height + 2.0 * MARGIN;
        let total_ns: u64 = self.operators.iter().filter_map(|operator| operator.compute_ns).sum();
        let (planned, executed) = (millis(self.planning.total_ns), millis(self.execution_ns));
        let rows = counted(self.rows, "row");
        let took = format!("{rows}, planned in {planned}, executed in {executed}");
        let shares = format!("bars: shares of the {} that the operators took together", millis(total_ns));
        let mut document = Document::new()
            .set("viewBox", (0, 0, width, height))
            .set("width", width)
            .set("height", height)
            .add(Style::new(STYLE))
            .add(Rectangle::new().set("class", "page").set("width", "100%").set("height", "100%"))
            .add(text("title", MARGIN, MARGIN + 12.0, "plan, from the answer down to what was read"))
            .add(text("faint", MARGIN, MARGIN + 34.0, &took))
            .add(text("faint", MARGIN, MARGIN + 52.0, &shares));
        for place in &layout.places {
            for input in &place.inputs {
                document = document.add(edge(place, &layout.places[*input], &self.operators));
            }
        }
        for place in &layout.places {
            document = document.add(match place.what {
                What::Operator(id) => self.operator_box(place, &self.operators[id], total_ns),
                What::More(count) => more_box(place, count),
            });
        }
        document.to_string()
    }

    fn operator_box(&self, place: &Place, operator: &Operator, total_ns: u64) -> Group {
        let share = operator.compute_ns.unwrap_or(0) as f64 / total_ns.max(1) as f64;
        let time = operator.compute_ns.map_or_else(
            || "no time of its own".to_owned(),
            |ns| format!("{}, {:.0} %", millis(ns), 100.0 * share),
        );
        let findings =
            self.findings.iter().filter(|finding| finding.operator() == operator.id && in_box(finding));
        let notes: Vec<String> = findings.map(ToString::to_string).collect();
        let (left, right, room) = (place.x + PAD, place.x + BOX_WIDTH - PAD, BOX_WIDTH - 2.0 * PAD);
        let bar = |class: &str, width: f64| {
            Rectangle::new()
                .set("class", class)
                .set("x", left)
                .set("y", place.y + BOX_HEIGHT - PAD - BAR_HEIGHT / 2.0)
                .set("width", width)
                .set("height", BAR_HEIGHT)
        };
        let line = |class: &str, below: f64, content: &str| text(class, left, place.y + below, content);
        Group::new()
            .add(Title::new(printable(&format!("{}; {}", operator.detail, notes.join("; ")))))
            .add(frame(place))
            .add(line("name", 20.0, &format!("#{} {}", operator.id, operator.name)))
            .add(text("faint", right, place.y + 20.0, &time).set("text-anchor", "end"))
            .add(line("faint", 38.0, &shortened(&operator.detail)))
            .add(line("note", 55.0, &shortened(&notes.join("; "))))
            .add(bar("track", room))
            .add(bar(heat(share), room * share))
    }
}

/// What a box stands for.
#[derive(Clone, Copy)]
enum What {
    Operator(usize),
    /// Further inputs of the operator above.
    More(usize),
}

/// A box on the page, by its upper left corner.
struct Place {
    what: What,
    x: f64,
    y: f64,
    /// The boxes whose rows it takes.
    inputs: Vec<usize>,
}

/// Where the boxes are.
struct Layout {
    places: Vec<Place>,
    width: f64,
    height: f64,
}

impl Layout {
    fn new(operators: &[Operator]) -> Self {
        let mut inputs: Vec<Vec<usize>> = vec![Vec::new(); operators.len()];
        for operator in operators {
            if let Some(parent) = operator.parent {
                inputs[parent].push(operator.id);
            }
        }
        let mut layout = Self { places: Vec::new(), width: 0.0, height: 0.0 };
        if !operators.is_empty() {
            layout.width = layout.place(&inputs, What::Operator(0), MARGIN, 0).1;
        }
        layout
    }

    /// Places a box and what is below it from `left` on; returns the box and the width of all.
    fn place(&mut self, inputs: &[Vec<usize>], what: What, left: f64, level: usize) -> (usize, f64) {
        let own = self.places.len();
        let y = MARGIN + HEADING_HEIGHT + level as f64 * (BOX_HEIGHT + GAP_HEIGHT);
        self.places.push(Place { what, x: left, y, inputs: Vec::new() });
        self.height = self.height.max(y + BOX_HEIGHT - MARGIN - HEADING_HEIGHT);
        let below = match what {
            What::Operator(id) => shown(&inputs[id]),
            What::More(_) => Vec::new(),
        };
        let mut width = 0.0;
        let mut boxes = Vec::new();
        for what in below {
            let begin = if width > 0.0 { width + GAP_WIDTH } else { 0.0 };
            let (place, used) = self.place(inputs, what, left + begin, level + 1);
            boxes.push(place);
            width = begin + used;
        }
        let width = width.max(BOX_WIDTH);
        self.places[own].x = left + (width - BOX_WIDTH) / 2.0;
        self.places[own].inputs = boxes;
        (own, width)
    }
}

/// Returns the inputs that are drawn, and how many are not.
fn shown(inputs: &[usize]) -> Vec<What> {
    let count = if inputs.len() > INPUTS_MAX { INPUTS_MAX - 1 } else { inputs.len() };
    let mut shown: Vec<What> = inputs[..count].iter().map(|id| What::Operator(*id)).collect();
    if count < inputs.len() {
        shown.push(What::More(inputs.len() - count));
    }
    shown
}

/// Tells how much of the time an operator took, in a word.
fn heat(share: f64) -> &'static str {
    match share {
        share if share >= HOT => "hot",
        share if share >= WARM => "warm",
        _ => "cool",
    }
}

/// Tells whether a finding belongs in the box of its operator: what neither the detail nor an edge says.
fn in_box(finding: &Finding) -> bool {
    !matches!(
        finding,
        Finding::PredicatePushed { .. }
            | Finding::Projection { .. }
            | Finding::OrderDeclared { .. }
            | Finding::Misestimated { .. }
    )
}

fn more_box(place: &Place, count: usize) -> Group {
    let line = format!("and {count} more inputs");
    Group::new().add(frame(place)).add(text("name", place.x + PAD, place.y + 20.0, &line))
}

fn frame(place: &Place) -> Rectangle {
    Rectangle::new()
        .set("class", "box")
        .set("x", place.x)
        .set("y", place.y)
        .set("width", BOX_WIDTH)
        .set("height", BOX_HEIGHT)
        .set("rx", 6)
}

/// Draws the line from an operator to an input of its, with the rows that go up.
fn edge(above: &Place, below: &Place, operators: &[Operator]) -> Group {
    let (from, to) = (above.x + BOX_WIDTH / 2.0, below.x + BOX_WIDTH / 2.0);
    let (top, bend) = (above.y + BOX_HEIGHT, above.y + BOX_HEIGHT + BEND);
    let points = format!("{from},{top} {from},{bend} {to},{bend} {to},{}", below.y);
    let line = Polyline::new().set("class", "edge").set("points", points);
    let group = Group::new().add(line);
    let What::Operator(id) = below.what else { return group };
    let Some(count) = operators[id].rows else { return group };
    let rows = counted(count, "row");
    let rows = match operators[id].estimate {
        Some(estimate) if estimate.rows == count => format!("{rows}, as estimated"),
        Some(estimate) => format!("{rows}, {} estimated", estimate.rows),
        None => rows,
    };
    group.add(text("faint", to + 8.0, below.y - 10.0, &rows))
}

fn text(class: &str, x: f64, y: f64, content: &str) -> Text {
    Text::new(printable(content)).set("class", class).set("x", x).set("y", y)
}

/// Cuts a text to what fits a box.
fn shortened(text: &str) -> String {
    if text.chars().count() <= LINE_LETTERS {
        return text.to_owned();
    }
    text.chars().take(LINE_LETTERS - 1).chain(['…']).collect()
}

/// Replaces the characters that XML cannot hold; those with a meaning in it are escaped where they are written.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_inputs_are_counted() {
        let count = |inputs: usize| shown(&(0..inputs).collect::<Vec<_>>()).len();
        assert_eq!([count(0), count(1), count(8), count(9), count(500)], [0, 1, 8, 8, 8]);
        let inputs: Vec<usize> = (0..20).collect();
        assert!(matches!(shown(&inputs).last(), Some(What::More(13))));
    }

    #[test]
    fn texts_fit_and_can_be_written() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ä".repeat(80)).chars().count(), LINE_LETTERS);
        assert_eq!(printable("a\u{1}b\n<"), "a\u{fffd}b\u{fffd}<");
    }
}
