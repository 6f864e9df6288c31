//! What both servers must agree on.

use super::{finding::Finding, sample::KeyspaceSample, scene::CheckInput, server::CheckedServer};
use crate::{
    command::{self, Class},
    step::{OnUnsupported, Work},
    unit::ByteSize,
};

/// Two names of one server.
pub(super) fn distinct(source: &CheckedServer, destination: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    match (source.info.run_id(), destination.info.run_id()) {
        (Some(one), Some(other)) if one == other => {
            let remedy = "The run would read what it writes. Check which of the two urls was copied and not changed.";
            Finding::fail("both urls lead to the same server", remedy)
        }
        (Some(_), Some(_)) => {
            let of_source = source.info.replid();
            if destination.info.get("role") == Some("slave") && of_source == destination.info.replid() {
                let remedy =
                    "The destination replicates from the source and is read-only. Run `REPLICAOF NO ONE` on it first.";
                return Finding::fail("the destination is a replica in the source's own chain", remedy);
            }
            Finding::pass("two servers")
        }
        _ => Finding::unknown("one of them does not show its run id", "Make sure that the urls lead to two servers."),
    }
}

/// Expiries are absolute, so clocks that differ end lives early or late.
pub(super) fn clocks(source: &CheckedServer, destination: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    apart(source.clock_ahead, destination.clock_ahead)
}

/// How far two clocks are apart that are so far ahead of ours.
fn apart(source: Option<i64>, destination: Option<i64>) -> Finding {
    let (Some(one), Some(other)) = (source, destination) else {
        return Finding::unknown("TIME is not answered", "Expiries are judged by each server's own clock.");
    };
    let apart = one.saturating_sub(other).unsigned_abs();
    if apart < 1000 {
        return Finding::pass(format!("{apart} ms apart"));
    }
    let remedy = "Keys with a time to live end by the destination's clock: synchronise the clocks.";
    Finding::warn(format!("{:.1} s apart", std::time::Duration::from_millis(apart).as_secs_f64()), remedy)
}

/// Values of a module need it on both sides.
pub(super) fn modules(source: &CheckedServer, destination: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(here) = &source.modules else {
        if !source.version().has_redis((4, 0)) {
            return Finding::pass("the source knows no modules");
        }
        let remedy =
            "Values of modules need the module at the destination: `ACL SETUSER <user> +module|list` lets us ask.";
        return Finding::unknown("the source does not list its modules", remedy).at(source.user_place());
    };
    if here.is_empty() {
        return Finding::pass("the source has none");
    }
    if let Some(finding) = search_indexes(source, scene) {
        return finding;
    }
    let missing = missing_modules(source, destination);
    if missing.is_empty() {
        return Finding::pass(format!("{}, on both sides", here.join(", ")));
    }
    let seen = format!("missing at the destination: {}", missing.join(", "));
    values_of_modules(seen, scene.from.sample.as_ref(), fails_on_unsupported(scene))
}

/// What a module keeps outside of keys is not copied: search indexes have names.
fn search_indexes(source: &CheckedServer, scene: &CheckInput<'_>) -> Option<Finding> {
    let remedy = "Create them at the destination with `FT.CREATE` (`FT.INFO` shows how each is made), and write \
                  `on_unsupported: report`, so that they are listed and left out.";
    let Some(indexes) = &source.indexes else {
        let seen = "the source does not list its search indexes (`FT._LIST`), and none is copied";
        return Some(Finding::unknown(seen, remedy).at(source.user_place()));
    };
    let seen = match indexes.as_slice() {
        [] => return None,
        [one] => format!("the source has the search index `{one}`, which is not copied"),
        several => {
            format!("the source has {} search indexes, which are not copied: {}", several.len(), several.join(", "))
        }
    };
    let finding = if fails_on_unsupported(scene) { Finding::fail(seen, remedy) } else { Finding::warn(seen, remedy) };
    Some(finding.at("on_unsupported"))
}

/// Modules of the source that the destination does not list.
pub(super) fn missing_modules<'a>(source: &'a CheckedServer, destination: &CheckedServer) -> Vec<&'a str> {
    let there = destination.modules.as_deref().unwrap_or_default();
    let here = source.modules.iter().flatten();
    here.filter(|name| !there.contains(name)).map(String::as_str).collect()
}

/// Whether values are in the way that only a module which is missing there can hold.
fn values_of_modules(missing: String, sample: Option<&KeyspaceSample>, fails: bool) -> Finding {
    let remedy = "Load the module at the destination; or write `on_unsupported: report`, so that keys with its values are listed \
                  and left out.";
    let Some(sample) = sample else { return Finding::warn(missing, remedy).at("on_unsupported") };
    let met: Vec<String> = sample.of_modules.iter().map(|(kind, keys)| format!("{keys} of type `{kind}`")).collect();
    let looked = format!("{} keys looked at", sample.keys);
    match (met.is_empty(), sample.all) {
        (true, true) => Finding::pass(format!("{missing}; no key has a value of a module")),
        (true, false) => Finding::warn(format!("{missing}; none of the {looked} has a value of a module"), remedy)
            .at("on_unsupported"),
        (false, _) => {
            let seen = format!("{missing}; of the {looked} {}", met.join(", "));
            if fails { Finding::fail(seen, remedy) } else { Finding::warn(seen, remedy) }.at("on_unsupported")
        }
    }
}

fn fails_on_unsupported(scene: &CheckInput<'_>) -> bool {
    scene
        .graph
        .steps
        .iter()
        .any(|step| matches!(&step.work, Work::Full(work) if work.on_unsupported == OnUnsupported::Fail))
}

/// Function libraries are part of the dump.
pub(super) fn functions(source: &CheckedServer, destination: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    if !source.version().has_redis((7, 0)) {
        // Release candidates of 7.0 keep functions in a form that no release loads.
        return match source.functions.as_deref().unwrap_or_default() {
            [] => Finding::pass("the source knows no functions"),
            names => early_functions(names, scene),
        };
    }
    let Some(here) = &source.functions else {
        let remedy = "Libraries of functions move too: `ACL SETUSER <user> +function|list` lets us ask.";
        return Finding::unknown("the source does not list its functions", remedy).at(source.user_place());
    };
    if here.is_empty() {
        return Finding::pass("the source has none");
    }
    let names = here.join(", ");
    if !destination.version().has_redis((7, 0)) {
        let seen = format!("{} knows no functions; the source has {names}", destination.version());
        let remedy = "They cannot be held there. Without them the rest moves with `on_unsupported: report`.";
        let finding =
            if fails_on_unsupported(scene) { Finding::fail(seen, remedy) } else { Finding::warn(seen, remedy) };
        return finding.at("on_unsupported");
    }
    let there = destination.functions.as_deref().unwrap_or_default();
    let same: Vec<&str> = here.iter().filter(|name| there.contains(name)).map(String::as_str).collect();
    if !same.is_empty() && !scene.begun {
        let seen = format!("the destination has libraries of the same name: {}", same.join(", "));
        return Finding::warn(seen, "`on_conflict` decides about them as about keys of the same name.")
            .at("on_conflict");
    }
    Finding::pass(names)
}

fn early_functions(names: &[String], scene: &CheckInput<'_>) -> Finding {
    let seen = format!("functions in the form of a 7.0 release candidate are not copied: {}", names.join(", "));
    let remedy = "Load them at the destination from their source, with a first line `#!lua name=...`, and write \
                  `on_unsupported: report`, so that they are listed and left out.";
    let finding = if fails_on_unsupported(scene) { Finding::fail(seen, remedy) } else { Finding::warn(seen, remedy) };
    finding.at("on_unsupported")
}

/// The longest string that the server takes.
pub(super) fn longest_string(server: &CheckedServer) -> Option<u64> {
    let known = server.settings.refused.is_none();
    server.settings.number("proto-max-bulk-len").filter(|limit| *limit > 0).or(known.then_some(512 << 20))
}

/// Strings that are longer than the destination lets any be.
pub(super) fn large_values(source: &CheckedServer, destination: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(limit) = longest_string(destination) else {
        return Finding::unknown("the destination does not show its limit", "Strings up to 512 MiB usually fit.");
    };
    let limit = ByteSize(limit);
    let remedy = "Longer strings are refused there, from any client: `CONFIG SET proto-max-bulk-len` at the destination to \
                  what the source has, before the run starts.";
    if let Some(theirs) = longest_string(source).filter(|theirs| scene.follows() && *theirs > limit.0) {
        let seen = format!("the source takes strings up to {}, the destination up to {limit}", ByteSize(theirs));
        return Finding::warn(seen, remedy);
    }
    if let Some(finding) = transactions(source, destination).filter(|_| scene.follows()) {
        return finding;
    }
    let Some(sample) = &scene.from.sample else {
        return Finding::pass(format!("none can be near the destination's {limit}"));
    };
    let looked = if sample.all { "all" } else { "some" };
    match &sample.largest {
        Some(large) if large.size > limit => {
            let seen = format!("`{}` in database {} has {}, more than {limit}", large.key, large.db, large.size);
            Finding::fail(seen, remedy)
        }
        Some(large) if large.size.0 > limit.0 / 2 => {
            let seen = format!("`{}` in database {} has {}, near to {limit}", large.key, large.db, large.size);
            Finding::warn(seen, remedy)
        }
        _ => Finding::pass(format!("none near {limit} among {looked} keys ({} looked at)", sample.keys)),
    }
}

/// A transaction arrives whole: the destination must take as much at once as the source does.
fn transactions(source: &CheckedServer, destination: &CheckedServer) -> Option<Finding> {
    let [theirs, limit] = [source, destination].map(most_input);
    let (theirs, limit) = (theirs?, limit?);
    if theirs <= limit {
        return None;
    }
    let seen = format!(
        "the source takes up to {} of a client at once (`client-query-buffer-limit`), the destination up to {}",
        ByteSize(theirs),
        ByteSize(limit)
    );
    let remedy = "A larger transaction of the stream ends the run: `CONFIG SET client-query-buffer-limit` at the destination \
                  to what the source has, before the run starts.";
    Some(Finding::warn(seen, remedy))
}

/// The most unfinished input of a client that the server takes.
fn most_input(server: &CheckedServer) -> Option<u64> {
    let known = server.settings.refused.is_none();
    server.settings.number("client-query-buffer-limit").filter(|limit| *limit > 0).or(known.then_some(1 << 30))
}

/// What is rewritten by every source before it is sent, or by us for a destination that does not know it.
const REWRITTEN: [&str; 16] = [
    "UNLINK",
    "GETDEL",
    "DELEX",
    "DELIFEQ",
    "HGETDEL",
    "LMOVE",
    "ZPOPMIN",
    "ZPOPMAX",
    "XDELEX",
    "XACKDEL",
    "GETEX",
    "HGETEX",
    "LMPOP",
    "ZMPOP",
    "XREADGROUP",
    "XAUTOCLAIM",
];

/// Commands that the source's stream may bring and the destination does not know.
pub(super) fn commands(source: &CheckedServer, destination: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    let (Some(here), Some(there)) = (&source.commands, &destination.commands) else {
        let remedy = "A command of the stream that the destination does not know ends the run, or is left out.";
        return Finding::unknown("one of them does not list its commands", remedy).at(destination.user_place());
    };
    let rewritten = |name: &str| {
        let spec = command::find(name.as_bytes());
        REWRITTEN.contains(&name)
            || spec.is_some_and(|spec| matches!(spec.class, Class::Blocking | Class::Housekeeping))
    };
    let unknown = here.iter().filter(|(name, writes)| **writes && !there.contains_key(*name)).map(|(name, _)| name);
    let unknown: Vec<&String> = unknown.filter(|name| !rewritten(&name.to_ascii_uppercase())).collect();
    let used: Vec<String> =
        unknown.iter().filter(|name| source.called(name) > 0).map(|name| name.to_ascii_uppercase()).collect();
    if !used.is_empty() {
        let remedy = "The source has been asked for these since its start, and the destination does not know them: with \
                      `on_unsupported: fail` the run ends at the first one, with `report` it is left out and listed.";
        return Finding::warn(format!("unknown there: {}", used.join(", ")), remedy).at("on_unsupported");
    }
    match unknown.len() {
        0 => Finding::pass("the destination knows every command that the source can write with"),
        count => Finding::pass(format!("{count} are not known there, and the source has used none of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Verdict;

    #[test]
    fn clocks_may_be_a_moment_apart() {
        let check = |one, other| apart(one, other).check("clocks", "destination.url");
        assert_eq!(check(Some(-300), Some(400)).verdict, Verdict::Pass);
        let late = check(Some(90_000), Some(-2_500));
        assert_eq!((late.verdict, late.seen.as_str(), late.code.as_str()), (Verdict::Warn, "92.5 s apart", "C301"));
        assert_eq!(check(Some(i64::MIN), Some(i64::MAX)).verdict, Verdict::Warn);
        assert_eq!(check(None, Some(0)).verdict, Verdict::Unknown);
    }
}
