//! How untidy a pond is.

/// What every spec had for `versions_min` before there was a choice.
pub(crate) const VERSIONS_MIN: u32 = 2;

/// The shares of what makes real data awkward, in parts per million (`_ppm`: 1 % is 10,000).
///
/// Shares of series are exact quotas, spread evenly over the pond: of `n` series, `n × share` are picked,
/// rounded down. Shares of rows and values are probabilities. A version's rows are in time order except
/// for what is listed here.
///
/// `small`, `medium` and `large` have [`Oddities::REALISTIC`]; the `rows-*` sizes have only nulls; `deep`
/// and `wide` are tidy; `history-*` and `versions` have only versions, all series the same number; `tiny`
/// has every oddity at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddities {
    /// Share of the rows lost in missing spans; at most 100,000. Series of fewer than 16 rows have none.
    pub gaps_ppm: u32,
    /// Share of the values that are null, in runs of 1 to 8; at most 500,000. Timestamps are never null.
    pub nulls_ppm: u32,
    /// Share of the rows that are sent twice, the second directly after the first and equal to it.
    pub duplicates_ppm: u32,
    /// Share of the series in which about 1 % of the rows change places with one of the next three.
    pub out_of_order_series_ppm: u32,
    /// Share of the series that have more than one version.
    pub versions_series_ppm: u32,
    /// The fewest versions of a series with more than one, 2 to `versions_max`; fewer where it has fewer rows.
    pub versions_min: u32,
    /// The most versions a series has, 1 to 4,096.
    pub versions_max: u32,
    /// Share of the series with versions in which each later version starts with up to 8 late rows, taken
    /// from the last 64 rows of the version before, which lacks them.
    pub late_rows_ppm: u32,
    /// Share of the series with versions whose last float column appears only in a later version.
    pub late_columns_ppm: u32,
    /// Share of the series with versions in which `temperature_c` stops and `temperature_f` starts at a
    /// later version.
    pub unit_changes_ppm: u32,
}

impl Oddities {
    /// A tidy pond: one sorted version per series, no row or value missing.
    pub const NONE: Self = Self {
        gaps_ppm: 0,
        nulls_ppm: 0,
        duplicates_ppm: 0,
        out_of_order_series_ppm: 0,
        versions_series_ppm: 0,
        versions_min: VERSIONS_MIN,
        versions_max: 1,
        late_rows_ppm: 0,
        late_columns_ppm: 0,
        unit_changes_ppm: 0,
    };

    /// A tidy pond in which every series has just so many versions.
    pub(crate) const fn of_versions(versions: u32) -> Self {
        match versions {
            0 | 1 => Self::NONE,
            _ => Self {
                versions_series_ppm: 1_000_000,
                versions_min: versions,
                versions_max: versions,
                ..Self::NONE
            },
        }
    }

    /// A well-kept network: 0.5 % of rows in gaps, 0.5 % of values null, 0.1 % of rows sent twice, 3 % of
    /// series out of order, 10 % of series with 2 to 4 versions; of these 50 % with late rows, 30 % with a
    /// late column, 20 % with a unit change.
    pub const REALISTIC: Self = Self {
        gaps_ppm: 5_000,
        nulls_ppm: 5_000,
        duplicates_ppm: 1_000,
        out_of_order_series_ppm: 30_000,
        versions_series_ppm: 100_000,
        versions_min: VERSIONS_MIN,
        versions_max: 4,
        late_rows_ppm: 500_000,
        late_columns_ppm: 300_000,
        unit_changes_ppm: 200_000,
    };

    /// Every oddity, often enough to be met in eight short series.
    pub(crate) const TEEMING: Self = Self {
        gaps_ppm: 40_000,
        nulls_ppm: 20_000,
        duplicates_ppm: 10_000,
        out_of_order_series_ppm: 250_000,
        versions_series_ppm: 500_000,
        versions_min: VERSIONS_MIN,
        versions_max: 3,
        late_rows_ppm: 500_000,
        late_columns_ppm: 500_000,
        unit_changes_ppm: 500_000,
    };

    /// Says what is out of bounds, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        const ALL: u32 = 1_000_000;
        if self.gaps_ppm > 100_000 {
            return Some("gaps_ppm must be at most 100000");
        }
        if self.nulls_ppm > 500_000 {
            return Some("nulls_ppm must be at most 500000");
        }
        if !(1..=4_096).contains(&self.versions_max) {
            return Some("versions_max must be 1 to 4096");
        }
        if self.versions_series_ppm > 0 && self.versions_max < 2 {
            return Some("versions_max must be at least 2 where versions_series_ppm is not 0");
        }
        if !(VERSIONS_MIN..=self.versions_max.max(VERSIONS_MIN)).contains(&self.versions_min) {
            return Some("versions_min must be 2 to versions_max");
        }
        let shares = [
            self.duplicates_ppm,
            self.out_of_order_series_ppm,
            self.versions_series_ppm,
            self.late_rows_ppm,
            self.late_columns_ppm,
            self.unit_changes_ppm,
        ];
        shares.into_iter().any(|share| share > ALL).then_some("a share must be at most 1000000 ppm")
    }
}
