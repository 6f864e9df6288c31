//! Events as lines of text.

use std::fmt::Write as _;

use crate::report::checks::word;
use crate::report::text::{Clean, byte_rate, grouped, per_second, percentage, says_more, spoken};
use crate::step::{
    Difference, Event, FollowProgress, FullProgress, KeyDifference, Outcome, ServerFacts, Stamped, Verdict,
    VerifyPhase, VerifyProgress, VerifyResult, VerifyVerdict,
};
use crate::unit::{ByteSize, UnixMillis};

/// At most one line of figures, and one about waiting, in this time; milliseconds.
const EVERY: i64 = 10_000;

/// Decides which events become lines.
#[derive(Default)]
pub(super) struct Lines {
    figures_at: Option<UnixMillis>,
    waited_at: Option<UnixMillis>,
}

impl Lines {
    /// The line for an event, with its time; `None` when nothing is to be said.
    pub(super) fn line(&mut self, Stamped { at, event }: &Stamped) -> Option<String> {
        match event {
            // A step that is done within the time needs no figures.
            Event::StepStarted { .. } => (self.figures_at, self.waited_at) = (Some(*at), None),
            Event::Progress { .. } | Event::Following { .. } | Event::VerifyProgress { .. }
                if !is_due(&mut self.figures_at, *at) =>
            {
                return None;
            }
            Event::Waiting { .. } if !is_due(&mut self.waited_at, *at) => return None,
            _ => {}
        }
        let text = match event {
            Event::Progress { progress } => figures(progress),
            Event::Following { progress } => follow_figures(progress),
            Event::VerifyProgress { progress } => verify_figures(progress),
            _ => change(event)?,
        };
        Some(format!("{} {text}", clock(*at)))
    }
}

fn is_due(last: &mut Option<UnixMillis>, now: UnixMillis) -> bool {
    let due = last.is_none_or(|last| now.0.saturating_sub(last.0) >= EVERY);
    if due {
        *last = Some(now);
    }
    due
}

/// Time of day, UTC, without the date.
fn clock(at: UnixMillis) -> String {
    let text = at.to_string();
    text.split_once('T').map_or(text.clone(), |(_, time)| time.get(..8).unwrap_or(time).to_owned())
}

/// What an event that is a change says; `None` for figures.
pub(in crate::report) fn change(event: &Event) -> Option<String> {
    Some(match event {
        Event::Progress { .. } | Event::Following { .. } | Event::VerifyProgress { .. } | Event::Traffic { .. } => {
            return None;
        }
        Event::Server { server } => found(server),
        Event::SettingChanged { setting, was, set_to } => {
            format!("source: `{}` set to `{}`, it was `{}`", Clean(setting), Clean(set_to), Clean(was))
        }
        Event::SettingRestored { setting, was, now } if was == now => {
            format!("source: `{}` is `{}` again", Clean(setting), Clean(now))
        }
        Event::SettingRestored { setting, now, .. } => {
            format!("source: `{}` is `{}`, which somebody else set, and is left so", Clean(setting), Clean(now))
        }
        Event::Differs { difference } => differs(difference),
        Event::Verified { result } => verified(result),
        Event::FollowStarted { offset, .. } => format!("incremental: follows the source from offset {offset}"),
        Event::LinkLost { reason } => format!("the connection to the source is lost: {}", Clean(reason)),
        Event::LinkRestored { offset, .. } => format!("the source continues at offset {offset}"),
        Event::StopMet { condition, offset } => format!("incremental: {} is met at offset {offset}", Clean(condition)),
        Event::CutoverPart { part, offset } => {
            let offset = offset.map_or_else(String::new, |offset| format!(" up to offset {offset}"));
            format!("cutover: {}{offset}", part.name())
        }
        Event::CutoverUndone { part, reason, blocked } => format!(
            "cutover: undone, {} failed: {}; writes were blocked for {}",
            part.name(),
            Clean(reason.trim_end_matches('.')),
            spoken(*blocked)
        ),
        Event::DeadlinesSettled { deadlines, remembered, seconds, fenced } => {
            let still = if *fenced {
                String::new()
            } else {
                format!(", {} keys with near deadlines are remembered", grouped(*remembered))
            };
            format!("deadlines: {} are exact at the destination after {}{still}", grouped(*deadlines), spoken(*seconds))
        }
        Event::Sealed { result } => {
            let proven = match (result.late, result.proven) {
                (0, true) => String::new(),
                (0, false) => "; nothing proves that no write came behind it".to_owned(),
                (late, _) => format!("; commands that came behind it and are not there: {late}"),
            };
            format!(
                "cutover: sealed at offset {}, writes were blocked for {} by {}{proven}",
                result.offset,
                spoken(result.blocked),
                Clean(&result.fence)
            )
        }
        Event::HookRan { moment, program, seconds, failure } => {
            let how =
                failure.as_ref().map_or_else(|| "done".to_owned(), |failure| format!("failed: {}", Clean(failure)));
            format!("hook {moment}: {} {how} after {}", Clean(program), spoken(*seconds))
        }
        Event::AccountRemoved { side, proof } => format!("cleanup: account at the {side} removed: {}", Clean(proof)),
        Event::Ordered { text } => format!("order: {}", Clean(text)),
        Event::RunStarted { run, plan, digest, attempt } => {
            let digest = digest.get(..12).unwrap_or(digest);
            let attempt = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            format!("run {} of {} ({}{attempt})", Clean(run), Clean(plan), Clean(digest))
        }
        Event::StepStarted { step } => format!("{step}: started"),
        Event::StepSkipped { step, reason } => format!("{step}: skipped, {}", Clean(reason)),
        Event::StepDone { step, seconds } => format!("{step}: done in {}", spoken(*seconds)),
        Event::StepFailed { step, reason } => format!("{step}: failed: {}", Clean(reason)),
        Event::Checked { check } => {
            let remedy = match check.verdict {
                Verdict::Pass => String::new(),
                _ => format!(" → {}", Clean(&check.remedy)),
            };
            format!("check: {:<7} {}: {}{remedy}", word(check.verdict), Clean(&check.item), Clean(&check.seen))
        }
        Event::Waiting { step, reason } => format!("{step}: waiting: {}", Clean(reason)),
        Event::DumpStarted { offset, length, .. } => {
            let offset = offset.map_or_else(String::new, |offset| format!(" at offset {offset}"));
            let length = length.map_or_else(String::new, |length| format!(", {}", ByteSize(length)));
            format!("full: the source sends its dump{offset}{length}")
        }
        Event::DumpReceived { bytes, seconds } => {
            let rate = byte_rate(*bytes, *seconds).map_or_else(String::new, |rate| format!(" ({rate})"));
            format!("full: the whole dump is here: {} in {}{rate}", ByteSize(*bytes), spoken(*seconds))
        }
        Event::KeyFailed { failure } => {
            let size = ByteSize(failure.size);
            let (key, kind, reason) = (Clean(&failure.key), Clean(&failure.kind), Clean(&failure.reason));
            format!("key {key} (db {}, {kind}, {size}): {reason}", failure.db)
        }
        Event::Drifted { differences } => side_by_side(differences),
        Event::Notice { text } => format!("note: {}", Clean(text)),
        Event::RunFinished { outcome, code, summary, seconds } => {
            let more = if says_more(*outcome, code) {
                format!(" (`plan explain {}` says more)", Clean(code))
            } else {
                String::new()
            };
            format!("{} after {}: {}{more}", ending(*outcome), spoken(*seconds), Clean(summary))
        }
    })
}

/// What a server is, in a line.
fn found(server: &ServerFacts) -> String {
    let facts = [
        server.version.clone(),
        server.role.clone(),
        server.run_id.as_ref().map(|id| format!("run id {}", id.chars().take(12).collect::<String>())),
        server.eviction.as_ref().map(|policy| format!("maxmemory-policy {policy}")),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    format!("{}: {}", server.side, Clean(&facts.join(", ")))
}

/// What servers were and are, a line each.
fn side_by_side(differences: &[Difference]) -> String {
    let was = differences.iter().map(|one| one.was.chars().count()).max().unwrap_or(0).max(FIRST.len());
    let what = differences.iter().map(|one| one.side.to_string().len() + one.what.len() + 1).max().unwrap_or(0);
    let mut out = format!("drift:  {:what$}  {FIRST:was$}  now", "");
    for one in differences {
        let name = format!("{} {}", one.side, one.what);
        let word = if one.refused { "refused" } else { "note" };
        let (then, now) = (Clean(&one.was).to_string(), Clean(&one.now).to_string());
        _ = write!(out, "\n         drift:  {name:what$}  {then:was$}  {now}  ({word})");
    }
    out
}

/// The heading over what a server was.
const FIRST: &str = "when the run began";

/// The figures of the full copy in a line.
pub(super) fn figures(progress: &FullProgress) -> String {
    let mut parts = vec![];
    let of_total = progress.total.map_or_else(String::new, |total| format!(" of {}", ByteSize(total)));
    let share = percentage(progress.applied, progress.total).map_or_else(String::new, |share| format!(" ({share})"));
    parts.push(format!("full: {}{of_total}{share}", ByteSize(progress.applied)));
    parts.push(format!("{} keys", grouped(progress.keys)));
    parts.push(per_second(progress.keys_per_second, "keys"));
    parts.extend(progress.eta.map(|eta| format!("{} left", spoken(eta))));
    if progress.failed > 0 {
        parts.push(format!("{} failed", grouped(progress.failed)));
    }
    parts.join(", ")
}

/// The figures of following in a line.
pub(super) fn follow_figures(progress: &FollowProgress) -> String {
    let behind = progress.lag.map_or_else(
        || "how far behind is not known".to_owned(),
        |lag| format!("{} bytes and {} behind", grouped(lag.bytes), spoken(lag.seconds)),
    );
    let rate = per_second(progress.commands_per_second, "commands");
    let failed = if progress.failed > 0 { format!(", {} reported", grouped(progress.failed)) } else { String::new() };
    format!("incremental: {behind}, applied up to offset {}, {rate}{failed}", progress.applied)
}

/// The figures of a comparison in a line.
pub(super) fn verify_figures(progress: &VerifyProgress) -> String {
    let doing = match progress.phase {
        VerifyPhase::Choosing => "choosing keys",
        VerifyPhase::Comparing => "comparing",
        VerifyPhase::Extra => "looking for keys that only the destination has",
        VerifyPhase::Rechecking => "looking again at what seemed to differ",
    };
    let share = percentage(progress.looked_at, Some(progress.total)).unwrap_or_default();
    let mut parts = vec![format!("verify: {doing} {share}").trim_end().to_owned()];
    parts.push(format!("{} keys compared", grouped(progress.keys)));
    parts.push(per_second(progress.per_second, "names"));
    parts.extend(progress.eta.map(|eta| format!("{} left", spoken(eta))));
    if progress.different > 0 {
        parts.push(format!("{} differ", grouped(progress.different)));
    }
    parts.join(", ")
}

fn differs(KeyDifference { db, key, kinds, repaired, .. }: &KeyDifference) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let repaired = match repaired {
        None => "",
        Some(true) => ": copied again, and equal now",
        Some(false) => ": copied again, and it still differs",
    };
    format!("differs: {} (db {db}): {}{repaired}", Clean(key), kinds.join(", "))
}

fn verified(result: &VerifyResult) -> String {
    let verdict = match result.verdict() {
        VerifyVerdict::Equal => "both sides are equal",
        VerifyVerdict::Different => "both sides differ",
        VerifyVerdict::Unsettled => "some keys could not be verified",
    };
    format!(
        "verify: {verdict}: {} keys compared, {} differ, {} unsettled, {} expired, {}",
        grouped(result.keys()),
        grouped(result.different),
        grouped(result.unsettled),
        grouped(result.expired),
        per_second(result.keys_per_second(), "keys")
    )
}

const fn ending(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Different => "different",
        Outcome::Failed => "failed",
        Outcome::Held => "held",
        Outcome::Locked => "locked by another runner",
        Outcome::Stale => "stale",
        Outcome::Sealed => "sealed",
        Outcome::Stopped => "stopped, run the same command to resume",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::step::StepId;

    #[test]
    fn a_run_in_lines() {
        let mut lines = Lines::default();
        let shown: Vec<String> = sample::events().iter().filter_map(|event| lines.line(event)).collect();
        insta::assert_snapshot!("lines", shown.join("\n"));
    }

    #[test]
    fn waiting_is_told_at_once_and_then_every_ten_seconds() {
        let mut lines = Lines::default();
        let shown = (0..25).filter(|second| {
            let event = Event::Waiting { step: StepId::Full, reason: format!("{second} s") };
            lines.line(&Stamped { at: sample::at(second * 1000), event }).is_some()
        });
        assert_eq!(shown.count(), 3);
    }

    #[test]
    fn figures_come_at_most_every_ten_seconds() {
        let mut lines = Lines::default();
        let shown = (0..100).filter(|second| {
            let event = Stamped { at: sample::at(second * 1000), event: sample::progress(1, 1, 1, 1.0, None) };
            lines.line(&event).is_some()
        });
        assert_eq!(shown.count(), 10);
    }
}
