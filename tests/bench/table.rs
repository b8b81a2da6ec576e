//! Everything in one table: `tests/run with cargo bench --bench throughput -- table`.
//!
//! Every figure is of one run on one machine, the load generator included, so the ratios are what can be compared. The
//! table is printed, and written to `target/bench/table.md` and `table.json`. The last one kept is `RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::arguments::Arguments;
use crate::sections::Run;
use crate::sizes::Extent;

/// Where the table is written.
const FOLDER: &str = "target/bench";

/// What design asks of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Limit {
    fn is_reached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }

    fn number(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }

    fn sign(self) -> char {
        match self {
            Self::AtLeast(_) => '≥',
            Self::AtMost(_) => '≤',
        }
    }
}

/// One line of the table.
struct Line {
    database: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    limit: Option<Limit>,
    /// Readings one after the other, of which `value` is the largest; otherwise empty.
    series: Vec<f64>,
}

impl Line {
    fn is_reached(&self) -> Option<bool> {
        self.limit.map(|limit| limit.is_reached(self.value))
    }

    /// The value, of a series also its first and its last.
    fn measured(&self) -> String {
        let mut text = format!("{} {}", short(self.value), self.unit);
        if let [first, .., last] = self.series[..] {
            let _ = write!(text, " (first {}, last {})", short(first), short(last));
        }
        text
    }
}

/// The table as it grows.
pub(crate) struct Table {
    extent: Extent,
    lines: Vec<Line>,
}

impl Table {
    pub(crate) fn add(
        &mut self,
        database: &'static str,
        what: &str,
        value: f64,
        unit: &'static str,
        limit: Option<Limit>,
    ) {
        self.push(Line { database, what: what.to_owned(), value, unit, limit, series: Vec::new() });
    }

    /// Adds readings one after the other; the limit is of the largest.
    pub(crate) fn add_series(
        &mut self,
        database: &'static str,
        what: &str,
        series: Vec<f64>,
        unit: &'static str,
        limit: Option<Limit>,
    ) {
        let value = series.iter().copied().fold(0.0, f64::max);
        self.push(Line { database, what: what.to_owned(), value, unit, limit, series });
    }

    fn push(&mut self, line: Line) {
        println!("{:<8} {:<76} {:>12.2} {}", line.database, line.what, line.value, line.unit);
        if !line.series.is_empty() {
            let readings: Vec<String> = line.series.iter().map(|value| format!("{value:.1}")).collect();
            println!("{:<8} {:<76} {}", "", "… one after the other", readings.join("  "));
        }
        self.lines.push(line);
    }

    fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.made());
        text.push_str("| database | what | measured | limit | reached |\n|---|---|---|---|---|\n");
        for line in &self.lines {
            let limit = line.limit.map_or_else(String::new, |limit| {
                format!("{} {} {}", limit.sign(), limit.number(), line.unit)
            });
            let reached = line.is_reached().map_or("", |reached| if reached { "yes" } else { "no" });
            let _ = writeln!(
                text,
                "| {} | {} | {} | {limit} | {reached} |",
                line.database,
                line.what,
                line.measured()
            );
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                let mut json = json!({"database": line.database, "what": line.what, "value": line.value,
                                      "unit": line.unit, "limit": line.limit.map(Limit::number),
                                      "reached": line.is_reached()});
                if !line.series.is_empty() {
                    json["series"] = json!(line.series);
                }
                json
            })
            .collect();
        json!({"machine": machine(), "extent": self.extent.name(), "lines": lines})
    }

    /// What the table is of.
    fn made(&self) -> String {
        match self.extent {
            Extent::Full => machine(),
            other => {
                format!("{} Only `{}`: smaller than what the limits are about.", machine(), other.name())
            }
        }
    }

    /// Writes what there is: a section that fails hours later takes nothing away.
    fn write(&self) {
        let folder = Path::new(FOLDER);
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("table.md"), self.markdown()).expect("written");
        std::fs::write(folder.join("table.json"), format!("{:#}\n", self.json())).expect("written");
    }
}

/// Measures every section of `arguments`, and writes the table.
pub(crate) async fn table(arguments: &Arguments, postgres: &str) {
    let mut sizes = arguments.extent.sizes();
    if let Some(rewards) = arguments.rewards {
        (sizes.books, sizes.growth) = (rewards, rewards);
    }
    let mut table = Table { extent: arguments.extent, lines: Vec::new() };
    for &database in &arguments.databases {
        for section in &arguments.sections {
            section.measure(&mut Run { table: &mut table, database, postgres, sizes }).await;
            table.write();
        }
    }
    println!("\n{}", table.markdown());
}

/// A number with as many digits as are worth reading.
fn short(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// What was measured on what, in a sentence.
fn machine() -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.map_or_else(|_| "?".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    format!(
        "{} cores ({}), {}, {}, commit {}, {}; the load generator on the same machine.",
        std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        cpu.trim_start_matches(['\t', ':', ' ']),
        said("uname", &["-sr"]),
        said("rustc", &["--version"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        said("date", &["-u", "+%Y-%m-%d"]),
    )
}
