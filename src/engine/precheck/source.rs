//! Whether the source can be copied.

use super::{
    finding::Finding,
    probe::Permission,
    rules,
    scene::{self, CheckInput},
    server::CheckedServer,
};
use crate::{
    command::{Info, Mode, ServerRole},
    engine::fence,
    resp::RefusalKind,
    step::{self, Fence},
    unit::ServerVersion,
};

/// A chained source that has not heard from its master for so long is behind.
const QUIET_SECONDS: u64 = 15;

pub(super) fn version(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(version) = server.info.server_version() else {
        return Finding::unknown("it hides its version", "Make sure that it is 2.8 or newer.");
    };
    if let Some(range) = scene.work.source.version.as_ref().filter(|range| !range.takes(version)) {
        let seen = format!("{version} is not in `{range}`, which the plan expects");
        let remedy = "This may not be the server that was reviewed; check `source.url`.";
        return Finding::fail(seen, remedy).at("source.expect.version");
    }
    if !version.has_redis((2, 8)) {
        return Finding::fail(format!("{version} has no PSYNC"), "Sources from 2.8 on can be copied.");
    }
    if version.has((8, 8), (9, 2)) {
        let remedy = "It is newer than this version of redis-plan knows; an unknown value type would stop the copy.";
        return Finding::warn(version.to_string(), remedy);
    }
    Finding::pass(version.to_string())
}

pub(super) fn role(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let info = &server.info;
    let expected = scene.work.source.role.map(|role| match role {
        step::Role::Master => ServerRole::Master,
        step::Role::Replica => ServerRole::Replica,
    });
    if info.loading() == Some(true) {
        return Finding::fail("it is loading its dataset", "Wait until it has loaded, then try again.");
    }
    match (info.role(), expected) {
        (Some(role), Some(expected)) if role != expected => {
            let seen = format!("it is a {}, the plan expects a {}", word(role), word(expected));
            let remedy = "The roles may have changed in a failover; check `source.url`.";
            Finding::fail(seen, remedy).at("source.expect.role")
        }
        (Some(role), _) => Finding::pass(word(role)),
        // A Sentinel has no role in replication; `source-mode` says so.
        (None, _) if info.mode() == Some(Mode::Sentinel) => Finding::pass("none, it is a Sentinel"),
        (None, _) => Finding::unknown("it hides its role", "A read-only user may lack the permission for INFO."),
    }
}

fn word(role: ServerRole) -> &'static str {
    match role {
        ServerRole::Master => "master",
        ServerRole::Replica => "replica",
    }
}

/// The very process, where the plan names it.
pub(super) fn identity(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let pinned = scene.work.source.run_id.as_ref();
    let Some(id) = server.info.run_id() else {
        let remedy = "Without it, a restart or a different server at this address cannot be detected.";
        return Finding::unknown("it does not show its run id", remedy);
    };
    match pinned.filter(|pinned| pinned.as_str() != id) {
        Some(pinned) => {
            let seen = format!("its run id is {id}, the plan expects {pinned}");
            let remedy =
                "It was restarted, or another server has its address: review it again, then write its run id there.";
            Finding::fail(seen, remedy).at("source.expect.run_id")
        }
        None => Finding::pass(format!("its run id is {id}")),
    }
}

pub(super) fn mode(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    mode_of(&server.info)
}

fn mode_of(info: &Info) -> Finding {
    if info.mode() == Some(Mode::Sentinel) {
        let remedy =
            "Name the master's own address in `source.url`: `SENTINEL GET-MASTER-ADDR-BY-NAME <name>` shows it.";
        return Finding::fail("it is a Sentinel, which holds no data", remedy);
    }
    if info.cluster_enabled() == Some(true) {
        let remedy = "This version copies one server, and a cluster's other nodes would be missing.";
        return Finding::fail("it is a node of a cluster", remedy);
    }
    match info.mode() {
        Some(_) => Finding::pass("a server of its own"),
        None => Finding::unknown("it hides its mode", "It must be one server: no Sentinel and no node of a cluster."),
    }
}

/// A replica as the source: whom it follows, and how closely.
pub(super) fn chain(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    let info = &server.info;
    if info.role() != Some(ServerRole::Replica) {
        let replicas = info.connected_replicas().unwrap_or(0);
        return Finding::pass(format!("not a replica itself; {replicas} replicas attached"));
    }
    let master = format!("{}:{}", info.get("master_host").unwrap_or("?"), info.get("master_port").unwrap_or("?"));
    if info.master_sync_in_progress() == Some(true) {
        let remedy = "Wait until it has its master's data, or copy from the master.";
        return Finding::fail(format!("it is a replica that is just loading the data of {master}"), remedy);
    }
    if info.master_link_up() == Some(false) {
        let remedy = "A replica without its master serves no dump. Fix the link, or copy from the master.";
        return Finding::fail(format!("it is a replica whose link to its master is down ({master})"), remedy);
    }
    let quiet: u64 = info.get("master_last_io_seconds_ago").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let seen = format!("it is a replica of {master}, heard from {quiet} s ago");
    if server.settings.get("slave-read-only") == Some("no") {
        let remedy = "What is written to a writable replica itself is in its dump and not in its stream: \
                      `CONFIG SET slave-read-only yes` there, or copy from the master.";
        return Finding::warn(format!("{seen}; it takes writes of its own"), remedy);
    }
    if quiet > QUIET_SECONDS {
        let remedy = "It may be behind its master, and so will the copy; look at the link between the two.";
        return Finding::warn(seen, remedy);
    }
    Finding::pass(seen)
}

pub(super) fn replication(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let user = server.user();
    let grant = format!("Grant the user replication: `{}`.", rules::at_source(user, scene));
    if scene.follows() && server.lacks("psync") && !server.lacks("sync") {
        let remedy = "A stream that SYNC began cannot be resumed after a break: let `rename-command` (or the service) give \
                      PSYNC back, or migrate with `migration: [full]` while nobody writes.";
        return Finding::fail("it knows only SYNC, not PSYNC", remedy).at("migration");
    }
    match &scene.from.replication {
        Some(Permission::Granted(seen)) => Finding::pass(seen),
        Some(Permission::Refused(seen)) => Finding::fail(seen, grant).at(server.user_place()),
        Some(Permission::NotOffered(seen)) => {
            let remedy = "The service does not offer replication (PSYNC), or renamed it; it cannot be copied this way.";
            Finding::fail(seen, remedy)
        }
        Some(Permission::Unknown(seen)) => {
            let remedy = format!("An administrator can ask: `ACL DRYRUN {user} PSYNC ? -1`. {grant}");
            Finding::unknown(seen, remedy).at(server.user_place())
        }
        None => Finding::unknown("it was not asked", grant),
    }
}

/// What a run says to a source.
const NEEDED: [&str; 6] = ["PSYNC", "REPLCONF", "INFO", "CONFIG", "CLIENT", "TIME"];

/// What cannot be done without some of them; without the others less can be judged.
const LOST: [(&str, &str); 3] = [
    ("PSYNC", "a copy that breaks off starts again, and the source cannot be followed"),
    ("CONFIG", "limits cannot be read and the output buffer cannot be raised"),
    ("CLIENT", "writers cannot be paused for a cutover"),
];

/// Commands that services take away.
pub(super) fn commands(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    if server.commands.is_none() {
        let seen = "it does not list its commands";
        return Finding::unknown(seen, "`ACL SETUSER <user> +command` lets us ask.").at(server.user_place());
    }
    let missing: Vec<&str> = NEEDED.into_iter().filter(|command| server.lacks(&command.to_ascii_lowercase())).collect();
    if !missing.is_empty() {
        let seen = format!("disabled or renamed: {}", missing.join(", "));
        let lost: Vec<&str> =
            LOST.iter().filter(|(command, _)| missing.contains(command)).map(|(_, lost)| *lost).collect();
        let remedy = format!(
            "Without {}, {}: let `rename-command` (or the service) give it back{}.",
            missing.join(" and "),
            if lost.is_empty() { "less can be judged".to_owned() } else { lost.join(", and ") },
            if missing.contains(&"CONFIG") { ", or set the limits there by hand" } else { "" }
        );
        return Finding::warn(seen, remedy);
    }
    if let (Some(refused), true) = (&server.settings.refused, scene.raises_buffer()) {
        let rule = rules::at_source(server.user(), scene);
        let remedy =
            format!("The output-buffer limit cannot be raised while the run follows: `{rule}`, or set it by hand.");
        return Finding::warn(format!("CONFIG is refused: {refused}"), remedy).at(server.user_place());
    }
    Finding::pass("none that a run needs is disabled or renamed")
}

/// Whether writers can be kept off the source when they are moved over.
pub(super) fn fence(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(fence) = scene::fence(scene.graph) else { return Finding::pass("the plan moves no writers") };
    let place = "cutover.fence";
    if let Some(reason) = fence::refusal(fence, server.version()) {
        return Finding::fail(format!("`{fence}` is not possible"), reason).at(place);
    }
    if let Some(refused) = &scene.from.fence {
        let rule = rules::at_source(server.user(), scene);
        let remedy = match refused.kind {
            Some(RefusalKind::NoPermission) => format!("The cutover would be undone: `{rule}`."),
            _ => "The cutover would be undone: give the command back, or choose another `fence`.".to_owned(),
        };
        return Finding::fail(&refused.error, remedy).at(place);
    }
    if server.info.role() == Some(ServerRole::Replica) && matches!(fence, Fence::ClientPause | Fence::MinReplicas) {
        let master = server.info.get("master_host").unwrap_or("its master");
        let remedy = "Pausing a replica does not pause writes on its master: point `source.url` at the master, stop the writers \
                      by programs of your own (`fence: { hook: … }`), or yourself (`fence: none`).";
        return Finding::fail(format!("the source is a replica, and writers write to {master}"), remedy).at(place);
    }
    match fence {
        Fence::None => Finding::pass("none: the writers are yours to stop"),
        Fence::Hook(_) => Finding::pass("by programs of yours"),
        Fence::MinReplicas if !server.version().has_redis((7, 0)) => {
            let remedy =
                "Before Redis 7 it lets writes of scripts through: make sure that none run, or use `client_pause`.";
            Finding::warn(format!("`{fence}` at {}", server.version()), remedy).at(place)
        }
        _ => Finding::pass(format!("`{fence}` is allowed")),
    }
}

/// Whether the source can write a dump now.
pub(super) fn dump(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    let info = &server.info;
    if info.last_save_ok() == Some(false) {
        let remedy = "The dump for this run would fail in the same way. See its log; often the disk is full or the folder \
                      of `CONFIG GET dir` is not writable. `BGSAVE` shows whether it is fixed.";
        return Finding::fail("its last dump failed (`rdb_last_bgsave_status:err`)", remedy);
    }
    if info.saving() == Some(true) {
        let remedy = "The dump for this run waits until the one at work is done; start when it is quiet.";
        return Finding::warn("it is writing a dump just now", remedy);
    }
    if info.get("aof_rewrite_in_progress") == Some("1") {
        let remedy = "The dump for this run waits until the rewrite is done; start when it is quiet.";
        return Finding::warn("it is rewriting its append-only file just now", remedy);
    }
    match info.last_save_seconds() {
        Some(seconds) => Finding::pass(format!("it can; its last dump took {seconds} s")),
        None => Finding::pass("it has made none yet; nothing prevents one"),
    }
}

/// How the source sends its dump.
pub(super) fn diskless(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    let settings = &server.settings;
    let delay = settings.number("repl-diskless-sync-delay").unwrap_or(0);
    match settings.get("repl-diskless-sync") {
        Some("yes") if delay > 30 => {
            let remedy = format!(
                "The dump starts {delay} s after it was asked for: `CONFIG SET repl-diskless-sync-delay 5` at the source \
                 until the copy is done."
            );
            Finding::warn(format!("without a disk, after a delay of {delay} s"), remedy)
        }
        Some("yes") if negotiates(server.version()) => {
            Finding::pass(format!("without a disk, after a delay of {delay} s"))
        }
        Some("yes") => {
            let remedy = "This version sends a dump without a disk to everybody, old replicas too; it is understood here. \
                          Its own replicas that are older are not: `CONFIG SET repl-diskless-sync no`.";
            Finding::warn(format!("without a disk, after a delay of {delay} s, and without asking"), remedy)
        }
        Some(_) => Finding::pass("disk-based"),
        None if !server.version().has_redis((2, 9)) => Finding::pass("disk-based"),
        None => {
            Finding::unknown("it does not show how", "Its disk must have room for a dump, or it sends without one.")
        }
    }
}

/// Whether a replica says that it understands a dump without a disk before it gets one.
fn negotiates(version: ServerVersion) -> bool {
    let (major, minor, patch) = version.number;
    match (major, minor) {
        (2, 8) => patch >= 22,
        (3, 0) => patch >= 4,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Verdict;

    #[test]
    fn a_sentinel_is_no_source() {
        let verdict = |info: &str| mode_of(&Info::parse(info)).check("source-mode", "source.url").verdict;
        assert_eq!(verdict("redis_mode:sentinel\r\n"), Verdict::Fail);
        assert_eq!(verdict("redis_mode:cluster\r\ncluster_enabled:1\r\n"), Verdict::Fail);
        assert_eq!(verdict("server_mode:standalone\r\n"), Verdict::Pass);
        assert_eq!(verdict(""), Verdict::Unknown);
    }

    #[test]
    fn early_versions_send_a_dump_without_a_disk_to_anybody() {
        for (patch, negotiated) in [(21, false), (22, true)] {
            assert_eq!(negotiates(ServerVersion::redis(2, 8, patch)), negotiated);
        }
        assert!(!negotiates(ServerVersion::redis(3, 0, 3)) && negotiates(ServerVersion::redis(3, 0, 4)));
        assert!(negotiates(ServerVersion::valkey(8, 1, 0)));
    }
}
