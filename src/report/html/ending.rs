//! How the run came to its end: cutovers and the seal, and what was put back and removed.

use super::markup::{Drawing, Html, Tone, WIDTH, code, drawing, element, mark, moment, prose, table};
use crate::report::run::{Cutover, CutoverEnd, RunSummary, between};
use crate::report::text::{grouped, spoken};
use crate::step::{Graph, Removal, StepId, Work};
use crate::unit::UnixMillis;

pub(super) fn cutover(run: &RunSummary, graph: &Graph) -> Html {
    let plans_one = graph.steps.iter().any(|step| step.id == StepId::Cutover);
    if !plans_one && run.cutovers.is_empty() {
        return Html::none();
    }
    let count = run.cutovers.len();
    let tried = run.cutovers.iter().enumerate().map(|(index, cutover)| one(index + 1, cutover, count > 1));
    seal(run).and(tried.collect::<Html>())
}

/// Whether anything can still be written through this run, in a sentence.
fn seal(run: &RunSummary) -> Html {
    let Some((at, result)) = run.sealed() else {
        let text = "The destination was not sealed by a cutover.";
        return element("p", "", mark(Tone::Plain, "not sealed").and(" ").and(text));
    };
    let (tone, proof) = match (result.late, result.proven) {
        (0, true) => (Tone::Good, "The fence proves that no write came behind it.".to_owned()),
        (0, false) => (Tone::Risky, "Nothing proves that no write came behind it.".to_owned()),
        (late, _) => (Tone::Bad, format!("Commands that came behind it and are not there: {late} and perhaps more.")),
    };
    let text = Html::from(format!(
        " Everything that the source had written up to offset {} is at the destination, and no process can write to it \
         through this run again. Writes were blocked for {} by {}. {proof} Sealed at ",
        result.offset,
        spoken(result.blocked),
        result.fence
    ));
    element("p", "class=\"seal\"", mark(tone, "sealed").and(text).and(moment(at)).and(" UTC."))
}

/// A cutover that was tried: its parts and how long each took.
fn one(number: usize, cutover: &Cutover, several: bool) -> Html {
    let (ended, end) = match &cutover.end {
        None => (None, mark(Tone::Risky, "cut off").and(" The process died in it.")),
        Some(CutoverEnd::Undone { at, part, reason, blocked }) => (
            Some(*at),
            mark(Tone::Bad, "undone").and(prose(&format!(
                " The part `{}` failed: {}. Writes were blocked for {}; then the run followed the source again.",
                part.name(),
                reason.trim_end_matches('.'),
                spoken(*blocked)
            ))),
        ),
        Some(CutoverEnd::Sealed { at, .. }) => (Some(*at), mark(Tone::Good, "sealed")),
    };
    let next = cutover.parts.iter().skip(1).map(|part| Some(part.at)).chain([ended]);
    let parts: Vec<(&'static str, UnixMillis, Option<f64>)> = cutover
        .parts
        .iter()
        .zip(next)
        .map(|(part, until)| (part.part.name(), part.at, until.map(|until| between(part.at, until))))
        .collect();
    let rows = cutover.parts.iter().zip(&parts).map(|(part, (name, at, took))| {
        let offset = part.offset.map_or_else(|| "–".to_owned(), |offset| grouped(offset.0));
        let took = took.map_or_else(|| "not known".to_owned(), |took| format!("{took:.3} s"));
        vec![Html::from(*name), moment(*at), took.into(), offset.into()]
    });
    let table = table("Parts of the cutover", &["part", "began", "took", "up to offset"], rows.collect());
    let title = if several { element("h3", "", format!("Cutover {number}")) } else { Html::none() };
    let bar = if number == 1 || !several { bar(&parts) } else { Html::none() };
    title.and(element("p", "", end)).and(bar).and(table)
}

/// The parts beside each other, as long as they took.
fn bar(parts: &[(&'static str, UnixMillis, Option<f64>)]) -> Html {
    let timed: Vec<(&'static str, f64)> = parts.iter().filter_map(|(name, _, took)| Some((*name, (*took)?))).collect();
    let all: f64 = timed.iter().map(|(_, took)| took).sum();
    if all <= 0.0 {
        return Html::none();
    }
    let (mut out, mut x) = (Drawing::default(), 0.0);
    for (index, (name, took)) in timed.iter().enumerate() {
        let width = (took / all * WIDTH).max(2.0).min(WIDTH - x);
        let class = ["part a", "part b", "part c", "part d"].get(index).copied().unwrap_or("part a");
        out.rect(class, (x, 0.0), (width, 22.0), &format!("{name}: {took:.3} s"));
        if width > 130.0 {
            out.text("inside", (x + 8.0, 15.5), &format!("{name} {took:.3} s"));
        }
        x += width;
    }
    let words: Vec<String> = timed.iter().map(|(name, took)| format!("{name} {took:.3} s")).collect();
    element("figure", "", drawing("cut", 22.0, "How long each part took", &words.join(", "), &out.html()))
}

pub(super) fn settings(run: &RunSummary) -> Html {
    if run.settings.is_empty() {
        return element("p", "", "The run changed no setting of the source.");
    }
    let rows = run.settings.iter().map(|change| {
        let end = match &change.restored {
            None => mark(Tone::Bad, "still changed").and(prose(" `plan cleanup` puts it back")),
            Some(restored) if restored.now == change.was => {
                mark(Tone::Good, "put back").and(" ").and(moment(restored.at))
            }
            Some(restored) => mark(Tone::Risky, "changed by somebody else").and(" to ").and(code(&restored.now)),
        };
        vec![code(&change.setting), code(&change.was), code(&change.set_to), moment(change.at), end]
    });
    table("Settings that the run changed", &["setting", "was", "set to", "at", "now"], rows.collect())
}

pub(super) fn hooks(run: &RunSummary) -> Html {
    let rows = run.hooks.iter().map(|hook| {
        let end = hook.failure.as_ref().map_or_else(
            || mark(Tone::Good, "done"),
            |failure| mark(Tone::Bad, "failed").and(" ").and(failure.as_str()),
        );
        vec![hook.moment.name().into(), code(&hook.program), moment(hook.at), spoken(hook.seconds).into(), end]
    });
    table("Programs that ran at moments of the run", &["moment", "program", "ended", "took", "outcome"], rows.collect())
}

pub(super) fn accounts(run: &RunSummary, graph: &Graph) -> Html {
    let planned = graph.steps.iter().find_map(|step| match &step.work {
        Work::Cleanup(work) => Some(work.accounts.as_slice()),
        _ => None,
    });
    let planned = planned.unwrap_or_default();
    if planned.is_empty() {
        return element("p", "", "The plan names no account to remove.");
    }
    let mut removed: Vec<_> = run.accounts.iter().map(Some).collect();
    removed.resize(planned.len().max(removed.len()), None);
    let rows = planned.iter().zip(removed).map(|(account, removed)| {
        let what = match &account.removal {
            Removal::User(user) => Html::from("user ").and(code(user)),
            Removal::Run(argv) => Html::from("by ").and(code(&argv.join(" "))),
        };
        let end = removed.map_or_else(
            || mark(Tone::Risky, "not removed").and(""),
            |removed| mark(Tone::Good, "removed").and(" ").and(prose(&removed.proof)).and(", ").and(moment(removed.at)),
        );
        vec![account.side.to_string().into(), what, end]
    });
    table("Accounts that only the migration needed", &["at the", "account", "outcome"], rows.collect())
}
