//! The report as one HTML file that needs nothing else: no network, no script, no font. Everything that came from a
//! plan or a server is text in it ([`markup::Html`]), and the page forbids itself to load or run anything.

mod chart;
mod comparison;
mod ending;
mod figures;
mod markup;
mod plan;
mod scale;
mod story;

use markup::{Html, Tone, element, facts, mark, moment, section, table};

use super::run::{RunSummary, Sample, outcome_word};
use super::text::{grouped, spoken};
use crate::step::{Graph, KeyFailure, Stamped};
use crate::unit::ByteSize;

const STYLE: &str = include_str!("style.css");

/// Failed keys listed one by one; the event log holds all of them.
const FAILURES_SHOWN: usize = 1000;

/// The report of a run as a page of its own. `events` are those of one run, oldest first; `samples` its figures over
/// time.
pub fn run_html(events: &[Stamped], samples: &[Sample], graph: &Graph) -> String {
    let run = RunSummary::of(events).heard_until(samples);
    let scale = scale::TimeScale::of(&run, chart::LEFT, chart::RIGHT);
    let charts: Html =
        scale.iter().flat_map(|scale| chart::CHARTS.iter().map(|chart| chart.draw(samples, scale))).collect();
    let sections = [
        section("story", "What happened", story::story(&run, scale.as_ref())),
        section("speed", "Throughput and lag", charts),
        section("cutover", "Cutover and seal", ending::cutover(&run, graph)),
        section("data", "Data", figures::data(&run)),
        section("comparison", "Comparison", comparison::comparison(&run)),
        section("links", "Links and time", figures::links(&run)),
        section("plan", "Plan", plan::plan(&run, graph)),
        section("servers", "Servers", plan::servers(&run, graph)),
        section("checks", "Checks", plan::checks(&run)),
        section("settings", "Settings of the source", ending::settings(&run)),
        section("hooks", "Hooks", ending::hooks(&run)),
        section("accounts", "Accounts", ending::accounts(&run, graph)),
        section("failures", "Keys that are not as they were", failures(&run.failures)),
    ];
    let main = element("main", "", sections.into_iter().collect::<Html>());
    page(&graph.name, header(&run, graph).and(main).and(footer(&run)))
}

fn page(name: &str, body: Html) -> String {
    let title = Html::from(name).into_string();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>Migration report: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        body.into_string()
    )
}

/// The name, the verdict, and the figures that everybody asks for.
fn header(run: &RunSummary, graph: &Graph) -> Html {
    let (tone, word, summary) = verdict(run);
    let title = element("h1", "", graph.name.as_str());
    let mut about = vec![];
    about.extend(graph.change.iter().map(|change| element("span", "", change.as_str())));
    about.extend(graph.labels.iter().map(|(name, value)| element("span", "", format!("{name}: {value}"))));
    let about = about.into_iter().fold(Html::none(), |all, one| all.and(one).and(" "));
    element(
        "header",
        "",
        element("p", "class=\"eyebrow\"", "Migration report")
            .and(title)
            .and(element("p", "class=\"about\"", about))
            .and(element("p", "class=\"verdict\"", mark(tone, word).and(" ").and(markup::prose(&summary))))
            .and(tiles(run)),
    )
    .and(Html::own("\n"))
}

fn verdict(run: &RunSummary) -> (Tone, &'static str, String) {
    let Some(attempt) = run.attempts.last() else { return (Tone::Plain, "not started", String::new()) };
    let Some(ending) = &attempt.ending else {
        let text = "The last process was killed or still runs; `plan apply` of the same plan continues the run.";
        return (Tone::Risky, "unfinished", text.to_owned());
    };
    (story::tone(ending.outcome), outcome_word(ending.outcome), ending.summary.clone())
}

fn tiles(run: &RunSummary) -> Html {
    let mut tiles: Vec<(&'static str, String)> = vec![];
    if let Some(progress) = &run.progress {
        tiles.push(("keys copied", grouped(progress.keys)));
    }
    if let Some(bytes) = run.dump.as_ref().and_then(|dump| dump.bytes) {
        tiles.push(("of dump", ByteSize(bytes).to_string()));
    }
    if let Some((_, result)) = run.sealed() {
        tiles.push(("writes blocked", spoken(result.blocked)));
    }
    if let Some((first, last)) = run.attempts.first().zip(run.attempts.last()) {
        tiles.push(("from first to last", spoken(super::run::between(first.at, last.until))));
        let count = run.attempts.len();
        tiles.push((if count == 1 { "process" } else { "processes" }, grouped(count as u64)));
    }
    let failed = run.failures.len();
    if failed > 0 {
        tiles.push((if failed == 1 { "key reported" } else { "keys reported" }, grouped(failed as u64)));
    }
    let tile = |(name, value): (&'static str, String)| {
        element("li", "", element("b", "", value).and(element("span", "", name)))
    };
    element("ul", "class=\"tiles\"", tiles.into_iter().map(tile).collect::<Html>())
}

fn failures(failures: &[KeyFailure]) -> Html {
    let rows = failures.iter().take(FAILURES_SHOWN).map(|failure| {
        let size = ByteSize(failure.size).to_string();
        let (db, kind) = (failure.db.to_string(), failure.kind.as_str());
        vec![markup::code(&failure.key), db.into(), kind.into(), size.into(), markup::prose(&failure.reason)]
    });
    let mut out = table(
        "Keys and commands that could not be written as they are",
        &["key", "db", "type", "size", "why"],
        rows.collect(),
    );
    if let Some(more) = failures.len().checked_sub(FAILURES_SHOWN).filter(|more| *more > 0) {
        out.push(element("p", "", format!("…and {} more, all of them in the event log.", grouped(more as u64))));
    }
    out
}

fn footer(run: &RunSummary) -> Html {
    let mut rows = vec![];
    rows.extend(run.run.as_ref().map(|id| ("run", markup::code(id))));
    rows.extend(run.digest.as_ref().map(|digest| ("digest", markup::code(digest))));
    rows.extend(run.attempts.last().map(|attempt| ("as of", moment(attempt.until).and(" UTC"))));
    rows.push(("made by", Html::from(concat!("redis-plan ", env!("CARGO_PKG_VERSION")))));
    let note = "All times are UTC. Made of `events.jsonl`, `samples.jsonl` and the graph in the run's state directory; \
                `plan report` makes it again, also as Markdown or JSON.";
    element("footer", "", facts(rows).and(element("p", "", markup::prose(note)))).and(Html::own("\n"))
}

#[cfg(test)]
mod tests;
