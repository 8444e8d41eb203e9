//! The instruments: which columns they have and how these columns move.

/// Fewest value columns of a series: five floats and one integer.
pub(crate) const COLUMNS_MIN: u32 = 6;
/// Most value columns of a series.
pub(crate) const COLUMNS_MAX: u32 = 64;
/// The column whose unit may change, and the name it has afterwards.
pub(crate) const CELSIUS: &str = "temperature_c";
pub(crate) const FAHRENHEIT: &str = "temperature_f";
/// The integer column that every series has.
pub(crate) const SAMPLE_COUNT: &str = "sample_count";

/// A kind of instrument; a station has one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sonde,
    Tide,
    Weather,
}

impl Kind {
    /// Returns the kind of the series with this number; within a station names are in path order.
    pub(crate) fn of(number: u32) -> Self {
        [Self::Sonde, Self::Tide, Self::Weather][(number % 3) as usize]
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sonde => "sonde",
            Self::Tide => "tide",
            Self::Weather => "weather",
        }
    }

    fn floats(self) -> &'static [Channel] {
        match self {
            Self::Sonde => &SONDE,
            Self::Tide => &TIDE,
            Self::Weather => &WEATHER,
        }
    }

    /// Returns the channels of a series with this many value columns, with their column names.
    ///
    /// Beyond the kind's own floats the list starts over with the suffix `_2`, then `_3`, as of a chain
    /// of sensors.
    pub(crate) fn channels(self, columns: u32) -> Vec<(String, Channel)> {
        let own = self.floats();
        let floats = columns as usize - 1;
        let mut list: Vec<(String, Channel)> = (0..floats)
            .map(|index| {
                let channel = own[index % own.len()];
                let name = match index / own.len() {
                    0 => channel.name.to_owned(),
                    round => format!("{}_{}", channel.name, round + 1),
                };
                (name, channel)
            })
            .collect();
        list.push((SAMPLE_COUNT.to_owned(), COUNT));
        list
    }
}

/// How one quantity moves. Amplitudes are in the column's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Channel {
    pub(crate) name: &'static str,
    /// Steps of the sensor in one unit: 100 for a resolution of 0.01.
    pub(crate) steps_per_unit: f64,
    /// The middle of the signal, and how far it differs from series to series.
    pub(crate) mean: f64,
    pub(crate) mean_spread: f64,
    /// Amplitude over the day, the tide of 12.42 h and the year.
    pub(crate) diurnal: f64,
    pub(crate) tidal: f64,
    pub(crate) seasonal: f64,
    /// What a sensor drifts between two resets.
    pub(crate) drift: f64,
    /// Standard deviation of the noise, and how much of it lasts to the next row (0 to 1).
    pub(crate) noise: f64,
    pub(crate) persistence: f64,
    /// Height of a spike.
    pub(crate) spike: f64,
    /// What the sensor can show.
    pub(crate) min: f64,
    pub(crate) max: f64,
}

const fn channel(name: &'static str, steps_per_unit: f64, mean: [f64; 2], range: [f64; 2]) -> Channel {
    Channel {
        name,
        steps_per_unit,
        mean: mean[0],
        mean_spread: mean[1],
        diurnal: 0.0,
        tidal: 0.0,
        seasonal: 0.0,
        drift: 0.0,
        noise: 0.0,
        persistence: 0.9,
        spike: 0.0,
        min: range[0],
        max: range[1],
    }
}

impl Channel {
    const fn cycles(mut self, diurnal: f64, tidal: f64, seasonal: f64) -> Self {
        self.diurnal = diurnal;
        self.tidal = tidal;
        self.seasonal = seasonal;
        self
    }

    const fn errors(mut self, drift: f64, noise: f64, persistence: f64, spike: f64) -> Self {
        self.drift = drift;
        self.noise = noise;
        self.persistence = persistence;
        self.spike = spike;
        self
    }
}

// The first column of each kind exists in every version; the temperature is never the first.
const SONDE: [Channel; 7] = [
    channel("salinity_psu", 100.0, [28.0, 5.0], [0.0, 42.0])
        .cycles(0.2, 3.5, 2.0)
        .errors(-0.8, 0.15, 0.95, 4.0),
    channel("temperature_c", 100.0, [13.0, 3.0], [-5.0, 45.0])
        .cycles(1.4, 0.9, -7.0)
        .errors(0.1, 0.06, 0.97, 5.0),
    channel("oxygen_mg_l", 100.0, [8.5, 1.0], [0.0, 20.0])
        .cycles(1.6, 0.5, 1.2)
        .errors(-0.9, 0.12, 0.93, 3.0),
    channel("turbidity_ntu", 10.0, [6.0, 4.0], [0.0, 1000.0])
        .cycles(0.5, 3.0, 1.0)
        .errors(4.0, 1.5, 0.8, 150.0),
    channel("ph", 100.0, [7.9, 0.3], [0.0, 14.0]).cycles(0.12, 0.08, 0.1).errors(-0.1, 0.02, 0.95, 0.8),
    channel("battery_v", 100.0, [12.6, 0.2], [0.0, 16.0])
        .cycles(0.25, 0.0, 0.1)
        .errors(-0.6, 0.02, 0.5, -0.7),
    channel("chlorophyll_ug_l", 100.0, [4.0, 2.0], [0.0, 400.0])
        .cycles(1.2, 0.8, 1.5)
        .errors(1.0, 0.6, 0.85, 30.0),
];

const TIDE: [Channel; 6] = [
    channel("level_m", 1000.0, [2.4, 0.8], [-10.0, 20.0])
        .cycles(0.08, 1.3, 0.1)
        .errors(0.01, 0.015, 0.9, 0.5),
    channel("temperature_c", 100.0, [12.0, 3.0], [-5.0, 45.0])
        .cycles(1.1, 0.7, -6.5)
        .errors(0.1, 0.05, 0.97, 4.0),
    channel("pressure_dbar", 1000.0, [4.2, 1.0], [0.0, 50.0])
        .cycles(0.08, 1.32, 0.1)
        .errors(0.02, 0.015, 0.9, 0.5),
    channel("current_m_s", 1000.0, [0.0, 0.05], [-3.0, 3.0])
        .cycles(0.02, 0.6, 0.02)
        .errors(0.0, 0.05, 0.8, 0.8),
    channel("conductivity_ms_cm", 100.0, [42.0, 6.0], [0.0, 80.0])
        .cycles(0.4, 4.0, 3.0)
        .errors(-1.0, 0.2, 0.95, 6.0),
    channel("battery_v", 100.0, [12.7, 0.2], [0.0, 16.0]).cycles(0.2, 0.0, 0.1).errors(-0.5, 0.02, 0.5, -0.7),
];

const WEATHER: [Channel; 8] = [
    channel("pressure_hpa", 10.0, [1013.0, 4.0], [870.0, 1085.0])
        .cycles(0.8, 0.0, 2.0)
        .errors(0.1, 2.5, 0.995, 15.0),
    channel("temperature_c", 10.0, [11.0, 4.0], [-40.0, 50.0])
        .cycles(5.5, 0.0, -9.0)
        .errors(0.0, 0.5, 0.98, 8.0),
    channel("humidity_pct", 10.0, [74.0, 8.0], [0.0, 100.0])
        .cycles(-14.0, 0.0, 4.0)
        .errors(1.0, 3.0, 0.97, 20.0),
    channel("wind_speed_m_s", 10.0, [4.5, 1.5], [0.0, 75.0])
        .cycles(1.5, 0.0, 0.8)
        .errors(-0.1, 1.6, 0.9, 14.0),
    channel("solar_w_m2", 1.0, [60.0, 30.0], [0.0, 1400.0])
        .cycles(420.0, 0.0, -90.0)
        .errors(-8.0, 45.0, 0.9, 200.0),
    channel("battery_v", 100.0, [12.9, 0.2], [0.0, 16.0])
        .cycles(0.5, 0.0, -0.2)
        .errors(-0.3, 0.03, 0.5, -0.8),
    channel("rain_mm", 5.0, [-2.0, 0.4], [0.0, 60.0]).cycles(0.2, 0.0, 0.3).errors(0.0, 1.2, 0.97, 6.0),
    channel("wind_direction_deg", 1.0, [190.0, 60.0], [0.0, 359.0])
        .cycles(45.0, 0.0, 10.0)
        .errors(0.0, 28.0, 0.95, 90.0),
];

const COUNT: Channel =
    channel(SAMPLE_COUNT, 1.0, [60.0, 0.0], [0.0, 60.0]).cycles(0.3, 0.0, 0.0).errors(-1.0, 0.8, 0.3, -25.0);
