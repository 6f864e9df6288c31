//! Memory: room for a fork at the source, room for the data at the destination.

use super::{finding::Finding, scene::CheckInput, server::CheckedServer};
use crate::unit::{Address, ByteSize};

/// What the kernel of this host says of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kernel {
    total: u64,
    available: u64,
    /// `vm.overcommit_memory`.
    overcommit: u8,
}

/// Whether the source's host can carry a second process beside the server while the dump is made.
pub(super) fn fork(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    judge_fork(server, kernel())
}

fn judge_fork(server: &CheckedServer, kernel: Option<Kernel>) -> Finding {
    let info = &server.info;
    let resident = info.get("used_memory_rss").and_then(|bytes| bytes.parse().ok()).map(ByteSize);
    let (Some(used), Some(total)) = (resident.or(info.used_memory()), info.total_system_memory()) else {
        let remedy =
            "The dump is made by a copy of the server's process, which needs memory for what is written meanwhile.";
        return Finding::unknown("it does not show its host's memory", remedy);
    };
    let seen = format!("it uses {used} of its host's {total}");
    let local = matches!(&server.access.address, Address::Unix { .. })
        || matches!(&server.access.address, Address::Tcp { host, .. } if ["127.0.0.1", "::1", "localhost"].contains(&host.as_str()));
    // Only of a host that is this one the kernel can be asked; another one shows the same total only by chance.
    let kernel = kernel.filter(|kernel| local && kernel.total == total.0);
    match kernel {
        Some(Kernel { overcommit: 2, .. }) => {
            let remedy =
                "The fork is refused unless memory for a whole second copy is free: `sysctl vm.overcommit_memory=1`.";
            return Finding::warn(format!("{seen}, with `vm.overcommit_memory=2`"), remedy);
        }
        Some(Kernel { overcommit: 0, available, .. }) if available < used.0 => {
            let remedy = "The kernel may refuse the fork for the dump (`Cannot allocate memory`): \
                          `sysctl vm.overcommit_memory=1` at the source.";
            return Finding::warn(format!("{seen}, {} are available", ByteSize(available)), remedy);
        }
        _ => {}
    }
    if used.0 > total.0 / 2 {
        let remedy = "If all of it is rewritten while the dump is made, the copies do not fit: start when little is written, \
                      copy from a replica, or give the host more memory; `vm.overcommit_memory` must be 1 there.";
        return Finding::warn(seen, remedy);
    }
    Finding::pass(seen)
}

fn kernel() -> Option<Kernel> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let overcommit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").ok()?.trim().parse().ok()?;
    Some(Kernel { total: field("MemTotal:")?, available: field("MemAvailable:")?, overcommit })
}

/// Whether the data fits beside what is there already and what the run itself needs.
pub(super) fn room(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(source) = &scene.source else {
        return Finding::unknown("the source's size is not known", "Make sure that the dataset fits.");
    };
    let (Some(used), Some(whole)) = (server.info.used_memory(), source.info.used_memory()) else {
        return Finding::unknown("memory figures are not shown", "Make sure that the dataset fits.");
    };
    let needed = selected(source, scene, whole);
    // Each lane has a window on the way, and a chunk of a large value.
    let own = ByteSize(u64::from(scene.work.limits.connections_at(server.latency)).saturating_mul(LANE));
    let share = scene.work.destination.free_memory;
    let Some(limit) = server.maxmemory().filter(|limit| limit.0 > 0) else {
        let resident = server.info.get("used_memory_rss").and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(used.0);
        let free = server.info.total_system_memory().map(|total| ByteSize(total.0.saturating_sub(resident)));
        return match free.filter(|free| free.0 < needed.0.saturating_add(own.0)) {
            Some(free) => {
                let seen =
                    format!("`maxmemory` is not set; its host has at most {free} free, about {needed} will be written");
                Finding::warn(seen, "The dataset may not fit: take a larger host, or move fewer databases.")
            }
            None => Finding::pass(format!("`maxmemory` is not set; about {needed} will be written")),
        };
    };
    let free = ByteSize(limit.0.saturating_sub(used.0));
    let seen = format!("{free} free of {limit}; about {needed} will be written, and {own} are for the run itself");
    if let Some(share) = share.filter(|share| u128::from(free.0) * 100 < u128::from(whole.0) * u128::from(share.0)) {
        let remedy = format!(
            "The plan expects {share} of the source's {whole} to be free: `CONFIG SET maxmemory {}` there.",
            used.0.saturating_add(whole.0.saturating_mul(u64::from(share.0)).div_ceil(100))
        );
        return Finding::fail(seen, remedy).at("destination.expect.free_memory");
    }
    let remedy = format!(
        "When it is full, writes are refused or keys evicted: `CONFIG SET maxmemory {}` there, or move fewer databases.",
        used.0.saturating_add(needed.0.saturating_add(own.0).saturating_mul(6) / 5)
    );
    match free.0 {
        free if free < needed.0 => Finding::fail(seen, remedy),
        free if free < needed.0.saturating_add(own.0) => Finding::warn(seen, remedy),
        _ => Finding::pass(seen),
    }
}

/// What a connection of the run holds at the destination: its query buffer with a window of batches.
const LANE: u64 = 1 << 20;

/// The part of the source's memory that the plan's databases take, by their keys.
fn selected(source: &CheckedServer, scene: &CheckInput<'_>, whole: ByteSize) -> ByteSize {
    let keyspace = source.info.keyspace();
    let all: u64 = keyspace.values().map(|db| db.keys).sum();
    let taken: u64 = keyspace.iter().filter(|(db, _)| scene.work.selection.reads(**db)).map(|(_, db)| db.keys).sum();
    if all == 0 || taken == all {
        return whole;
    }
    let part = u128::from(whole.0) * u128::from(taken) / u128::from(all);
    ByteSize(u64::try_from(part).unwrap_or(u64::MAX))
}

pub(super) fn eviction(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    let Some(policy) = server.eviction() else {
        return Finding::unknown("the policy is not shown", "With any but `noeviction` keys can vanish unseen.");
    };
    let expected = scene.work.destination.eviction.map(crate::step::Eviction::name);
    if let Some(expected) = expected.filter(|expected| *expected != policy) {
        let remedy = format!("`CONFIG SET maxmemory-policy {expected}`, or change the plan's expectation.");
        let seen = format!("`{policy}`, the plan expects `{expected}`");
        return Finding::fail(seen, remedy).at("destination.expect.eviction");
    }
    let limited = server.maxmemory().is_some_and(|limit| limit.0 > 0);
    if policy == "noeviction" || !limited {
        return Finding::pass(format!("`{policy}`{}", if limited { "" } else { " without `maxmemory`" }));
    }
    let remedy = "A full server would drop keys that were copied, without a word: `CONFIG SET maxmemory-policy noeviction` \
                  until the migration is over.";
    Finding::warn(format!("`{policy}` with `maxmemory`"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::Info,
        net::Access,
        step::{Side, Verdict},
    };

    fn server(host: &str, info: &str) -> CheckedServer {
        let address = Address::Tcp { host: host.to_owned(), port: 6379 };
        CheckedServer { info: Info::parse(info), ..CheckedServer::unasked(Side::Source, Access::plain(address)) }
    }

    #[test]
    fn a_fork_needs_room_as_far_as_it_can_be_seen() {
        let verdict = |host: &str, used: u64, kernel: Option<Kernel>| {
            let info = format!("used_memory_rss:{used}\r\ntotal_system_memory:1000\r\n");
            judge_fork(&server(host, &info), kernel).check("source-fork", "").verdict
        };
        let kernel = |overcommit, available| Some(Kernel { total: 1000, available, overcommit });
        assert_eq!(verdict("10.0.0.1", 400, None), Verdict::Pass);
        assert_eq!(verdict("10.0.0.1", 600, None), Verdict::Warn);
        assert_eq!(verdict("127.0.0.1", 400, kernel(0, 500)), Verdict::Pass);
        assert_eq!(verdict("127.0.0.1", 400, kernel(0, 300)), Verdict::Warn);
        assert_eq!(verdict("127.0.0.1", 400, kernel(1, 300)), Verdict::Pass);
        assert_eq!(verdict("127.0.0.1", 400, kernel(2, 900)), Verdict::Warn);
        // Another host's kernel is not ours.
        assert_eq!(verdict("10.0.0.1", 400, kernel(2, 300)), Verdict::Pass);
        let hidden = judge_fork(&server("127.0.0.1", "used_memory:400\r\n"), None);
        assert_eq!(hidden.check("source-fork", "").verdict, Verdict::Unknown);
    }
}
