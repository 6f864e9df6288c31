//! Who else is at work at both servers: runs of other plans, and Sentinels.

use super::{finding::Finding, scene::CheckInput, server::CheckedServer};
use crate::{
    engine::{admission::RunConflict, sentinels},
    unit::Db,
};

/// Runs that write to what this plan reads.
pub(super) fn at_source(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    if scene.begun {
        return Finding::pass("this run has begun");
    }
    let Some(others) = &scene.from.neighbours else {
        let remedy = format!(
            "That no run of this tool writes to it cannot be verified: `ACL SETUSER {} ~redis-plan:* +smembers +hgetall` lets \
             us ask.",
            server.user()
        );
        return Finding::unknown("it does not show whether it is the destination of a run", remedy)
            .at(server.user_place());
    };
    match RunConflict::at_source(others, &scene.work.selection) {
        None => Finding::pass("no run writes to what this plan reads"),
        Some(clash) => {
            let remedy = "What one run writes the other may bring back, without end. Finish or abort that run first.";
            Finding::fail(clash.seen(), remedy)
        }
    }
}

/// Runs that write to the same databases.
pub(super) fn at_destination(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    if scene.begun {
        return Finding::pass("this run has begun");
    }
    let Some(others) = &scene.to.neighbours else {
        let remedy = "The run record cannot be read; see `destination-writable`.";
        return Finding::unknown("it does not show the runs under way there", remedy).at(server.user_place());
    };
    let count = match scene.to.databases {
        Some(Ok(count)) => count,
        _ => 16,
    };
    let all: Vec<Db> = (0..count).map(Db).collect();
    match RunConflict::at_destination(others, &scene.work.selection.targets(&all)) {
        None => Finding::pass("no other run writes to the same databases"),
        Some(clash) => {
            let remedy = "Each would delete what the other brings: finish or abort that run first, or renumber with rules under \
                          the plan's `databases`.";
            Finding::fail(clash.seen(), remedy).at("databases")
        }
    }
}

/// Sentinels that watch the source.
pub(super) fn sentinels(server: &CheckedServer, scene: &CheckInput<'_>) -> Finding {
    match scene.from.sentinels {
        None => {
            let remedy = format!(
                "A Sentinel takes replicas of its master into its care. `ACL SETUSER {} +pubsub` lets us ask.",
                server.user()
            );
            Finding::unknown("it does not show whether Sentinels watch it", remedy).at(server.user_place())
        }
        Some(0) => Finding::pass("no Sentinel watches it"),
        Some(count) => {
            let remedy = format!(
                "The run is listed at the source with port -1, which a Sentinel does not take for a replica. After a failover \
                 the plan's address is no longer the master: this version does not look for the new one. {}",
                sentinels::RESET
            );
            Finding::warn(format!("{} watching it", sentinels::counted(count)), remedy)
        }
    }
}
