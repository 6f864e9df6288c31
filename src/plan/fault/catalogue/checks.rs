//! Items of the precheck, one row each: `C1..` the source, `C2..` the destination, `C3..` both together, `C4..` this host.
//!
//! An item passes, warns, fails or cannot be found out; what was seen and what to do then is the check's own message. The
//! row says what the item is for. A new item of the precheck gets its row here, and its page with it.

use super::{About, Fault, rows};

rows! {
    SOURCE_REACHABLE = "C101", Item("source-reachable"), "the source answers",
        "The source is connected to, signed in to and asked for its state (`INFO`). Nothing else can be judged without it. Check the plan's \
         `source`: its address and port from this host, `username`, and what `password` refers to.";
    SOURCE_VERSION = "C102", Item("source-version"), "the source's version can be copied and is the one that was reviewed",
        "A source from Redis 2.8 on can be copied. A version outside of `source.expect.version` means that this may not be the server that was \
         reviewed: check `source.url`. A version newer than this program may hold kinds of values that it does not know.";
    SOURCE_ROLE = "C103", Item("source-role"), "the source has its data and the expected role",
        "The source must be one server that has loaded its data: no Sentinel, no node of a cluster, no replica whose link to its master is down. A \
         role other than `source.expect.role` usually means a failover: check which server `source.url` names now.";
    SOURCE_REPLICATION = "C104", Item("source-replication"), "the source lets this host replicate",
        "The data comes over the replication protocol (`REPLCONF`, `PSYNC`). Services that hide these commands, and users without the right to \
         them, cannot be copied this way. Grant `+psync +replconf +ping +info` to the user, or ask the service for replication.";
    DESTINATION_REACHABLE = "C201", Item("destination-reachable"), "the destination answers",
        "The destination is connected to, signed in to and asked for its state (`INFO`). Nothing else can be judged without it. Check the plan's \
         `destination`: its address and port from this host, `username`, and what `password` refers to.";
    DESTINATION_VERSION = "C202", Item("destination-version"), "the destination's version is the one that was reviewed",
        "A version outside of `destination.expect.version` means that this may not be the server that was reviewed: check `destination.url`. A \
         destination that hides its version is taken for an old one, and values go to it as native commands, which is slower.";
    DESTINATION_ROLE = "C203", Item("destination-role"), "the destination takes writes",
        "The destination must be a master that has loaded its data; a replica refuses writes, or loses them at its next synchronisation. Point \
         `destination.url` at the master, or wait until it has loaded.";
    DESTINATION_WRITABLE = "C204", Item("destination-writable"), "the destination takes the commands of the run",
        "Every command the run needs is queued in a transaction that is then discarded, so a missing permission, a full memory or a failed \
         disk shows before anything is written. `ACL SETUSER <user> ~* +@all -@dangerous +restore +info +dbsize +flushdb` grants enough.";
    DESTINATION_MEMORY = "C205", Item("destination-memory"), "the dataset fits into the destination",
        "The free memory of the destination is compared with what the source uses, times `destination.expect.free_memory`. A destination \
         that fills up refuses writes in the middle of the copy. Raise `maxmemory` there, or take a larger server.";
    DESTINATION_EVICTION = "C206", Item("destination-eviction"), "the destination drops no keys",
        "With a `maxmemory-policy` other than `noeviction` a full destination drops keys that were copied, without a word. Set \
         `CONFIG SET maxmemory-policy noeviction` until the migration is over, and say so in `destination.expect.eviction`.";
    DESTINATION_DATABASES = "C207", Item("destination-databases"), "the destination has every database that keys go to",
        "The number of databases at the destination is compared with the highest one that keys go to. Raise `databases` in its configuration, or \
         renumber with rules under the plan's `databases`. A cluster has database 0 only.";
    DESTINATION_EMPTY = "C208", Item("destination-empty"), "nothing at the destination is in the way",
        "Keys that this run did not write are not overwritten unless the plan says so. With `on_conflict: fail`, or with `expect.empty: true`, \
         the databases that keys go to must be empty. Empty them, or say `on_conflict: skip` or `replace`.";
    CLOCKS = "C301", Item("clocks"), "both servers' clocks agree",
        "Keys with a time to live carry the moment of their end, and each server judges it by its own clock. Clocks that differ end lives \
         early or late at the destination. Synchronise the clocks of both hosts before the migration.";
    SPOOL_DISK = "C401", Item("spool-disk"), "this host has room for the spool",
        "The source's dump is kept on the disk of the state directory until the destination has confirmed it. Without room the run \
         fails in the middle. Point `--state` to a larger disk, or raise `limits.spool` when that is the bound.";
}

/// The row of an item by its name, such as `clocks`.
#[must_use]
pub fn of_item(name: &str) -> Option<&'static Fault> {
    ROWS.iter().copied().find(|fault| matches!(fault.about, About::Item(item) if item == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_by_its_name() {
        assert_eq!(of_item("destination-writable").map(|fault| fault.code), Some("C204"));
        assert_eq!(of_item("weather"), None);
    }
}
