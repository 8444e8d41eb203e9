//! The command line.

use std::path::PathBuf;

use chrono_tz::Tz;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Keeps time series in a versioned pond, queries them with SQL, and exports them to partitioned Parquet.
#[derive(Debug, Parser)]
#[command(name = "pond", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The pond's folder
    #[arg(long, env = "POND", value_name = "DIR", global = true)]
    pub pond: Option<PathBuf>,
    /// Write every stage of this run to a file that chrome://tracing and Perfetto open
    #[arg(long, value_name = "FILE", global = true)]
    pub trace: Option<PathBuf>,
    /// Print stage times and work counters to standard error at the end
    #[arg(long, global = true)]
    pub stats: bool,
    /// Set a knob for this run; may be given several times. `pond knobs` lists them
    #[arg(long = "set", value_name = "KNOB=VALUE", global = true)]
    pub settings: Vec<String>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  pond --pond my.pond init
  pond --pond my.pond import weather.csv /weather/all.series
  pond --pond my.pond list
  pond --pond my.pond cat /weather/all.series --sql 'SELECT count(*), avg(temp) FROM source'
  pond --pond my.pond export -p '/**/*.series' --dir out --temporal year,month

With POND=my.pond in the environment, --pond may be left out.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new pond
    Init {
        /// Keep content up to this many bytes in the log
        #[arg(long, value_name = "BYTES", default_value_t = 65536)]
        inline_max: u64,
    },
    /// Import CSV and Parquet files, folders and glob patterns, as one transaction
    Import(ImportArguments),
    /// Make a directory, with its parents
    Mkdir {
        /// The directory
        path: String,
    },
    /// Make a symbolic link
    Link {
        /// The link
        path: String,
        /// Where it leads
        target: String,
    },
    /// Make a derived node, or give one another configuration
    Mknod(MknodArguments),
    /// List paths with their rows and times
    List(ListArguments),
    /// Show the columns and versions of a path
    Describe {
        /// The path
        path: String,
    },
    /// Print the rows of a table or series, or of a query over it
    Cat(CatArguments),
    /// Show how paths or a query over one are read: plans, pruning, order, time, accesses
    Explain(ExplainArguments),
    /// Show the transactions, newest first
    Log {
        /// Show this many
        #[arg(short = 'n', long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Export tables and series to Parquet files, partitioned by time
    Export(ExportArguments),
    /// Show what the pond holds, what opening it cost, and what its caches did
    Stats,
    /// Show every knob with its setting for this pond, and what it may be set to
    Knobs,
    /// Serve the benchmark harness on standard input and output
    Cell,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(crate) struct ImportArguments {
    /// Files, folders or quoted glob patterns, and last the path in the pond
    #[arg(required = true, num_args = 2.., value_name = "FILE… /PATH")]
    pub files: Vec<PathBuf>,
    /// What the path becomes; a path that ends with .table is a table, any other a series
    #[arg(long = "as", value_enum, value_name = "TYPE")]
    pub entry_type: Option<TypeArgument>,
    /// The time column; found by its values if not given
    #[arg(long, value_name = "COL")]
    pub time: Option<String>,
    /// The format of its times, such as '%d.%m.%Y %H:%M'
    #[arg(long, value_name = "FORMAT")]
    pub time_format: Option<String>,
    /// The zone of times that state none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: Tz,
    /// What a local time means that the clocks showed twice
    #[arg(long, value_enum)]
    pub ambiguous: Option<AmbiguousArgument>,
    /// Cut off times finer than a microsecond
    #[arg(long)]
    pub truncate_time: bool,
    /// The character between fields; \t for a tab
    #[arg(long, value_name = "CHAR", default_value = ",", value_parser = delimiter)]
    pub delimiter: u8,
    /// A text that means a missing value in columns of numbers and booleans; may be given several times
    #[arg(long = "null", value_name = "TEXT", default_value = "NA", allow_hyphen_values = true)]
    pub nulls: Vec<String>,
    /// What NaN and infinities become
    #[arg(long, value_enum, default_value_t = NonFiniteArgument::Refuse)]
    pub non_finite: NonFiniteArgument,
    /// Make one series per value of this column, below the path
    #[arg(long, value_name = "COL")]
    pub split_by: Option<String>,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  pond import sea.csv /buoys/sea.series
  pond import weather.csv /weather --split-by origin
  pond import 'stations/*.parquet' /stations
  pond import log.csv /log.series --time when --time-format '%d.%m.%Y %H:%M' --zone Europe/Berlin

The same path imported again is a new version; a series is all its versions together.";

/// Table or series.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TypeArgument {
    /// All versions together, sorted by time
    Series,
    /// The last version alone
    Table,
}

/// The first or the second of two equal clock times.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AmbiguousArgument {
    /// The first time the clocks showed it
    Earliest,
    /// The second time
    Latest,
}

/// What becomes of floats that are no numbers.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum NonFiniteArgument {
    /// They are an error
    Refuse,
    /// They are stored as missing
    Null,
    /// They are stored as they are
    Keep,
}

/// Arguments of `mknod`.
#[derive(Debug, Args)]
#[command(after_help = MKNOD_EXAMPLES)]
pub(crate) struct MknodArguments {
    /// What makes the node of others
    #[arg(value_parser = PossibleValuesParser::new(engine::FACTORIES))]
    pub factory: String,
    /// The path of the node
    pub path: String,
    /// Its configuration, in YAML or JSON; - for standard input
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

const MKNOD_EXAMPLES: &str = "\
Example, a directory with hourly and daily means of every series:
  $ cat hourly.yaml
  in_pattern: /stations/**/*.series
  out_pattern: $0/$1
  resolutions: [1h, 1d]
  aggregations:
    - type: avg
  $ pond mknod temporal-reduce /reduced --config hourly.yaml
  $ pond list '/reduced/**'

The keys of each factory are in docs/FACTORIES.md.";

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// A pattern with * and **
    #[arg(default_value = "/**")]
    pub pattern: String,
    /// Print paths alone
    #[arg(short = '1', long)]
    pub paths: bool,
}

/// Arguments of `cat`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pond cat /buoys/sea.series --format csv
  pond cat /buoys/sea.series --sql 'SELECT date_bin(INTERVAL '\\''1 day'\\'', \"time (UTC)\") AS day, count(*) FROM source GROUP BY 1 ORDER BY 1'

Column names in a query are case-sensitive; names with blanks or signs go in double quotes.")]
pub(crate) struct CatArguments {
    /// The path
    pub path: String,
    /// A query over it; the path is the relation `source`
    #[arg(long, value_name = "QUERY")]
    pub sql: Option<String>,
    /// How rows are printed
    #[arg(long, value_enum, default_value_t = FormatArgument::Table)]
    pub format: FormatArgument,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArgument {
    /// Aligned columns
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON object a line
    Json,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pond explain '/**/*.series' --start 2024-06-01 --end 2024-07-01
  pond explain /buoys/sea.series --sql 'SELECT count(*) FROM source' --svg plan.svg

The rows are read, and not printed. Times and counts are those of this run.")]
pub(crate) struct ExplainArguments {
    /// A pattern with * and **; with --sql, a path
    pub pattern: String,
    /// Explain a query over the path, which is the relation `source`
    #[arg(long, value_name = "QUERY", conflicts_with_all = ["start", "end", "plans"])]
    pub sql: Option<String>,
    /// Leave out rows before this time
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Leave out rows at this time and after
    #[arg(long, value_name = "TIME")]
    pub end: Option<String>,
    /// Read and explain this many of the matches; the others are listed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub plans: usize,
    /// Partitions that a query works on at a time; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    pub partitions: Option<usize>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
    /// Draw the first plan to this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// How an explanation is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// Lines for people
    Text,
    /// One JSON object
    Json,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pond export -p '/**/*.series' --dir out --temporal year,month
  pond export -p /buoys/sea.series --dir out --temporal '' --start 2016-06-01 --end 2016-07-01

A series goes to DIR/<what the stars stood for>/year=2024/month=07/data.parquet; DIR/manifest.json lists
everything. Files that still hold stay. If there are none, DIR is replaced as a whole; otherwise a killed export may
leave files of the old one and of the new one, each whole, and the next export ends it.")]
pub(crate) struct ExportArguments {
    /// Which tables and series, with * and **; may be given several times
    #[arg(short, long = "pattern", required = true, value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// The folder to make or to replace
    #[arg(short, long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Partitions: year | year,month | year,month,day | year,month,day,hour; '' for one file per series
    #[arg(long, value_name = "UNITS", default_value = "")]
    pub temporal: String,
    /// Leave out rows before this time
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Leave out rows at this time and after
    #[arg(long, value_name = "TIME")]
    pub end: Option<String>,
    /// Series exported at a time; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Replace an export of other patterns
    #[arg(long)]
    pub replace: bool,
    /// Show on the terminal what is exported, how fast, what caches do, and memory, as it goes on
    #[arg(long)]
    pub live: bool,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("give one character, or \\t for a tab".to_owned()),
    }
}
