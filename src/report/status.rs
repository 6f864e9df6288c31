//! How a run stands, for people and programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    run::{RunSummary, outcome_word},
    text::{Clean, grouped, per_second, percentage, spoken, whole},
};
use crate::step::{Activity, FollowProgress, FullProgress, SettlingForecast, Status};
use crate::unit::{ByteRate, ByteSize, CountRate};

/// How a run stands that a process works on.
pub fn status_text(status: &Status) -> String {
    let step = status.step.map_or("starting", |step| step.name());
    let mut out = format!(
        "{}  {} ({step}), run {}, process {}\n",
        Clean(&status.plan),
        activity(status.activity),
        Clean(&status.run),
        status.pid
    );
    let mut rows: Vec<(&str, String)> = vec![];
    if let Some(full) = &status.full {
        rows.extend(full_rows(full));
    }
    if let Some(following) = &status.following {
        rows.extend(follow_rows(following, status.full.is_some()));
    }
    rows.extend(status.reasons.iter().map(|reason| ("because", Clean(reason).to_string())));
    if let Some(seconds) = status.backlog_lasts {
        rows.push(("backlog", format!("would bridge a lost connection for {}", spoken(seconds))));
    }
    rows.extend(status.settling.iter().map(|settling| ("deadlines", deadlines(settling))));
    rows.push(("spool", spool(status)));
    rows.push(("limits", limits(status)));
    rows.extend(status.conditions.iter().enumerate().map(|(index, condition)| {
        let stands =
            if condition.stands.is_empty() { String::new() } else { format!(": {}", Clean(&condition.stands)) };
        let mark = if condition.met { 'x' } else { ' ' };
        let indent = "  ".repeat(usize::try_from(condition.depth).unwrap_or(0).min(16));
        (if index == 0 { "stop" } else { "" }, format!("{indent}[{mark}] {}{stands}", Clean(&condition.text)))
    }));
    rows.push(("cutover", cutover(status)));
    let mut last = "";
    for (name, value) in rows {
        let shown = if name == last { "" } else { name };
        _ = writeln!(out, "  {shown:<9} {value}");
        last = name;
    }
    out
}

/// How a run stands that no process works on here.
pub fn idle_text(plan: &str, run: &RunSummary) -> String {
    let ended = run.attempts.last().and_then(|attempt| attempt.ending.as_ref());
    let how = ended.map_or_else(
        || "The last process was killed or crashed: run `plan apply` again to resume.".to_owned(),
        |ending| format!("{} at {}: {}", outcome_word(ending.outcome), ending.at, Clean(&ending.summary)),
    );
    let id = run.run.as_deref().unwrap_or("none");
    format!("{}  not running on this host (run {})\n  ended     {how}\n", Clean(plan), Clean(id))
}

/// [`status_text`] as one JSON object: the fields of [`Status`] and `running`.
pub fn status_json(status: &Status) -> Value {
    let mut value = json!(status);
    value["running"] = json!(true);
    value
}

/// [`idle_text`] as one JSON object.
pub fn idle_json(plan: &str, run: &RunSummary) -> Value {
    let ended = run.attempts.last().and_then(|attempt| attempt.ending.as_ref());
    json!({
        "format": 1,
        "plan": plan,
        "running": false,
        "run": run.run,
        "digest": run.digest,
        "ended": ended,
        "full": run.progress,
        "following": run.following,
    })
}

const fn activity(activity: Activity) -> &'static str {
    match activity {
        Activity::Preparing => "getting ready",
        Activity::Copying => "copying the dump",
        Activity::Following => "following the source",
        Activity::Paused => "paused: it receives and does not write",
        Activity::Draining => "applying the last of the stream",
        Activity::CuttingOver => "cutting over: writes at the source are blocked",
        Activity::Holding => "following the source and waiting for an operator",
        Activity::Settling => "making deadlines at the destination exact",
        Activity::Verifying => "comparing both sides",
        Activity::CleaningUp => "cleaning up",
    }
}

fn full_rows(full: &FullProgress) -> Vec<(&'static str, String)> {
    let share = percentage(full.applied, full.total).map_or_else(String::new, |share| format!(" ({share})"));
    let of = full.total.map_or_else(String::new, |total| format!(" of {}", ByteSize(total)));
    let eta = full.eta.map_or_else(String::new, |eta| format!(", {} left", spoken(eta)));
    let rate = per_second(full.keys_per_second, "keys");
    vec![
        ("dump", format!("{}{of}{share} applied, {} received", ByteSize(full.applied), ByteSize(full.received))),
        ("keys", format!("{}, {rate}{eta}", grouped(full.keys))),
    ]
}

/// `before` says that the stream is only received so far.
fn follow_rows(following: &FollowProgress, before: bool) -> Vec<(&'static str, String)> {
    if before {
        return vec![("stream", format!("received up to offset {}, not applied yet", following.received))];
    }
    let lag = following.lag.map_or_else(
        || "not known: the source is not connected or does not answer".to_owned(),
        |lag| format!("{} bytes, {}", grouped(lag.bytes), spoken(lag.seconds)),
    );
    let source = following.source.map_or_else(|| "?".to_owned(), |offset| offset.to_string());
    vec![
        ("lag", lag),
        ("offsets", format!("applied {}, received {}, the source's {source}", following.applied, following.received)),
        ("stream", format!("{}/s from the source", ByteSize(whole(following.bytes_per_second)))),
        ("commands", commands(following)),
    ]
}

/// What was applied, left out and reported.
pub(super) fn commands(following: &FollowProgress) -> String {
    let mut text =
        format!("{}, {}", grouped(following.commands), per_second(following.commands_per_second, "commands"));
    for (count, word) in [(following.filtered, "left out by rule"), (following.failed, "reported")] {
        if count > 0 {
            _ = write!(text, ", {} {word}", grouped(count));
        }
    }
    text
}

/// How long making deadlines exact will take.
fn deadlines(settling: &SettlingForecast) -> String {
    let about = if settling.measured { "" } else { " (not measured yet)" };
    let under = match settling.remembered {
        Some(remembered) => format!("{} under it for {} keys", spoken(settling.under_fence), grouped(remembered)),
        None => format!("{} under it at most", spoken(settling.under_fence)),
    };
    let of =
        settling.timeout.map_or_else(String::new, |timeout| format!(", of {} (`cutover.timeout`)", spoken(timeout)));
    format!(
        "{} deferred; exact in about {} before the fence and {under}{of}{about}",
        grouped(settling.deadlines),
        spoken(settling.before_fence)
    )
}

fn spool(status: &Status) -> String {
    let held = status.following.as_ref().map_or(ByteSize(0), |following| following.spooled);
    let lasts = status.spool_lasts.map_or_else(String::new, |seconds| format!(", full in {}", spoken(seconds)));
    format!("{held} of {}{lasts}", status.spool_limit)
}

fn limits(status: &Status) -> String {
    let writes = status.writes.map_or_else(|| "unlimited".to_owned(), |rate: CountRate| rate.to_string());
    let bandwidth = status.bandwidth.map_or_else(|| "unlimited".to_owned(), |rate: ByteRate| rate.to_string());
    format!("writes {writes}, bandwidth {bandwidth}")
}

fn cutover(status: &Status) -> String {
    if status.can_cutover {
        return "ready".to_owned();
    }
    let blockers: Vec<String> = status.blockers.iter().map(|blocker| Clean(blocker).to_string()).collect();
    format!("blocked: {}", blockers.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run_that_follows_says_all_that_an_operator_asks() {
        insta::assert_snapshot!("following", status_text(&sample::status()));
    }

    #[test]
    fn a_run_that_copies_shows_the_copy() {
        let mut status = sample::status();
        (status.activity, status.step) = (Activity::Copying, Some(crate::step::StepId::Full));
        (status.conditions, status.can_cutover) = (vec![], false);
        status.blockers = vec!["the run does not follow the source yet".to_owned()];
        status.backlog_lasts = None;
        let crate::step::Event::Progress { progress } =
            sample::progress(60_000_000, 41_000_000, 410_000, 84_000.0, Some(7.3))
        else {
            return;
        };
        status.full = Some(progress);
        insta::assert_snapshot!("copying", status_text(&status));
    }

    #[test]
    fn a_run_that_nobody_works_on_says_how_it_ended() {
        let events = sample::events();
        insta::assert_snapshot!("idle", idle_text("cart-prod", &RunSummary::of(&events)));
        assert_eq!(idle_json("cart-prod", &RunSummary::of(&events))["running"], false);
        assert_eq!(status_json(&sample::status())["running"], true);
    }
}
