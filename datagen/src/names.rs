//! Names: stations, regions and the paths of series.

use std::collections::BTreeSet;

use fake::Fake;
use fake::faker::address::en::CityName;

use crate::instrument::Kind;
use crate::spec::{Layout, PondSpec};
use crate::streams::{self, LANE_STATION};

/// Regions in path order; the fewer stations, the fewer of them are used.
const REGIONS: [&str; 12] = [
    "bay", "coast", "delta", "east", "fjord", "gulf", "harbour", "inlet", "lagoon", "north", "south", "west",
];

/// Returns the names of all stations, each different.
pub(crate) fn stations(spec: &PondSpec) -> Vec<String> {
    let key = streams::key(spec.seed);
    let mut taken = BTreeSet::new();
    (0..spec.station_count())
        .map(|station| {
            let mut rng = streams::stream(&key, station, LANE_STATION);
            let name: String = CityName().fake_with_rng(&mut rng);
            let unique = if taken.contains(&slug(&name)) { format!("{name} {}", station + 1) } else { name };
            taken.insert(slug(&unique));
            unique
        })
        .collect()
}

/// Returns a station's identity, `station-017`; all of a pond have the same length.
pub(crate) fn station_id(spec: &PondSpec, station: u32) -> String {
    let digits = spec.station_count().to_string().len().max(3);
    format!("station-{:0digits$}", station + 1)
}

/// Returns the region of a station; the regions of ascending stations ascend.
pub(crate) fn region(spec: &PondSpec, station: u32) -> &'static str {
    let stations = u64::from(spec.station_count());
    let regions = (1 + stations.isqrt()).min(REGIONS.len() as u64);
    // Few regions are spread over the list.
    let index = u64::from(station) * regions / stations;
    REGIONS[(index * REGIONS.len() as u64 / regions) as usize]
}

/// Returns the paths of all series, in order.
pub(crate) fn paths(spec: &PondSpec) -> Vec<String> {
    if spec.layout == Layout::SingleTable {
        return vec!["/readings.table".to_owned()];
    }
    let names = stations(spec);
    (0..spec.series)
        .map(|number| {
            let station = number / 3;
            let name = slug(&names[station as usize]);
            let id = station_id(spec, station);
            let kind = Kind::of(number).name();
            match spec.layout {
                Layout::Stations | Layout::SingleTable => {
                    format!("/{}/{id}-{name}/{kind}.series", region(spec, station))
                }
                Layout::Deep { depth, fan_out } => {
                    let folders = folders(number, spec.series, depth, fan_out);
                    format!("{folders}/{id}-{name}-{kind}.series")
                }
                Layout::Wide => format!("{}/{id}-{name}-{kind}.series", fan(number, spec.series)),
            }
        })
        .collect()
}

/// Returns the directory of a series in a wide pond.
fn fan(number: u32, series: u32) -> String {
    const FAN: u32 = 40;
    let fans = series / 6;
    if number >= fans {
        return "/wide".to_owned();
    }
    let digits = (fans / FAN + 1).to_string().len().max(2);
    format!("/fan-{:0digits$}", number / FAN + 1)
}

/// Returns the directories above a series in a deep pond: `/01-b/02-a/03-a`.
fn folders(number: u32, series: u32, depth: u32, fan_out: u32) -> String {
    let base = u128::from(fan_out);
    let leaves = base.checked_pow(depth).unwrap_or(u128::MAX >> 32);
    let leaf = u128::from(number) * leaves / u128::from(series);
    let mut path = String::new();
    for level in 1..=depth {
        let below = base.checked_pow(depth - level).unwrap_or(u128::MAX);
        let letter = char::from(b'a' + (leaf / below % base) as u8);
        path.push_str(&format!("/{level:02}-{letter}"));
    }
    path
}

/// Turns a name into a part of a path: lower-case letters, digits and single hyphens.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !letter.is_ascii_punctuation() && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_path_parts() {
        let check = |name, expect| assert_eq!(slug(name), expect, "{name}");
        check("Port Ada", "port-ada");
        check("O'Keefe  St. View ", "okeefe-st-view");
        check("Ñandú", "and");
    }

    #[test]
    fn deep_paths_branch_at_the_top_and_run_in_chains() {
        let check = |number, expect| assert_eq!(folders(number, 4, 4, 2), expect);
        check(0, "/01-a/02-a/03-a/04-a");
        check(1, "/01-a/02-b/03-a/04-a");
        check(3, "/01-b/02-b/03-a/04-a");
    }
}
