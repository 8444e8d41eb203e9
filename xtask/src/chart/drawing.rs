//! Shapes on a page: what a chart is before anything draws it.

use super::palette::Color;
use super::render;

/// Where a text stands from its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// To the right of it.
    Start,
    /// Around it.
    Middle,
    /// To the left of it.
    End,
}

/// One shape. Coordinates are pixels from the upper left corner; texts are centred vertically.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A filled rectangle.
    Rect { x: f64, y: f64, width: f64, height: f64, fill: Color },
    /// A line through points.
    Line { points: Vec<(f64, f64)>, width: u32, color: Color },
    /// A filled circle.
    Dot { x: f64, y: f64, radius: f64, color: Color },
    /// A line of text.
    Text { x: f64, y: f64, text: String, size: f64, anchor: Anchor, color: Color, bold: bool },
}

/// A chart, laid out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawing {
    /// The width of the page.
    pub(super) width: f64,
    /// The height of the page.
    pub(super) height: f64,
    /// The shapes, from back to front.
    pub(super) shapes: Vec<Shape>,
}

/// The size of titles.
pub(super) const TITLE: f64 = 20.0;
/// The size of labels.
pub(super) const LABEL: f64 = 14.0;
/// The size of small print.
pub(super) const SMALL: f64 = 12.0;
/// The space around everything.
pub(super) const MARGIN: f64 = 24.0;

impl Drawing {
    /// Starts an empty page.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// Adds a rectangle.
    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: Color) {
        self.shapes.push(Shape::Rect { x, y, width, height, fill });
    }

    /// Adds a straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), color: Color) {
        self.path(vec![from, to], 1, color);
    }

    /// Adds a line through points.
    pub(super) fn path(&mut self, points: Vec<(f64, f64)>, width: u32, color: Color) {
        self.shapes.push(Shape::Line { points, width, color });
    }

    /// Adds a circle.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, color: Color) {
        self.shapes.push(Shape::Dot { x, y, radius, color });
    }

    /// Adds a text.
    pub(super) fn text(&mut self, (x, y): (f64, f64), text: &str, size: f64, anchor: Anchor, color: Color) {
        self.shapes.push(Shape::Text { x, y, text: text.to_owned(), size, anchor, color, bold: false });
    }

    /// Adds a title and the line below it at the top of the page; returns the height they take.
    pub(super) fn heading(&mut self, title: &str, below: &str) -> f64 {
        let (x, y) = (MARGIN, MARGIN + TITLE / 2.0);
        self.shapes.push(Shape::Text {
            x,
            y,
            text: title.to_owned(),
            size: TITLE,
            anchor: Anchor::Start,
            color: super::palette::INK,
            bold: true,
        });
        self.text((x, y + 26.0), below, LABEL, Anchor::Start, super::palette::FAINT_INK);
        MARGIN + TITLE + 36.0
    }
}

/// Returns the width of the widest text.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> f64 {
    texts.into_iter().map(|text| render::text_width(text, size)).fold(0.0, f64::max)
}
