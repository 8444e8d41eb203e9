//! Resources over the time of a run: memory, processors and requests of the engine, by side.
//!
//! A process is one moment: the end of it. Where a run has more processes than the chart has room for, those that ended
//! near each other are one point: the most memory of any, and what they used together in the time that was measured.

use std::collections::BTreeMap;

use super::drawing::{Anchor, Drawing, LABEL, MARGIN, SMALL, widest};
use super::palette::{Color, FAINT_INK, GRID, INK, SERIES};
use crate::record::{Record, SampleLine, Side};
use crate::units;

/// Points of a line, at most.
const MOMENTS: u64 = 240;
const PLOT: (f64, f64) = (900.0, 120.0);
const GAP: f64 = 56.0;
/// Ticks of an axis, about.
const TICKS: f64 = 4.0;

/// What the processes of a side used that ended near each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moment {
    /// The mean of the ends of the processes, in s since the first process began.
    seconds: f64,
    processes: f64,
    memory_bytes: u64,
    wall_ns: u64,
    cpu_ns: u64,
    requests: u64,
}

impl Moment {
    fn per_wall(self, value: u64) -> f64 {
        value as f64 / self.wall_ns.max(1) as f64
    }
}

/// A panel: its name, its value, and how a value is written.
struct Panel {
    name: &'static str,
    value: fn(Moment) -> f64,
    text: fn(f64) -> String,
    /// The steps of the axis are powers of this, or simple parts of one.
    base: f64,
}

const PANELS: [Panel; 3] = [
    Panel {
        name: "largest resident memory of a process",
        value: |moment| moment.memory_bytes as f64,
        text: |value| units::bytes(value as u64),
        base: 1024.0,
    },
    Panel {
        name: "processors in use while measured",
        value: |moment| moment.per_wall(moment.cpu_ns),
        text: |value| format!("{value:.1}"),
        base: 10.0,
    },
    Panel {
        name: "requests to the store in a second while measured",
        value: |moment| moment.per_wall(moment.requests) * 1e9,
        text: |value| units::count(value.round() as u64),
        base: 10.0,
    },
];

/// Draws the chart, if the record says when processes ended, and two or more did.
pub(super) fn draw(record: &Record) -> Option<Drawing> {
    let sides = moments(record);
    let end = sides.values().flatten().map(|moment| moment.seconds).fold(0.0, f64::max);
    if sides.values().map(Vec::len).max()? < 2 || end <= 0.0 {
        return None;
    }
    let scales: Vec<Scale> = PANELS
        .iter()
        .map(|panel| {
            let values = sides.values().flatten().map(|moment| (panel.value)(*moment));
            Scale::up_to(values.fold(0.0, f64::max), panel.base)
        })
        .collect();
    let texts = |panel: usize| scales[panel].ticks().map(PANELS[panel].text).collect::<Vec<_>>();
    let left = (0..PANELS.len()).map(|panel| widest(texts(panel).iter().map(String::as_str), LABEL));
    let left = MARGIN + left.fold(0.0, f64::max) + 12.0;
    let mut page = Drawing::new(left + PLOT.0 + MARGIN, 0.0);
    let title = format!("Resources of suite {} over the time of the run", record.header.suite);
    let top = page.heading(&title, "a point is a process, or those that ended near each other");
    let top = if sides.len() > 1 { legend(&mut page, &sides, top) } else { top };
    let seconds = Scale::up_to(end, 10.0);
    let x_of = |at: f64| left + PLOT.0 * at / seconds.most;
    let mut y = top + 20.0;
    for (panel, scale) in PANELS.iter().zip(&scales) {
        page.text((left, y), panel.name, LABEL, Anchor::Start, INK);
        let floor = y + 16.0 + PLOT.1;
        let y_of = |value: f64| floor - PLOT.1 * value / scale.most;
        for tick in scale.ticks() {
            page.line((left, y_of(tick)), (left + PLOT.0, y_of(tick)), GRID);
            page.text((left - 12.0, y_of(tick)), &(panel.text)(tick), LABEL, Anchor::End, INK);
        }
        for (side, moments) in &sides {
            let points = moments.iter().map(|moment| (x_of(moment.seconds), y_of((panel.value)(*moment))));
            page.path(points.collect(), 2, color(*side));
        }
        y = floor + GAP;
    }
    let floor = y - GAP;
    for tick in seconds.ticks() {
        page.text((x_of(tick), floor + 18.0), &units::count(tick as u64), LABEL, Anchor::Middle, INK);
    }
    page.text((left + PLOT.0 / 2.0, floor + 42.0), "seconds of the run", LABEL, Anchor::Middle, FAINT_INK);
    page.height = floor + 56.0 + MARGIN / 2.0;
    Some(page)
}

fn legend(page: &mut Drawing, sides: &BTreeMap<Shown, Vec<Moment>>, top: f64) -> f64 {
    let mut x = MARGIN;
    for side in sides.keys() {
        let name = side.name();
        page.rect((x, top), (14.0, 14.0), color(*side));
        page.text((x + 20.0, top + 7.0), name, SMALL, Anchor::Start, INK);
        x += 20.0 + widest([name], SMALL) + 24.0;
    }
    top + 24.0
}

/// Whose processes are drawn apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Base,
    Head,
}

impl Shown {
    fn of(side: Side) -> Self {
        if side.is_head() { Self::Head } else { Self::Base }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }
}

fn color(side: Shown) -> Color {
    match side {
        Shown::Base => SERIES[1],
        Shown::Head => SERIES[0],
    }
}

/// Gathers what processes used, in the order of their ends.
fn moments(record: &Record) -> BTreeMap<Shown, Vec<Moment>> {
    let ends = record.processes.iter().filter_map(|line| Some((line, line.ended_unix_ms?)));
    let ends: Vec<_> = ends.collect();
    let begin = ends.iter().map(|(line, end)| end.saturating_sub(line.elapsed_ms)).min().unwrap_or(0);
    let span = ends.iter().map(|(_, end)| end - begin).max().unwrap_or(0).max(1);
    let mut samples: BTreeMap<(&str, Side, u32), Vec<&SampleLine>> = BTreeMap::new();
    for line in &record.samples {
        samples.entry((&line.cell, line.side, line.process)).or_default().push(line);
    }
    let mut bins: BTreeMap<(Shown, u64), Moment> = BTreeMap::new();
    for (line, end) in ends {
        let Some(samples) = samples.get(&(line.cell.as_str(), line.side, line.process)) else { continue };
        let bin = (end - begin) * (MOMENTS - 1) / span;
        let moment = bins.entry((Shown::of(line.side), bin)).or_default();
        moment.seconds += ((end - begin) as f64 / 1e3 - moment.seconds) / (moment.processes + 1.0);
        moment.processes += 1.0;
        for sample in samples {
            add(moment, sample);
        }
    }
    let mut sides: BTreeMap<Shown, Vec<Moment>> = BTreeMap::new();
    for ((side, _), moment) in bins {
        sides.entry(side).or_default().push(moment);
    }
    sides
}

fn add(moment: &mut Moment, sample: &SampleLine) {
    let value = |name: &str| sample.metrics.get(name).copied().unwrap_or(0);
    moment.memory_bytes = moment.memory_bytes.max(value("peak_rss_bytes"));
    moment.wall_ns += value("wall_ns");
    moment.cpu_ns += value("cpu_ns");
    let requests = sample.metrics.iter().filter(|(name, _)| is_requests(name));
    moment.requests += requests.map(|(_, count)| count).sum::<u64>();
}

fn is_requests(metric: &str) -> bool {
    metric.starts_with("store_") && metric.ends_with("_requests")
}

/// An axis from zero to a round number.
struct Scale {
    most: f64,
    step: f64,
}

impl Scale {
    /// Makes one that holds a value.
    fn up_to(value: f64, base: f64) -> Self {
        let rough = value.max(f64::MIN_POSITIVE) / TICKS;
        let power = base.powf(rough.log(base).floor());
        let parts = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1024.0];
        let step = parts.iter().map(|part| part * power).find(|step| *step >= rough).unwrap_or(base * power);
        Self { most: (value / step).ceil().max(1.0) * step, step }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let count = (self.most / self.step).round() as u32;
        (0..=count).map(|tick| f64::from(tick) * self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CutLine, Line};

    /// A run whose processes end at these times, in ms, having executed for 1 s.
    fn record(ends: &[(&str, u64)]) -> Record {
        let header = Line::Header(Box::new(crate::record::tests::header()));
        let mut text = serde_json::to_string(&header).unwrap() + "\n";
        for (number, (side, end)) in ends.iter().enumerate() {
            text.push_str(&format!(
                r#"{{"line":"sample","cell":"s/open[size=tiny]","side":"{side}","process":{number},"phase":"cold","iteration":0,"metrics":{{"wall_ns":1000000000,"cpu_ns":1500000000,"peak_rss_bytes":{},"store_data_requests":20,"store_list_requests":5}},"answer":{{"rows":1,"digest":"0"}}}}
{{"line":"process","cell":"s/open[size=tiny]","side":"{side}","process":{number},"elapsed_ms":1000,"ended_unix_ms":{end}}}
"#,
                (number + 1) << 20
            ));
        }
        Record::parse(&text, CutLine::LeaveOut).unwrap()
    }

    #[test]
    fn processes_are_moments() {
        let moments = moments(&record(&[("head", 6_000), ("base", 7_000), ("head", 9_000)]));
        let head = &moments[&Shown::Head];
        assert_eq!(head.iter().map(|moment| moment.seconds).collect::<Vec<_>>(), [1.0, 4.0]);
        assert_eq!(head[1].memory_bytes, 3 << 20);
        assert_eq!((PANELS[1].value)(head[0]), 1.5);
        assert_eq!((PANELS[2].value)(head[0]), 25.0);
        assert_eq!(moments[&Shown::Base][0].seconds, 2.0);
    }

    #[test]
    fn many_processes_share_points() {
        let ends: Vec<_> = (1..=3_000).map(|end| ("head", 1_000 * end)).collect();
        let moments = moments(&record(&ends));
        let head = &moments[&Shown::Head];
        assert!(head.len() <= MOMENTS as usize, "{}", head.len());
        assert_eq!(head.iter().map(|moment| moment.processes).sum::<f64>(), 3_000.0);
        assert_eq!(head.iter().map(|moment| moment.memory_bytes).max(), Some(3_000 << 20));
    }

    #[test]
    fn without_two_times_there_is_no_chart() {
        assert!(draw(&record(&[])).is_none());
        assert!(draw(&record(&[("head", 6_000)])).is_none());
        assert!(draw(&record(&[("head", 6_000), ("head", 8_000)])).is_some());
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let check = |value, base, expect: &[f64]| {
            assert_eq!(Scale::up_to(value, base).ticks().collect::<Vec<_>>(), expect, "{value}");
        };
        check(0.9, 10.0, &[0.0, 0.5, 1.0]);
        check(7.0, 10.0, &[0.0, 2.0, 4.0, 6.0, 8.0]);
        check(3e6, 1024.0, &[0.0, 1_048_576.0, 2_097_152.0, 3_145_728.0]);
        check(0.0, 10.0, Scale::up_to(0.0, 10.0).ticks().collect::<Vec<_>>().as_slice());
    }
}
