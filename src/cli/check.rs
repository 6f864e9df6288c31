//! `plan check`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::exit::{Exit, Failure};
use super::load::load;
use super::output::Output;
use super::secrets::servers;
use super::signals::StopSignal;
use super::target::{Target, plain};
use crate::plan;
use crate::report::diagnostics::{Style, concise, github, human, sarif};
use crate::report::{check_json, check_junit, check_list, check_problems};
use crate::step::{Check, Event, Outcome, Stamped};
use crate::store::own::write_regular;

/// Judge both servers without changing anything
///
/// Runs the precheck alone, read-only: can both be reached and signed in to, may a replica follow the source, does the
/// destination take what the plan moves, will it fit, will it last. Each item says what was seen, and one that fails or
/// warns is shown at the plan's own line with what to do about it. Exits with 0 when none fails, 1 when one does.
///
/// Reads the plan's passwords, running the program where one is named, and sends them to the servers that the plan names: only
/// for a plan that has been reviewed. `plan validate` and `plan preview` do neither.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The plan file; `-` reads standard input
    file: PathBuf,

    /// How to show the items
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// Write them to a file as well, such as `junit=check.xml`; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    output: Vec<Target<Format>>,

    /// Judge only these items, such as `clocks`; whether a server answers is always said
    #[arg(
        long,
        value_name = "ITEM",
        value_delimiter = ',',
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(crate::engine::check_items())
    )]
    only: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A list, and the lines of the plan that something is wrong with
    Human,
    /// One line for each that fails or warns, as compilers print them
    Concise,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code hosts and editors: what fails or warns
    Sarif,
    /// Workflow commands of GitHub Actions: what fails or warns
    Github,
    /// `JUnit` XML, for GitLab, Jenkins and others
    Junit,
}

pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    let stop = StopSignal::listen()?;
    let servers = servers(&loaded.graph, &loaded.folder)?;
    let mut checks: Vec<Check> = vec![];
    let told = &mut |Stamped { event, .. }: &Stamped| match event {
        Event::Checked { check } => checks.push(check.clone()),
        Event::RunFinished { outcome, summary, .. } if *outcome != Outcome::Done => tracing::error!("{summary}"),
        _ => {}
    };
    let outcome = crate::engine::check(&loaded.graph, &servers, &args.only, &stop.asked(), told);
    out.print(&args.format.render(outcome, &checks, &loaded.plan, out.style()))?;
    for Target { format, file } in &args.output {
        let text = format.render(outcome, &checks, &loaded.plan, plain(out.style()));
        write_regular(file, text.as_bytes()).map_err(|source| Failure::Write { path: file.clone(), source })?;
    }
    Ok(match (outcome, stop.signal()) {
        (Outcome::Stopped, Some(signal)) => Exit::Signal(signal),
        _ => Exit::Outcome(outcome),
    })
}

impl Format {
    fn render(self, outcome: Outcome, checks: &[Check], plan: &plan::LoadedPlan, style: Style) -> String {
        let problems = check_problems(checks, plan);
        match self {
            Self::Human => {
                let list = check_list(checks, style.colour);
                let shown = if problems.problems().is_empty() { String::new() } else { human(&problems, style) };
                if shown.is_empty() { list } else { format!("{list}\n{shown}") }
            }
            Self::Concise => concise(&[&problems]),
            Self::Json => format!("{:#}\n", check_json(outcome, checks, plan)),
            Self::Sarif => format!("{:#}\n", sarif(&[&problems])),
            Self::Github => github(&[&problems]),
            Self::Junit => check_junit(checks, plan),
        }
    }
}
