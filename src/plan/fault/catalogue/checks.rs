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
        "The source must have loaded its data and have the role that the plan expects. A role other than `source.expect.role` usually means a \
         failover: check which server `source.url` names now. A source that is loading can be copied once it has loaded.";
    SOURCE_REPLICATION = "C104", Item("source-replication"), "the source lets this host replicate",
        "The data comes over the replication protocol (`REPLCONF`, `PSYNC`). Services that hide these commands, and users without the right to \
         them, cannot be copied this way. Grant the list of the page \"What the users need\" to the user, or ask the service for replication.";
    SOURCE_MODE = "C105", Item("source-mode"), "the source is one server",
        "A Sentinel holds no data, and a node of a cluster holds a part of it. This version copies one server. Name the master's own address \
         in `source.url`; a Sentinel shows it with `SENTINEL GET-MASTER-ADDR-BY-NAME`.";
    SOURCE_CHAIN = "C106", Item("source-chain"), "a source that is a replica follows its master closely",
        "A replica serves its master's data, as old as its link lets it be. While that link is down it serves no dump; what was written to a \
         writable replica itself is in the dump and never in the stream. Fix the link, make it read-only, or copy from the master.";
    SOURCE_COMMANDS = "C107", Item("source-commands"), "the source has the commands that a run says to it",
        "Services and `rename-command` take commands away. Without CONFIG the limits that matter cannot be read and the output buffer cannot be \
         raised while the run follows; without CLIENT or TIME less can be judged. Give them back, or set the limits there by hand.";
    SOURCE_TIMEOUT = "C108", Item("source-timeout"), "the source waits long enough for its replicas",
        "After `repl-timeout` seconds without a word from a replica the source drops it, and a dump that is cut off starts again. A source that pings \
         its replicas too seldom looks dead while it writes nothing. Leave 60 s and 10 s, the defaults.";
    SOURCE_OUTPUT_BUFFER = "C109", Item("source-output-buffer"), "the source keeps what is written while it makes its dump",
        "Until the dump is sent, everything written meanwhile waits in the replica's output buffer at the source. Over its limit \
         (`client-output-buffer-limit`, class `slave`) the source cuts the replica off. Raise it, or say `buffer: { replica_output: unlimited }`: \
         the run then raises it and puts it back.";
    SOURCE_DUMP = "C110", Item("source-dump"), "the source can write a dump now",
        "A copy begins with a dump that the source makes in a child process. One that failed last time fails again for the same reason, often \
         a full disk or a folder that cannot be written; one that is at work already has to end first. Fix that, and try `BGSAVE`.";
    SOURCE_DISKLESS = "C111", Item("source-diskless"), "the source sends its dump without a long delay",
        "With `repl-diskless-sync` the source waits `repl-diskless-sync-delay` seconds for more replicas before it starts; early versions with it do \
         not ask whether a replica understands. Lower the delay for the time of the copy when it is long.";
    SOURCE_FORK = "C112", Item("source-fork"), "the source's host has memory for the dump's process",
        "The dump is made by a copy of the server's process, and every page that is written meanwhile exists twice. Where memory does not suffice, \
         the fork fails or the host kills a process. Start when little is written, copy from a replica, and set `vm.overcommit_memory=1`.";
    SOURCE_BACKLOG = "C113", Item("source-backlog"), "the source's backlog bridges an outage",
        "When the link breaks, the source resumes where it broke off only if everything written since is still in its backlog; otherwise the \
         whole copy starts again. What is written in a second is measured, and should fit for a minute, and for the time of a dump. Raise \
         `repl-backlog-size` before the run: up to 6.2 changing it empties it.";
    SOURCE_SCRIPTS = "C114", Item("source-scripts"), "scripts reach the destination as what they write",
        "Sources before 5.0, and later ones by setting, send scripts as they were said, and the destination runs them again. A script that \
         depends on time, on the order of a set or on keys it does not declare then writes something else. Compare such keys afterwards.";
    SOURCE_LATENCY = "C115", Item("source-latency"), "the source is near",
        "The time for a question to the source and its answer back, the middle one of some. The dump and the stream come over one connection, and far \
         away that is slower than the network. Run this tool near to the source or the destination.";
    SOURCE_ADDRESS = "C116", Item("source-address"), "the source shows our address and user",
        "The address and user that the source sees, for allow-lists, firewalls and its log. Behind a gateway it is not this host's own address. Where \
         it cannot be asked, nothing is wrong; grant `+client|info` to see it.";
    SOURCE_IDENTITY = "C117", Item("source-identity"), "the source is the very process that was reviewed",
        "Every start of a server gives it a new run id. Where `source.expect.run_id` names one, another means a restart, a failover or another server \
         at this address. Without it a restart is accepted where the source's history continues, which its answer to PSYNC shows.";
    SOURCE_FENCE = "C118", Item("source-fence"), "writes at the source can be blocked during the cutover",
        "A cutover blocks writes at the source until the run is sealed, as `cutover.fence` says. The commands of the fence are queued and discarded, \
         so that a missing permission, a renamed command or an old version is found before the copy. Pausing a replica does not pause writes on its master.";
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
        "Every command the run needs is queued in a transaction that is never carried out, so a missing permission, a full memory or a failed \
         disk shows before anything is written. Grant the user the list of the page \"What the users need\"; the check prints it.";
    DESTINATION_MEMORY = "C205", Item("destination-memory"), "the dataset fits into the destination",
        "The free memory of the destination is compared with what the source uses, times `destination.expect.free_memory`. A destination \
         that fills up refuses writes in the middle of the copy. Raise `maxmemory` there, or take a larger server.";
    DESTINATION_EVICTION = "C206", Item("destination-eviction"), "the destination drops no keys",
        "With a `maxmemory-policy` other than `noeviction` a full destination drops keys that were copied, without a word. Set \
         `CONFIG SET maxmemory-policy noeviction` until the migration is over, and say so in `destination.expect.eviction`.";
    DESTINATION_DATABASES = "C207", Item("destination-databases"), "the destination has every database that keys go to",
        "The number of databases at the destination is compared with the highest one that keys go to. Raise `databases` in its configuration, or \
         renumber with rules under the plan's `databases`. A cluster has database 0 only.";
    DESTINATION_EMPTY = "C208", Item("destination-empty"), "no existing key at the destination prevents the copy",
        "Keys that this run did not write are not overwritten unless the plan says so. With `on_conflict: fail`, or with `expect.empty: true`, \
         the databases that keys go to must be empty. Empty them, or say `on_conflict: skip` or `replace`.";
    DESTINATION_MODE = "C209", Item("destination-mode"), "the destination is one server",
        "A Sentinel takes no data, and a node of a cluster takes only its own slots. This version writes to one server. Name the master's own \
         address in `destination.url`; a Sentinel shows it with `SENTINEL GET-MASTER-ADDR-BY-NAME`.";
    DESTINATION_COMMANDS = "C210", Item("destination-commands"), "the destination has the commands of the run",
        "Services and `rename-command` take commands away. Those that every run needs must be there; those that a source's stream may bring, such \
         as FLUSHALL or EVAL, must be there if anybody uses them at the source, or the run stops at the first. Give them back or grant them.";
    DESTINATION_PERSISTENCE = "C211", Item("destination-persistence"), "the destination keeps what is written",
        "A server whose last dump or append-only file failed refuses writes. One that keeps nothing on disk loses the copy, and how far it \
         came, at its next restart. Fix its disk, and turn on a dump or an append-only file where the source has one.";
    DESTINATION_LIMITS = "C212", Item("destination-limits"), "the run's values and connections fit the destination's limits",
        "Values up to `limits.chunk_above` go in one piece and must fit `proto-max-bulk-len` and `client-query-buffer-limit`; `limits.connections` and \
         a few more must fit `maxclients`. Raise the server's limits, or lower the plan's.";
    DESTINATION_LATENCY = "C213", Item("destination-latency"), "the destination is near",
        "The time for a question to the destination and its answer back, the middle one of some. Each batch of a connection waits for its answer, so \
         distance costs speed. Run this tool near to the destination, or raise `limits.connections`.";
    DESTINATION_ADDRESS = "C214", Item("destination-address"), "the destination shows our address and user",
        "The address and user that the destination sees, for allow-lists, firewalls and its log. Behind a gateway it is not this host's own address. \
         Where it cannot be asked, nothing is wrong; grant `+client|info` to see it.";
    DESTINATION_RUNS = "C215", Item("destination-runs"), "no other run writes to the same databases of the destination",
        "Every run of this tool has a record at its destination that names the databases it writes to. Two runs that write to one database would \
         delete what the other brings: by a FLUSHALL at one of their sources, or when one of them begins again. Finish or abort the other run \
         first (`plan abort`), or renumber with rules under `databases`.";
    DESTINATION_EXPIRY = "C216", Item("destination-expiry"), "what a reader of the destination sees of expiries before the cutover",
        "While the source is followed, deadlines at the destination lie more than a thousand years ahead, so that only the source's own deletions \
         end a key, however late they arrive. Until the cutover makes them exact a reader there sees far expiries, and keys whose time is up that \
         the source has not deleted yet. Let nobody rely on expiries there before. This item never fails.";
    CLOCKS = "C301", Item("clocks"), "both servers' clocks agree",
        "Keys with a time to live carry the moment of their end, and each server judges it by its own clock. Clocks that differ end lives \
         early or late at the destination. Synchronise the clocks of both hosts before the migration.";
    MODULES = "C302", Item("modules"), "the destination has the source's modules",
        "A value of a module can be held only where that module is loaded. Some keys are looked at for such values, and one that is found fails \
         the check. With `on_unsupported: report` a run lists such keys and leaves them out. Load the module at the destination first.";
    FUNCTIONS = "C303", Item("functions"), "the destination can hold the source's function libraries",
        "Libraries of functions (Redis 7.0) are part of the dump. An older destination cannot hold them; a library of the same name there is a \
         conflict as a key would be. Set `on_unsupported: report` to continue without them.";
    LARGE_VALUES = "C304", Item("large-values"), "no string is longer than the destination takes",
        "A server takes strings up to `proto-max-bulk-len`, 512 MiB by default; a longer one from the source is refused, however it is sent. Where \
         the source could hold one, some of its keys are looked at. Raise the destination's limit to the source's.";
    STREAM_COMMANDS = "C305", Item("stream-commands"), "the destination knows the commands of the source's stream",
        "A run that follows carries out at the destination what clients do at the source. What an older or other server does not know is said in older \
         words where that is exactly the same; the rest ends the run or is left out, as `on_unsupported` says.";
    DISTINCT_SERVERS = "C306", Item("distinct-servers"), "the urls lead to two servers",
        "Two names, a proxy or a failover can make both urls lead to one server, or to two of one replication chain; the run would read what it \
         writes. Check which of `source.url` and `destination.url` was copied and not changed.";
    SOURCE_RUNS = "C307", Item("source-runs"), "no run writes to what the plan reads",
        "A run of this tool has its record at its destination. Where the source of this plan is the destination of a run that is under way, what \
         one writes the other may bring back, for ever; and keys that are still being migrated have far deadlines. Finish or abort that run first. \
         Where the record cannot be read, grant `~redis-plan:* +smembers +hgetall`.";
    SOURCE_SENTINELS = "C308", Item("source-sentinels"), "no Sentinel watches the source",
        "A Sentinel takes every replica that its master lists into its care, and keeps it until `SENTINEL RESET <master>`. A run is listed with port \
         -1, which a Sentinel does not take; a service that changes this may still show it. After a failover the plan's address is no longer the \
         master, and this version does not look for the new one.";
    SPOOL_DISK = "C401", Item("spool-disk"), "this host has room for the spool",
        "The source's dump is kept on the disk of the state directory until the destination has confirmed it. Without room the run \
         fails in the middle. Point `--state` to a larger disk, or raise `limits.spool` when that is the bound.";
}

/// Every row, in the order of the codes.
pub fn rows() -> impl Iterator<Item = &'static Fault> {
    ROWS.iter().copied()
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
