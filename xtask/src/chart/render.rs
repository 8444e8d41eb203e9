//! Draws a laid-out chart with plotters. The font is built in, so that images look alike on any machine.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Once;

use anyhow::{Context as _, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontStyle, FontTransform, register_font};

use super::drawing::{Anchor, Drawing, Shape};
use super::palette::{Color, PAPER};

/// Pixels of a PNG per pixel of the layout, for screens with fine pixels.
const PNG_SCALE: f64 = 2.0;
const FONT: &str = "sans-serif";
/// How far down a bitmap's text is moved, in its sizes: plotters centres its box, not its letters.
const PNG_TEXT_DROP: f64 = 0.12;

/// Draws an SVG file.
pub(super) fn svg(path: &Path, drawing: &Drawing) -> anyhow::Result<()> {
    let mut text = String::new();
    {
        let size = pixels(drawing, 1.0);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area, drawing, 1.0, 0.0).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    std::fs::write(path, text).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
}

/// Draws a PNG file.
pub(super) fn png(path: &Path, drawing: &Drawing) -> anyhow::Result<()> {
    let (width, height) = pixels(drawing, PNG_SCALE);
    let mut buffer = vec![0; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut buffer, (width, height)).into_drawing_area();
        draw(&area, drawing, PNG_SCALE, PNG_TEXT_DROP)
            .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    encode(path, &buffer, width, height).with_context(|| format!("cannot write {}", path.display()))
}

fn encode(path: &Path, pixels: &[u8], width: u32, height: u32) -> anyhow::Result<()> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // One filter for all rows: trying each is slow in a build without optimisation. Rows of a chart are
    // mostly equal to the row above.
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(())
}

/// Returns the width of a text.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    register_fonts();
    // Measured large, because plotters rounds to whole pixels.
    let measured = (FONT, size * 10.0).into_font().layout_box(text);
    measured.map_or(0.6 * size * text.chars().count() as f64, |((left, _), (right, _))| {
        f64::from(right - left) / 10.0
    })
}

fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let fonts = [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
        for (style, bytes) in fonts {
            assert!(register_font(FONT, style, bytes).is_ok(), "the built-in font is valid");
        }
    });
}

fn pixels(drawing: &Drawing, scale: f64) -> (u32, u32) {
    ((drawing.width * scale).ceil() as u32, (drawing.height * scale).ceil() as u32)
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    drawing: &Drawing,
    scale: f64,
    text_drop: f64,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    register_fonts();
    area.fill(&rgb(PAPER))?;
    let at = |x: f64, y: f64| ((x * scale).round() as i32, (y * scale).round() as i32);
    for shape in &drawing.shapes {
        match shape {
            Shape::Rect { x, y, width, height, fill } => {
                area.draw(&Rectangle::new([at(*x, *y), at(x + width, y + height)], rgb(*fill).filled()))?;
            }
            Shape::Line { points, width, color } => {
                let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| at(*x, *y)).collect();
                let stroke = (f64::from(*width) * scale).round() as u32;
                area.draw(&PathElement::new(points, rgb(*color).stroke_width(stroke)))?;
            }
            Shape::Dot { x, y, radius, color } => {
                let radius = (radius * scale).round() as i32;
                area.draw(&Circle::new(at(*x, *y), radius, rgb(*color).filled()))?;
            }
            Shape::Text { x, y, text, size, anchor, color, bold } => {
                let horizontal = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
                let font = FontDesc::new(FontFamily::SansSerif, size * scale, style);
                let ink = rgb(*color);
                let style = TextStyle::from(font.transform(FontTransform::None))
                    .color(&ink)
                    .pos(Pos::new(horizontal, VPos::Center));
                area.draw(&Text::new(text.as_str(), at(*x, y + size * text_drop), style))?;
            }
        }
    }
    area.present()
}

fn rgb(Color(red, green, blue): Color) -> RGBColor {
    RGBColor(red, green, blue)
}

type DrawingAreaErrorKind<E> = plotters::drawing::DrawingAreaErrorKind<E>;
