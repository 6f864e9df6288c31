//! What a comparison of both sides came to.

use super::markup::{Html, Tone, code, element, facts, mark, prose, table};
use crate::report::run::{RunSummary, mode, word};
use crate::report::text::{grouped, per_second, spoken};
use crate::step::{JudgedBy, KeyDifference, SideOfKey, VerifyResult, VerifyVerdict};

pub(super) fn comparison(run: &RunSummary) -> Html {
    let Some(result) = &run.verified else {
        let text = " This run did not compare both sides, or the comparison has not ended.";
        return element("p", "", mark(Tone::Plain, "not compared").and(text)).and(differences(&run.differences, None));
    };
    let tone = match result.verdict() {
        VerifyVerdict::Equal => Tone::Good,
        VerifyVerdict::Different => Tone::Bad,
        VerifyVerdict::Unsettled => Tone::Risky,
    };
    let judged = match result.judged_by {
        JudgedBy::RechecksAlone => "by looking again",
        JudgedBy::AppliedOffset => "by looking again once what the source had written was applied",
    };
    let lead = format!(
        " {} keys compared in {} ({}), {}; what seemed to differ was judged {judged}.",
        grouped(result.keys()),
        spoken(result.seconds),
        per_second(result.keys_per_second(), "keys"),
        mode(result),
    );
    element("p", "", mark(tone, word(result.verdict())).and(lead))
        .and(facts(counts(result)))
        .and(by_type(result))
        .and(foreign(result))
        .and(differences(&run.differences, Some(result)))
}

fn counts(result: &VerifyResult) -> Vec<(&'static str, Html)> {
    let counts = [
        ("keys that differ", result.different),
        ("keys copied again, and equal now", result.repaired),
        ("keys that could not be verified", result.unsettled),
        ("keys whose time was up", result.expired),
        ("keys gone on both sides meanwhile", result.gone),
        ("keys left out by the plan's rules", result.filtered),
        ("keys that existed already and stayed", result.skipped),
    ];
    counts.map(|(name, count)| (name, grouped(count).into())).into()
}

fn by_type(result: &VerifyResult) -> Html {
    let rows = result.counts.iter().map(|count| {
        let db = Html::from(count.db.to_string());
        vec![db, count.kind.as_str().into(), grouped(count.keys).into(), grouped(count.different).into()]
    });
    table("Keys compared, by database at the source and type", &["db", "type", "keys", "differ"], rows.collect())
}

fn foreign(result: &VerifyResult) -> Html {
    let rows = result.foreign.iter().map(|foreign| {
        let example = foreign.example.as_ref().map_or_else(|| Html::from("–"), |key| code(key));
        let db = Html::from(foreign.db.to_string());
        vec![db, grouped(foreign.keys).into(), prose(&foreign.rule.to_string()), example]
    });
    table("Keys at the destination that are somebody else's", &["db", "keys", "why", "such as"], rows.collect())
}

fn differences(found: &[KeyDifference], result: Option<&VerifyResult>) -> Html {
    let side = |side: Option<&SideOfKey>| {
        side.map_or_else(
            || Html::from("not there"),
            |side| {
                Html::from(side.kind.as_str())
                    .and(" ")
                    .and(side.digest.as_ref().map_or_else(Html::none, |one| code(one)))
            },
        )
    };
    let rows = found.iter().map(|found| {
        let kinds: Vec<&str> = found.kinds.iter().map(|kind| kind.name()).collect();
        let repaired = match found.repaired {
            None => Html::none(),
            Some(true) => mark(Tone::Good, "copied again"),
            Some(false) => mark(Tone::Bad, "still differs"),
        };
        let (here, there) = (side(found.source.as_ref()), side(found.destination.as_ref()));
        vec![code(&found.key), found.db.to_string().into(), kinds.join(", ").into(), here, there, repaired]
    });
    let heads = ["key", "db", "what differs", "at the source", "at the destination", "repair"];
    let mut out = table("Keys that differ", &heads, rows.collect());
    let all = result.map_or(0, |result| result.different.saturating_add(result.repaired));
    if let Some(more) = all.checked_sub(found.len() as u64).filter(|more| *more > 0) {
        out.push(element("p", "", format!("…and {} more, all of them in the event log.", grouped(more))));
    }
    out
}
