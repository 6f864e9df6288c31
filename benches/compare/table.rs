//! What was measured, as a table and as JSON.

use serde_json::{Map, Value, json};

use super::Options;

/// Figures of one run, by column.
pub type Figures = Vec<(&'static str, f64)>;

/// One kind of measurement, made by several sides in turns.
pub struct Section {
    pub name: String,
    pub about: String,
    pub sides: Vec<Side>,
    /// The column that ratios are of.
    pub of: &'static str,
    /// More of it is better.
    pub more: bool,
}

/// Who does it, and the figures run by run.
pub struct Side {
    pub name: &'static str,
    pub runs: Vec<Figures>,
}

impl Side {
    pub fn new(name: &'static str) -> Self {
        Self { name, runs: vec![] }
    }

    fn column(&self, name: &str) -> Vec<f64> {
        self.runs
            .iter()
            .filter_map(|run| run.iter().find(|(column, _)| *column == name))
            .map(|(_, figure)| *figure)
            .collect()
    }

    /// Over the runs; `None` where this side has no such figure.
    fn median(&self, name: &str) -> Option<f64> {
        median(self.column(name))
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.retain(|figure| !figure.is_nan());
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

impl Section {
    /// Columns, in the order in which they came up.
    fn columns(&self) -> Vec<&'static str> {
        let mut columns: Vec<&'static str> = vec![];
        for (name, _) in self.sides.iter().flat_map(|side| side.runs.iter().flatten()) {
            if !columns.contains(name) {
                columns.push(name);
            }
        }
        columns
    }

    /// What the last side is to each other one: the median of the runs' ratios, and the least and the greatest.
    fn ratios(&self) -> Vec<(&'static str, [f64; 3])> {
        let Some((ours, others)) = self.sides.split_last() else { return vec![] };
        let ratio = |side: &Side| {
            let (ours, theirs) = (ours.column(self.of), side.column(self.of));
            let mut all: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
            all.sort_by(f64::total_cmp);
            Some((side.name, [median(all.clone())?, *all.first()?, *all.last()?]))
        };
        others.iter().filter_map(ratio).collect()
    }

    pub fn print(self) -> Self {
        let columns = self.columns();
        println!("\n## {}: {}\n\n| | {} |", self.name, self.about, columns.join(" | "));
        println!("| --- |{}", " --- |".repeat(columns.len()));
        for side in &self.sides {
            let cells = columns.iter().map(|column| side.median(column).map_or_else(|| "–".to_owned(), show));
            println!("| {} | {} |", side.name, cells.collect::<Vec<_>>().join(" | "));
        }
        let better = if self.more { "more is better" } else { "less is better" };
        for (name, [median, least, most]) in self.ratios() {
            println!("{} to {name}, {}: {median:.2} ({least:.2} to {most:.2}; {better})", self.ours(), self.of);
        }
        self
    }

    fn ours(&self) -> &'static str {
        self.sides.last().map_or("", |side| side.name)
    }

    fn json(&self) -> Value {
        let sides: Map<String, Value> = self.sides.iter().map(|side| (side.name.to_owned(), side.json())).collect();
        let ratios: Map<String, Value> =
            self.ratios().into_iter().map(|(name, [median, ..])| (name.to_owned(), json!(median))).collect();
        json!({ "about": self.about, "sides": sides, "ratio_of": self.of, "ratios": ratios })
    }
}

impl Side {
    fn json(&self) -> Value {
        let run = |run: &Figures| -> Map<String, Value> {
            run.iter().map(|(name, figure)| ((*name).to_owned(), json!(figure))).collect()
        };
        json!(self.runs.iter().map(run).collect::<Vec<_>>())
    }
}

fn show(figure: f64) -> String {
    match figure {
        _ if figure >= 1000.0 => format!("{figure:.0}"),
        _ if figure >= 100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// Everything, each run of it.
pub fn json(options: &Options, sections: &[Section]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let sections: Map<String, Value> = sections.iter().map(|section| (section.name.clone(), section.json())).collect();
    let whole = json!({
        "server": options.server, "scale_percent": options.scale, "runs": options.runs, "cores": cores,
        "load_before": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(), "sections": sections,
    });
    serde_json::to_string_pretty(&whole).unwrap() + "\n"
}
