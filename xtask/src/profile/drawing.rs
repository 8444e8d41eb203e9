//! Draws folded stacks as flame graphs: one side, or the difference of two.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use inferno::differential;
use inferno::flamegraph::color::{BackgroundColor, MultiPalette, Palette};
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};

use super::Side;

/// The width of an image that nothing stretches.
const WIDTH_PIXELS: usize = 1600;

/// Frames narrower than this many percent are left out.
const LEAST_PERCENT: f64 = 0.1;

/// Red, green, blue.
const BACKGROUND: [u8; 3] = [222, 222, 222];

/// What is drawn: where, and what is written above it.
pub(crate) struct Picture<'a> {
    /// The file.
    pub(crate) path: &'a Path,
    /// The first line.
    pub(crate) title: String,
    /// The second line.
    pub(crate) subtitle: String,
}

/// Draws where the time of one side goes.
pub(crate) fn draw_side(picture: &Picture<'_>, side: &Side) -> anyhow::Result<()> {
    draw(picture, &weighted(side))
}

/// Draws the head, with what grew in red and what shrank in blue.
pub(crate) fn draw_difference(picture: &Picture<'_>, base: &Side, head: &Side) -> anyhow::Result<()> {
    draw(picture, &difference(base, head)?)
}

/// Writes the stacks of both sides with two counts, in ns of an execution.
fn difference(base: &Side, head: &Side) -> anyhow::Result<String> {
    let mut text = Vec::new();
    // Both are of one execution, so no side is stretched to the other.
    let options = differential::Options::default();
    differential::from_readers(options, weighted(base).as_bytes(), weighted(head).as_bytes(), &mut text)
        .context("cannot compare the stacks")?;
    let text = String::from_utf8(text).context("names of functions are text")?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

/// Writes stacks with the time that they take of an execution, in ns.
fn weighted(side: &Side) -> String {
    let each = side.sample_ns();
    let lines = side.folded.stacks.iter();
    lines.map(|(stack, count)| format!("{stack} {}\n", (*count as f64 * each).round() as u64)).collect()
}

fn draw(picture: &Picture<'_>, stacks: &str) -> anyhow::Result<()> {
    let mut options = Options::default();
    options.title.clone_from(&picture.title);
    options.subtitle = Some(picture.subtitle.clone());
    options.colors = Palette::Multi(MultiPalette::Rust);
    // The pale colours of small differences are seen on grey alone.
    options.bgcolors = Some(BackgroundColor::Flat(BACKGROUND.into()));
    options.image_width = Some(WIDTH_PIXELS);
    options.min_width = LEAST_PERCENT;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.count_name = "µs of an execution".to_owned();
    options.factor = 1e-3;
    // The same functions look the same in every picture.
    options.deterministic = true;
    let file =
        File::create(picture.path).with_context(|| format!("cannot make {}", picture.path.display()))?;
    from_lines(&mut options, stacks.lines(), BufWriter::new(file))
        .with_context(|| format!("cannot draw {}", picture.path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::shares::tests::side;

    #[test]
    fn the_difference_is_of_an_execution() {
        let base = side(&[("measured;a", 10), ("measured;b", 10)], 1, 2_000);
        // Twice as many executions, in which only b takes longer.
        let head = side(&[("measured;a", 20), ("measured;b", 60)], 2, 8_000);
        assert_eq!(difference(&base, &head).unwrap(), "measured;a 1000 1000\nmeasured;b 1000 3000");
    }

    #[test]
    fn pictures_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        let picture = Picture { path: &path, title: "cell <a>".to_owned(), subtitle: "below".to_owned() };
        let base = side(&[("measured;f", 1)], 1, 1_000);
        let head = side(&[("measured;f", 1), ("measured;g", 1)], 1, 4_000);
        draw_difference(&picture, &base, &head).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("cell &lt;a&gt;") && text.contains("below"), "{text}");
        draw_side(&picture, &head).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("g (2 µs of an execution, 50.00%)"), "{text}");
    }
}
