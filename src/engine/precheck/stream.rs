//! Whether the source keeps its stream for us: while it dumps, while we are away, while we read.

use super::{finding::Finding, scene::CheckInput, server::CheckedServer};
use crate::unit::ByteSize;

/// We acknowledge every second; a source that waits for less than this drops us at the first hiccup.
const SHORTEST_TIMEOUT: u64 = 5;
/// Below this, a source that is busy for a moment, or a network that is, costs the link.
const SHORT_TIMEOUT: u64 = 30;
/// We take a source that says nothing for this long for dead.
const SILENCE: u64 = 60;
/// An outage that a source should be able to bridge, in seconds.
const OUTAGE: u64 = 60;

pub(super) fn timeout(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let settings = &server.settings;
    let Some(timeout) = settings.number("repl-timeout") else {
        return Finding::unknown(hidden(server, "repl-timeout"), "It should be 60 s or more.");
    };
    let ping = settings.number("repl-ping-slave-period");
    let seen = format!("`repl-timeout {timeout}`");
    if timeout < SHORT_TIMEOUT {
        let remedy = "The source drops a replica that it has not heard for so long, and a dump that is cut off starts again: \
                      `CONFIG SET repl-timeout 60` there.";
        return if timeout < SHORTEST_TIMEOUT { Finding::fail(seen, remedy) } else { Finding::warn(seen, remedy) };
    }
    match ping.filter(|ping| scene.follows() && *ping >= SILENCE.min(timeout)) {
        Some(ping) => {
            let remedy = "A source that writes nothing would be taken for dead between two of its pings: \
                          `CONFIG SET repl-ping-slave-period 10` there.";
            Finding::warn(format!("{seen}, but it pings only every {ping} s"), remedy)
        }
        None => Finding::pass(seen),
    }
}

/// While the source dumps and sends, what is written meanwhile waits in our output buffer there.
pub(super) fn output_buffer(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let raised = scene.raises_buffer();
    let Some([hard, soft, seconds]) = server.settings.replica_output() else {
        let remedy = "It should be unlimited, or hold what is written while the dump is made: \
                      `CONFIG SET client-output-buffer-limit \"slave 0 0 0\"`.";
        return Finding::unknown(hidden(server, "client-output-buffer-limit"), remedy);
    };
    let shown = |bytes: u64| if bytes == 0 { "unlimited".to_owned() } else { ByteSize(bytes).to_string() };
    let seen = format!("{} hard, {} for {seconds} s", shown(hard), shown(soft));
    if raised {
        return Finding::pass(format!("{seen}; the run raises it and puts it back"));
    }
    let limit = [hard, soft].into_iter().filter(|limit| *limit > 0).min();
    let Some(limit) = limit else { return Finding::pass(seen) };
    let dump = scene.dump_seconds().unwrap_or(OUTAGE);
    // A run that does not follow measures nothing; the server's own average tells enough.
    let own = server.info.get("instantaneous_input_kbps").and_then(|kbps| kbps.parse::<f64>().ok()).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, rounded; negative is 0")]
    let rate = scene.from.rate.bytes().max((own * 1024.0) as u64);
    let piling = rate.saturating_mul(dump);
    let remedy = "More is written while the dump is made than the source keeps for a replica, and it would cut us off: \
                  `CONFIG SET client-output-buffer-limit \"slave 0 0 0\"` there, or `buffer: { replica_output: unlimited }` \
                  in the plan.";
    let load = format!("{seen}; {}/s are written, for about {dump} s", ByteSize(rate));
    // A second's measure may be a burst: no run is refused for it.
    if limit < SMALL_BUFFER || piling.saturating_mul(2) > limit {
        return Finding::warn(load, remedy).at("buffer");
    }
    Finding::pass(seen)
}

/// A limit below this is far from any default, and any burst of writes reaches it.
const SMALL_BUFFER: u64 = 16 << 20;

/// While we are away, what is written waits in the backlog.
pub(super) fn backlog(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let rate = scene.from.rate;
    let size = server.info.repl_backlog_size().or_else(|| server.settings.number("repl-backlog-size").map(ByteSize));
    let Some(size) = size.filter(|size| size.0 > 0) else {
        let remedy = "It should hold what is written in an outage of a minute or more.";
        return Finding::unknown(hidden(server, "repl-backlog-size"), remedy);
    };
    let bridge = OUTAGE.max(scene.dump_seconds().unwrap_or(0));
    let needed = ByteSize(rate.bytes().saturating_mul(bridge));
    if needed > size {
        let lasts = size.0 / rate.bytes().max(1);
        let suggested = needed.0.div_ceil(1 << 20).saturating_mul(2);
        let remedy = format!(
            "After an outage of more than {lasts} s the stream is lost and the whole copy starts again: \
             `CONFIG SET repl-backlog-size {suggested}mb` at the source, before the run starts."
        );
        return Finding::warn(format!("{size} hold {lasts} s; {rate}"), remedy);
    }
    Finding::pass(format!("{size}; {rate}"))
}

/// What those who read at the destination before the cutover see of deadlines.
pub(super) fn expiry(_: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let keys = scene.source.as_ref().map(|source| source.info.keyspace().values().map(|space| space.expires).sum());
    let has = match keys {
        Some(0) => "the source has no keys with a time to live now; until".to_owned(),
        Some(1u64) => "the source has 1 key with a time to live; until".to_owned(),
        Some(keys) => format!("the source has {keys} keys with a time to live; until"),
        None => "until".to_owned(),
    };
    Finding::pass(format!(
        "{has} the end of the run `TTL` here answers more than a thousand years, and a key whose time is up stays until the \
         source deletes it"
    ))
}

/// Scripts that the stream brings as they were said, to be run again at the destination.
pub(super) fn scripts(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let version = server.version();
    let effects = server.settings.get("lua-replicate-commands") != Some("no");
    if version.has_redis((7, 0)) || (version.has_redis((5, 0)) && effects) {
        return Finding::pass("what scripts write is sent as plain commands");
    }
    let calls = server.called("eval").saturating_add(server.called("evalsha"));
    if calls == 0 {
        return Finding::pass("scripts would be sent as they are; it has run none since its start");
    }
    let mut remedy =
        "The destination runs each again, and one that depends on time, order or undeclared keys does something \
                      else there."
            .to_owned();
    if version.has_redis((5, 0)) {
        remedy.push_str(" `CONFIG SET lua-replicate-commands yes` at the source sends what they write instead.");
    }
    if scene.work.selection != crate::step::Selection::all() {
        remedy
            .push_str(" Under the plan's `databases` a script that also touches keys left out cannot be carried over.");
    }
    Finding::warn(format!("it sends scripts as they are, and has run {calls}"), remedy)
}

fn hidden(server: &CheckedServer, setting: &str) -> String {
    let why = server.settings.refused.as_ref().map(|refused| format!(": {refused}")).unwrap_or_default();
    format!("it does not show `{setting}`{why}")
}
