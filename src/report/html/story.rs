//! What happened: the steps of each process on a time axis, and the moments worth telling.

use super::chart::{LEFT, RIGHT, time_axis};
use super::markup::{Drawing, Html, Tone, code, drawing, element, mark, moment, prose, time_of_day};
use super::scale::TimeScale;
use crate::report::run::{Attempt, CutoverEnd, RunSummary, StepRun, StepState, between, outcome_word};
use crate::report::text::{grouped, spoken};
use crate::step::{Outcome, StepId};
use crate::unit::UnixMillis;

/// Moments that are told of one process.
const MOMENTS: usize = 400;

const ROW: f64 = 26.0;
const TOP: f64 = 26.0;

pub(super) fn story(run: &RunSummary, scale: Option<&TimeScale>) -> Html {
    let drawn = scale.map_or_else(Html::none, |scale| figure(run, scale));
    run.attempts.iter().map(|attempt| told(run, attempt)).fold(drawn, Html::and)
}

/// The steps of all processes on one axis.
fn figure(run: &RunSummary, scale: &TimeScale) -> Html {
    let steps: Vec<StepId> = run.phases().iter().map(|phase| phase.step).collect();
    let row = |step: StepId| steps.iter().position(|other| *other == step);
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(0));
    let floor = ROW.mul_add(count(steps.len()), TOP);
    let mut out = Drawing::default();
    for (index, step) in steps.iter().enumerate() {
        let at = ROW.mul_add(count(index), TOP);
        out.text("label end strong", (LEFT - 8.0, at + ROW / 2.0 + 4.0), step.name());
        out.line("grid", (LEFT, at + ROW), (RIGHT, at + ROW));
    }
    time_axis(&mut out, scale, (TOP, floor));
    for attempt in &run.attempts {
        let x = scale.x(attempt.at);
        out.line("start", (x, TOP - 6.0), (x, floor));
        let next = run.attempts.iter().find(|other| other.number > attempt.number);
        let room = next.map_or(RIGHT + 16.0, |next| scale.x(next.at)) - x;
        match room {
            70.0.. => out.text("label", (x + 3.0, TOP - 10.0), &format!("process {}", attempt.number)),
            10.0.. => out.text("label", (x + 3.0, TOP - 10.0), &attempt.number.to_string()),
            _ => {}
        }
        for step in attempt.steps.iter().filter(|step| !step.was_done_before()) {
            let Some(index) = row(step.step) else { continue };
            let until = step.until.unwrap_or(attempt.until);
            let (left, right) = (scale.x(step.at), scale.x(until));
            let class = match step.state {
                StepState::Done { .. } | StepState::Skipped { .. } => "bar good",
                StepState::Failed { .. } => "bar bad",
                StepState::Interrupted => "bar cut",
            };
            let tip = format!("{} in process {}: {}", step.step, attempt.number, state_word(step, attempt));
            let top = ROW.mul_add(count(index), TOP);
            out.rect(class, (left, top + 5.0), ((right - left).max(3.0), ROW - 10.0), &tip);
            if matches!(step.state, StepState::Failed { .. }) && right - left > 14.0 {
                out.text("inside middle", (f64::midpoint(left, right), top + ROW / 2.0 + 4.5), "✕");
            }
        }
    }
    ends(run, scale, floor, &mut out);
    let words: Vec<String> = run.attempts.iter().map(in_words).collect();
    let svg = drawing("timeline", floor + 32.0, "Steps of each process over time", &words.join(" "), &out.html());
    let has =
        |is: fn(&StepState) -> bool| run.attempts.iter().flat_map(|attempt| &attempt.steps).any(|step| is(&step.state));
    let keys = [
        ("<span class=\"swatch good\" aria-hidden=\"true\"></span> ", "done", true),
        (
            "<span class=\"swatch bad\" aria-hidden=\"true\"></span> ",
            "failed",
            has(|state| matches!(state, StepState::Failed { .. })),
        ),
        (
            "<span class=\"swatch cut\" aria-hidden=\"true\"></span> ",
            "cut off: the process was stopped or killed",
            has(|state| *state == StepState::Interrupted),
        ),
        (
            "<span class=\"swatch gap\" aria-hidden=\"true\"></span> ",
            "no process; drawn short",
            !scale.gaps().is_empty(),
        ),
    ];
    let keys: Html = keys
        .into_iter()
        .filter(|(.., is_there)| *is_there)
        .map(|(swatch, text, _)| element("span", "class=\"legend\"", Html::own(swatch).and(text)))
        .collect();
    element("figure", "", svg.and(element("figcaption", "", keys))).and(Html::own("\n"))
}

/// How cutovers ended, where they did.
fn ends(run: &RunSummary, scale: &TimeScale, floor: f64, out: &mut Drawing) {
    for end in run.cutovers.iter().filter_map(|cutover| cutover.end.as_ref()) {
        let (at, class, word) = match end {
            CutoverEnd::Undone { at, .. } => (at, "moment bad", "undone"),
            CutoverEnd::Sealed { at, .. } => (at, "moment good", "sealed"),
        };
        let x = scale.x(*at);
        out.line(class, (x, TOP), (x, floor));
        let right = x > RIGHT - 60.0;
        out.text(
            if right { "label end strong" } else { "label strong" },
            (if right { x - 4.0 } else { x + 4.0 }, TOP + 11.0),
            word,
        );
    }
}

/// One process in a sentence.
fn in_words(attempt: &Attempt) -> String {
    let steps: Vec<String> = attempt
        .steps
        .iter()
        .filter(|step| !step.was_done_before())
        .map(|step| format!("{} {}", step.step, state_word(step, attempt)))
        .collect();
    format!("Process {}: {}; {}.", attempt.number, steps.join(", "), ending_word(attempt))
}

fn state_word(step: &StepRun, attempt: &Attempt) -> String {
    let took = spoken(step.seconds(attempt.until));
    match &step.state {
        StepState::Interrupted => format!("cut off after {took}"),
        StepState::Skipped { .. } => "had nothing to do".to_owned(),
        StepState::Done { .. } => format!("done in {took}"),
        StepState::Failed { .. } => format!("failed after {took}"),
    }
}

fn ending_word(attempt: &Attempt) -> String {
    attempt.ending.as_ref().map_or_else(
        || "no ending was recorded".to_owned(),
        |ending| format!("{} after {}", outcome_word(ending.outcome), spoken(ending.seconds)),
    )
}

/// How good an ending is.
pub(super) const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Done | Outcome::Sealed => Tone::Good,
        Outcome::Refused | Outcome::Different | Outcome::Failed | Outcome::Stale => Tone::Bad,
        Outcome::Held | Outcome::Locked | Outcome::Stopped => Tone::Risky,
    }
}

/// One process: how it ended, and its moments.
fn told(run: &RunSummary, attempt: &Attempt) -> Html {
    let (mark, end) = match &attempt.ending {
        Some(ending) => {
            let word = mark(tone(ending.outcome), outcome_word(ending.outcome));
            let after = format!(" UTC and ended after {}. ", spoken(ending.seconds));
            let page = if ending.code.is_empty() { Html::none() } else { Html::from(" ").and(code(&ending.code)) };
            (word, Html::from(after).and(prose(&ending.summary)).and(page))
        }
        None => (
            mark(Tone::Risky, "cut off"),
            Html::from(" UTC. It was killed, its machine was lost, or it is still at work; it was last heard of at ")
                .and(moment(attempt.until))
                .and("."),
        ),
    };
    let title = element("h3", "", Html::from(format!("Process {} ", attempt.number)).and(mark));
    let lead = element("p", "", Html::from("Began ").and(moment(attempt.at)).and(end));
    let moments = moments(run, attempt);
    let more = moments.len().saturating_sub(MOMENTS);
    let listed = moments.into_iter().take(MOMENTS).map(|(at, tone, text)| {
        let sign = element("span", "class=\"sign\" aria-hidden=\"true\"", tone.sign());
        let told = element("span", "", text);
        let at = if day(at) == day(attempt.at) { time_of_day(at) } else { moment(at) };
        let item = at.and(sign).and(told);
        match tone {
            Tone::Good => element("li", "class=\"good\"", item),
            Tone::Risky => element("li", "class=\"risky\"", item),
            Tone::Bad => element("li", "class=\"bad\"", item),
            Tone::Plain => element("li", "", item),
        }
        .and(Html::own("\n"))
    });
    let mut list: Html = listed.collect();
    if more > 0 {
        list.push(element("li", "", format!("…and {} more, all of them in the event log", grouped(more as u64))));
    }
    element("article", "", title.and(lead).and(element("ol", "class=\"moments\"", list))).and(Html::own("\n"))
}

/// The day of a moment, in UTC.
fn day(at: UnixMillis) -> i64 {
    at.0.div_euclid(86_400_000)
}

/// What happened while a process worked, in order.
fn moments(run: &RunSummary, attempt: &Attempt) -> Vec<(UnixMillis, Tone, Html)> {
    let mut moments: Vec<(UnixMillis, Tone, Html)> =
        attempt.steps.iter().flat_map(|step| of_step(step, attempt)).collect();
    let within = |at: UnixMillis| attempt.at <= at && at <= attempt.until;
    let notes = run.stream.iter().chain(&run.notices).filter(|notice| within(notice.at));
    moments.extend(notes.map(|notice| (notice.at, Tone::Plain, prose(&notice.text))));
    if let Some(dump) = run.dump.as_ref().filter(|dump| within(dump.at)) {
        let offset = dump.offset.map_or_else(String::new, |offset| format!(" at offset {offset}"));
        moments.push((dump.at, Tone::Plain, format!("the source sends its dump{offset}").into()));
    }
    for wait in run.waits.iter().filter(|wait| within(wait.at)) {
        let seconds = between(wait.at, wait.until);
        let long = if seconds >= 1.0 { format!(" for {}", spoken(seconds)) } else { String::new() };
        let text = prose(&format!("{} waits{long}: {}", wait.step, wait.reason));
        moments.push((wait.at, Tone::Risky, text));
    }
    moments.sort_by_key(|(at, ..)| *at);
    moments
}

/// A step that takes less than this is told when it is over, and not before, in seconds.
const SHORT: f64 = 1.0;

/// Its beginning and its end.
fn of_step(step: &StepRun, attempt: &Attempt) -> Vec<(UnixMillis, Tone, Html)> {
    let name = element("strong", "", step.step.name());
    let until = step.until.unwrap_or(attempt.until);
    let (tone, text) = match &step.state {
        StepState::Interrupted => (Tone::Risky, format!(" {}", state_word(step, attempt))),
        StepState::Done { .. } => (Tone::Good, format!(" {}", state_word(step, attempt))),
        StepState::Skipped { reason } => (Tone::Plain, format!(" skipped: {reason}")),
        StepState::Failed { reason } => (Tone::Bad, format!(" {}: {reason}", state_word(step, attempt))),
    };
    let mut told = vec![];
    if step.seconds(attempt.until) >= SHORT {
        told.push((step.at, Tone::Plain, name.clone().and(" begins")));
    }
    told.push((if step.was_done_before() { step.at } else { until }, tone, name.and(prose(&text))));
    told
}
