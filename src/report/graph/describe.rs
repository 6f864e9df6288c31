//! What a step does, in words: one place for the preview, the drawings and the report.

use std::path::PathBuf;

use crate::report::text::Clean;
use crate::step::{
    BufferWork, CleanupWork, Condition, CutoverMode, CutoverWork, DbRule, DbSource, DeadlineEnd, DestinationExpect,
    Endpoint, Fence, FullWork, IncrementalWork, KeyPattern, Limits, OnConflict, OnStreamLost, OnUnsupported, Plaintext,
    PrecheckWork, Removal, Selection, SourceExpect, Step, VerifyMode, VerifyWork, WhenMet, Work,
};
use crate::unit::TlsFiles;

/// A step in words.
pub(in crate::report) struct Description {
    /// What it does, in a clause.
    pub(in crate::report) does: &'static str,
    /// Its parameters: name and value.
    pub(in crate::report) facts: Vec<(&'static str, String)>,
    /// What only running it will show.
    pub(in crate::report) not_known: &'static [&'static str],
}

pub(in crate::report) fn describe(step: &Step) -> Description {
    match &step.work {
        Work::Buffer(work) => buffer(work),
        Work::Precheck(work) => precheck(work),
        Work::Full(work) => full(work),
        Work::Incremental(work) => incremental(work),
        Work::Verify(work) => verify(work),
        Work::Cutover(work) => cutover(work),
        Work::Cleanup(work) => cleanup(work),
    }
}

fn buffer(work: &BufferWork) -> Description {
    let (does, limit) = if work.unlimited {
        ("raises the source's output-buffer limit for replicas", "unlimited while the run lasts, then as it was")
    } else {
        ("reads and records the source's output-buffer limit for replicas", "left as it is")
    };
    Description { does, facts: vec![("limit", limit.to_owned())], not_known: &["the limit that is set now"] }
}

fn precheck(work: &PrecheckWork) -> Description {
    let mut facts = vec![];
    facts.extend(joined(&source_expect(&work.source)).map(|text| ("source", text)));
    facts.extend(joined(&destination_expect(&work.destination)).map(|text| ("destination", text)));
    facts.extend(keys(&work.selection));
    facts.push(("on conflict", on_conflict(work.on_conflict).to_owned()));
    facts.push(("spool room", format!("up to {}", work.limits.spool)));
    Description {
        does: "checks both servers before anything is copied",
        facts,
        not_known: &["versions, roles and permissions of both servers", "what the destination holds already"],
    }
}

fn incremental(work: &IncrementalWork) -> Description {
    let mut facts = keys(&work.selection);
    conditions(&work.stop, 0, &mut facts);
    if let Some(deadline) = work.deadline {
        let then = match deadline.then {
            DeadlineEnd::Hold => "continues to follow until an operator decides",
            DeadlineEnd::Fail => "fails",
        };
        facts.push(("deadline", format!("after {}, then the run {then}", deadline.after)));
    }
    let then = match work.then {
        WhenMet::Drain => "applies what the source has written by then, and ends",
        WhenMet::Hold => "continues to follow until an operator cuts over",
    };
    facts.push(("then", then.to_owned()));
    let whole = "belong to the run: FLUSHALL, FLUSHDB and SWAPDB of the source act on all keys there";
    facts.push(("databases", whole.to_owned()));
    facts.push(("on unsupported", on_unsupported(work.on_unsupported).to_owned()));
    facts.extend(limits(&work.limits));
    Description {
        does: "applies what the source writes from the dump on, in order, each command exactly once",
        facts,
        not_known: &["when the stop condition is met", "which commands the source's clients use"],
    }
}

/// One line a condition, lists with what is in them indented below.
fn conditions(condition: &Condition, depth: usize, facts: &mut Vec<(&'static str, String)>) {
    let name = if depth == 0 { "until" } else { "" };
    facts.push((name, format!("{}{condition}", "  ".repeat(depth))));
    if let Condition::Any(inner) | Condition::All(inner) = condition {
        for condition in inner {
            conditions(condition, depth + 1, facts);
        }
    }
}

fn full(work: &FullWork) -> Description {
    let mut facts = keys(&work.selection);
    facts.push(("on conflict", on_conflict(work.on_conflict).to_owned()));
    facts.push(("on unsupported", on_unsupported(work.on_unsupported).to_owned()));
    if work.on_stream_lost == OnStreamLost::Recopy {
        let text = "recopy: what is at the destination is deleted and copied again, unless the source lost its data";
        facts.push(("on stream lost", text.to_owned()));
    }
    facts.extend(limits(&work.limits));
    Description {
        does: "takes the source's dump as a replica would and writes its keys to the destination",
        facts,
        not_known: &[
            "how much data there is, and how long it takes",
            "which values the destination cannot hold",
            "which writes the source gets after the dump begins: this step does not copy them",
        ],
    }
}

fn cutover(work: &CutoverWork) -> Description {
    let starts = match work.mode {
        CutoverMode::Manual => "when an operator runs `plan cutover`",
        CutoverMode::Auto => "by itself when the stop condition is met",
    };
    let fence = match &work.fence {
        Fence::ClientPause => "CLIENT PAUSE at the source".to_owned(),
        Fence::MinReplicas => "min-replicas-to-write at the source; before Redis 7 scripts get through".to_owned(),
        Fence::None => "none: nothing guarantees that no write is lost".to_owned(),
        Fence::Hook(hook) => format!("`{}`, undone by `{}`", program(&hook.run), program(&hook.undo)),
    };
    Description {
        does: "blocks writes at the source, applies the last of them, and seals the destination",
        facts: vec![
            ("starts", format!("{starts}, with a lag of at most {}", work.max_lag)),
            ("fence", fence),
            (
                "undone",
                format!(
                    "if not sealed within {}: clients write to the source again and replication continues",
                    work.timeout
                ),
            ),
        ],
        not_known: &["how long writes are blocked"],
    }
}

fn program(argv: &[String]) -> String {
    Clean(&argv.join(" ")).to_string()
}

fn verify(work: &VerifyWork) -> Description {
    let compared = match work.mode {
        VerifyMode::Keys => "every key's existence, type and expiry".to_owned(),
        VerifyMode::Sample { keys } => {
            format!("{keys} keys of all types and databases, chosen at random, each element")
        }
        VerifyMode::Full => "every element of every key".to_owned(),
    };
    let mut facts = vec![("compared", compared)];
    facts.extend(keys(&work.selection));
    let rate = work.rate.map_or_else(|| "as fast as both servers answer".to_owned(), |rate| rate.to_string());
    facts.push(("rate", rate));
    facts.push(("on difference", "the run fails, and every key is listed".to_owned()));
    Description { does: "compares both sides", facts, not_known: &["whether both sides are equal"] }
}

fn cleanup(work: &CleanupWork) -> Description {
    let mut facts = vec![("run record", kept(work))];
    facts.extend(work.accounts.iter().map(|account| {
        let how = match &account.removal {
            Removal::User(user) => format!("user {} is deleted, and proved deleted", Clean(user)),
            Removal::Run(argv) => format!("removed by `{}`", program(argv)),
        };
        ("account", format!("{}: {how}", account.side))
    }));
    Description {
        does: "puts back what the run changed and closes its record at the destination",
        facts,
        not_known: &[],
    }
}

fn kept(work: &CleanupWork) -> String {
    work.keep_run_record.map_or_else(|| "kept for ever".to_owned(), |keep| format!("kept for {keep}"))
}

/// What a plan expects, as it says it.
fn source_expect(expect: &SourceExpect) -> Vec<String> {
    let version = expect.version.as_ref().map(|range| format!("version {range}"));
    let role = expect.role.as_ref().map(|role| format!("role {}", name(role)));
    version.into_iter().chain(role).collect()
}

fn destination_expect(expect: &DestinationExpect) -> Vec<String> {
    let parts = [
        expect.version.as_ref().map(|range| format!("version {range}")),
        expect.eviction.as_ref().map(|policy| format!("eviction {}", name(policy))),
        expect.empty.map(|empty| if empty { "empty".to_owned() } else { "not empty".to_owned() }),
        expect.free_memory.map(|share| format!("free memory at least {share} of what the source uses")),
    ];
    parts.into_iter().flatten().collect()
}

/// The word a plan has for it.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn joined(parts: &[String]) -> Option<String> {
    (!parts.is_empty()).then(|| format!("must be: {}", parts.join(", ")))
}

fn keys(selection: &Selection) -> Vec<(&'static str, String)> {
    selection.rules.iter().map(|rule| ("keys", rule_in_words(rule))).collect()
}

fn rule_in_words(rule: &DbRule) -> String {
    let mut text = match (rule.from, rule.to) {
        (DbSource::All, None) => "every database, numbers kept".to_owned(),
        (DbSource::All, Some(to)) => format!("every database → {to}"),
        (DbSource::One(from), None) => format!("database {from}"),
        (DbSource::One(from), Some(to)) => format!("database {from} → {to}"),
    };
    for (word, patterns) in [("only", &rule.include), ("not", &rule.exclude)] {
        if !patterns.is_empty() {
            text = format!("{text}, {word} {}", list(patterns));
        }
    }
    text
}

fn list(patterns: &[KeyPattern]) -> String {
    let shown: Vec<String> = patterns.iter().map(|pattern| Clean(&pattern.0).to_string()).collect();
    shown.join(" ")
}

const fn on_conflict(policy: OnConflict) -> &'static str {
    match policy {
        OnConflict::Fail => "fail: stop at the first key that already exists",
        OnConflict::Skip => "skip: keys that exist already stay as they are and are reported",
        OnConflict::Replace => "replace: keys that exist already are overwritten",
    }
}

const fn on_unsupported(policy: OnUnsupported) -> &'static str {
    match policy {
        OnUnsupported::Fail => "fail: a value that the destination cannot hold ends the run",
        OnUnsupported::Report => "report: values that the destination cannot hold are left out and reported",
    }
}

fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    let unlimited = || "unlimited".to_owned();
    let by_distance = || format!("up to {}, by the destination's distance", Limits::MOST_CONNECTIONS);
    vec![
        ("bandwidth", limits.bandwidth.map_or_else(unlimited, |rate| rate.to_string())),
        ("writes", limits.writes.map_or_else(unlimited, |rate| rate.to_string())),
        ("connections", limits.connections.map_or_else(by_distance, |count| count.to_string())),
        ("spool", format!("up to {}", limits.spool)),
        ("in chunks", format!("values above {}", limits.chunk_above)),
    ]
}

/// A server and how it is signed in to.
pub(in crate::report) fn endpoint(endpoint: &Endpoint) -> String {
    let mut text = Clean(&endpoint.address.to_string()).to_string();
    if let Some(files) = &endpoint.tls {
        text = format!("{text} over TLS{}", tls(files));
    }
    if let Some(user) = &endpoint.username {
        text = format!("{text}, user {}", Clean(user));
    }
    if let Some(password) = &endpoint.password {
        text = format!("{text}, password from {}", Clean(&password.to_string()));
    }
    if let Some(Plaintext::Accepted) = endpoint.plaintext {
        text.push_str(", in plain text (accepted)");
    }
    text
}

fn tls(files: &TlsFiles) -> String {
    let path = |path: &PathBuf| Clean(&path.display().to_string()).to_string();
    let facts = [
        files.ca.as_ref().map(|ca| format!("trusting {}", path(ca))),
        files.cert.as_ref().map(|cert| format!("showing {}", path(cert))),
        files.crl.as_ref().map(|crl| format!("revoked as in {}", path(crl))),
        files.server_name.as_ref().map(|name| format!("expecting the name {}", Clean(name))),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) }
}
