//! Colours that can be told apart with any colour vision: Okabe and Ito's, and lighter and darker forms.

use std::collections::BTreeMap;

use scenarios::STAGES;

use super::stages::Row;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color(pub(super) u8, pub(super) u8, pub(super) u8);

/// Text.
pub(super) const INK: Color = Color(34, 34, 34);
/// Text of less weight.
pub(super) const FAINT_INK: Color = Color(96, 96, 96);
/// Grid lines.
pub(super) const GRID: Color = Color(222, 222, 222);
/// The page.
pub(super) const PAPER: Color = Color(255, 255, 255);
/// What belongs to no stage.
pub(super) const OTHER: Color = Color(205, 205, 205);
/// More, slower, worse.
pub(super) const WORSE: Color = Color(213, 94, 0);
/// Less, faster, better.
pub(super) const BETTER: Color = Color(0, 114, 178);

/// Neighbours differ in hue and in lightness.
pub(super) const SERIES: [Color; 15] = [
    Color(0, 114, 178),
    Color(230, 159, 0),
    Color(0, 80, 60),
    Color(204, 121, 167),
    Color(86, 180, 233),
    Color(213, 94, 0),
    Color(0, 158, 115),
    Color(240, 228, 66),
    Color(102, 45, 90),
    Color(160, 215, 245),
    Color(130, 55, 0),
    Color(120, 205, 175),
    Color(0, 55, 100),
    Color(250, 190, 160),
    Color(140, 125, 10),
];

impl Color {
    /// Returns the ink that can be read on this colour.
    pub(super) fn ink(self) -> Color {
        let Self(red, green, blue) = self;
        let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
        if light > 140.0 { INK } else { PAPER }
    }
}

/// The place of each stage's colour in [`SERIES`], in pipeline order: the stages that fill most charts get the
/// colours that are furthest apart.
const STAGE_SERIES: [usize; STAGES.len()] = [0, 1, 9, 8, 12, 13, 14, 2, 10, 11, 3, 4, 5, 6, 7];

/// Returns the colour of every stage, in pipeline order.
pub(super) fn all_stages() -> impl Iterator<Item = (&'static str, Color)> {
    STAGES.iter().zip(STAGE_SERIES).map(|(stage, place)| (stage.name(), SERIES[place]))
}

/// Returns the colour of every stage that has a segment of its own; a stage looks the same in every chart.
pub(super) fn stage_colors(rows: &[Row]) -> BTreeMap<&'static str, Color> {
    let shown = |name: &str| rows.iter().any(|row| row.segments.iter().any(|(stage, _)| *stage == name));
    all_stages().filter(|(name, _)| shown(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_can_have_a_color_of_its_own() {
        assert!(SERIES.len() >= STAGES.len());
        for (index, color) in SERIES.iter().enumerate() {
            assert!(!SERIES[..index].contains(color));
        }
        let mut places = STAGE_SERIES;
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn ink_contrasts() {
        assert_eq!(Color(240, 228, 66).ink(), INK);
        assert_eq!(Color(0, 55, 100).ink(), PAPER);
    }
}
