//! How a run can end. `R0NN` stands for every run with exit code NN (`R002` for one that ended with 1
//! because both sides differ); the others name the cause: `R1..` somebody asked for it,
//! `R2..` the source, `R3..` the destination, `R4..` this host's disk, `R5..` something is not what the run began with,
//! `R6..` another runner.

use super::{Fault, rows};
use crate::step::Outcome;

rows! {
    DONE = "R000", Ending(Done), "everything the plan asks for is done",
        "The run is complete: what the plan selects is at the destination, and nothing was left out but what `plan report` lists. The same \
         command again changes nothing. Keep the report; the state directory may be deleted.";
    REFUSED = "R001", Ending(Refused), "a check said no",
        "An item of the precheck failed, so nothing was written and neither server was changed. Every item says what was seen and what to do; \
         `plan check` judges again without starting a run. Then run the same command again.";
    DIFFERENT = "R002", Ending(Different), "both sides were compared and differ",
        "Some keys are not the same at the source and at the destination; the report lists them. Clients that kept writing after the copy are the \
         usual cause. `plan verify --repair` copies such keys again; when they come back, find out who writes to the destination.";
    FAILED = "R003", Ending(Failed), "the run failed and needs an operator",
        "Waiting does not solve this problem. The summary names it and what to do; `plan report` has the history. What the destination has \
         confirmed is kept: once the problem is fixed, the same command resumes the run, or says that it begins a new copy.";
    HELD = "R004", Ending(Held), "the run waits for something outside of it",
        "The process ended because it must not wait by itself: a window is closed, an operator's consent or an approval is missing, or a hook \
         asks for it. What was confirmed is noted at the destination. The summary names what is missing; then run the same command again.";
    LOCKED = "R005", Ending(Locked), "another runner has this run",
        "Exactly one process writes for a run. Another one holds the lease at the destination or the lock of the state directory, so this \
         one did nothing or stopped. Leave the work to the other one; if it is dead, its lease ends by itself within seconds.";
    STALE = "R006", Ending(Stale), "something is not what this run began with",
        "The plan, its graph or a server has changed since the run began or since it was reviewed, and continuing would mix two migrations. Nothing \
         more was written. Go back to what the run began with, or give the changed plan a name of its own.";
    SEALED = "R007", Ending(Sealed), "the run is sealed",
        "The run was ended permanently: no process, on any host, writes to the destination through it again, because writers may have \
         moved there. This cannot be undone. To migrate again, use a plan with another name.";
    STOPPED = "R075", Ending(Stopped), "the run stopped with a durable checkpoint",
        "The process ended before the run did: a signal, a lost connection, `--until`. Everything that was confirmed is noted at the destination, \
         so nothing is lost and nothing is applied twice. Run the same command again, by hand or by a supervisor.";

    FINISHED_BEFORE = "R101", Ending(Done), "the run was finished before",
        "A run of this name with the same graph has already ended, so this command did nothing. To copy again, use a \
         plan with another name; the finished run's record stays at the destination as long as `cleanup.run_record` says.";
    STOPPED_BY_SIGNAL = "R102", Ending(Stopped), "somebody stopped the process",
        "Ctrl-C, `kill`, a scheduler or a shutdown asked the process to stop, and it did so at a safe point. When it stopped while the dump \
         was being received, the next start begins a new copy, because a dump cannot be resumed; otherwise it resumes where it was.";
    STOPPED_AT_STEP = "R103", Ending(Stopped), "the run stopped at a step, as asked",
        "`--until` names the last step to run. What comes after it is not done yet. Run the same command without `--until`, or with a later \
         step, to continue; the plan must be the same.";
    ABORTED = "R104", Ending(Sealed), "an operator aborted the run",
        "`plan abort` stops the run and seals it: nothing writes to the destination through it again. What was copied stays there as it is, \
         incomplete. Empty the destination before another attempt, under another name.";
    DEADLINE = "R105", Ending(Failed), "the deadline passed before the stop condition was met",
        "`stop.deadline` bounds how long the source is followed, and a deadline never counts as success. `plan status` shows which condition \
         did not hold. Fix the cause (lag, a source that is never idle), or end the run by `plan cutover` when the plan allows it.";
    PUT_BACK = "R106", Ending(Stopped), "an operator had the source's settings put back",
        "`plan cleanup` puts back what a run has changed at the source and no running process will put back. No key was touched, and the run \
         stays where it was: `plan apply` of the same plan continues it and changes these settings again while it needs them.";

    SOURCE_UNREACHABLE = "R201", Ending(Stopped), "the connection to the source was lost",
        "The network was cut, or the source was restarted, hangs or closed the connection. What is confirmed is kept. Run the same \
         command again; when it was lost while the dump was received, a new copy begins. See the source's log when it happens again.";
    SOURCE_REFUSED = "R202", Ending(Failed), "the source refused replication",
        "The source answered `AUTH`, `REPLCONF` or `PSYNC` with a refusal that stays. Check what `source.password` refers to and grant the user \
         `+psync +replconf +ping +info`; a service that renamed or hides these commands cannot be copied this way.";
    SOURCE_SYNC_ONLY = "R203", Ending(Failed), "the source knows only SYNC",
        "Without `PSYNC` a stream cannot be resumed after a break, so following it would lose writes at the first one. Give this host \
         `PSYNC`, which may be renamed there, or migrate with `migration: [full]` while nobody writes.";
    STREAM_UNREADABLE = "R204", Ending(Failed), "the source's stream cannot be read any further",
        "The stream holds something that is no command, or one that this version does not know. Nothing from there on was applied. Find out what \
         sent it (a proxy in between, a source newer than this version), and apply again.";
    DUMP_DAMAGED = "R205", Ending(Failed), "the source's dump is damaged",
        "The dump does not follow its format, or its checksum is wrong; the message names the byte. A value may be damaged in the source's \
         memory, or the source is newer than this version. Try `redis-check-rdb` on a dump of the source's own.";
    STREAM_LOST = "R206", Ending(Stopped), "the source cannot send what is missing",
        "The source no longer has the part of its stream that the destination lacks: its backlog is too small, it was restarted, or its dataset \
         was replaced. A new full copy is needed, and `on_stream_lost` says whether it begins. Raise `repl-backlog-size` at the source if breaks are long.";

    DESTINATION_UNREACHABLE = "R301", Ending(Stopped), "the connection to the destination was lost",
        "The network was cut, or the destination was restarted or hangs. Every batch carries its checkpoint, so what was confirmed is \
         known and nothing is applied twice. Run the same command again.";
    DESTINATION_REFUSES = "R302", Ending(Failed), "the destination refuses writes",
        "The destination answered a write with a refusal that stays: memory is full, the disk failed, it became a replica, or a permission is \
         missing. The message repeats the server's error text. Fix the cause and rerun the command.";
    RECORD_GONE = "R303", Ending(Failed), "the run record at the destination is gone",
        "The destination was flushed or the run's keys were deleted while the run was writing, so what the destination holds is not known. Find out \
         who writes there. The run needs a new full copy; it is held (exit 4, R309) unless `on_stream_lost: recopy` or `plan apply \
         --recopy N` agrees.";
    DESTINATION_FORGOT = "R304", Ending(Failed), "the destination lost writes that it had confirmed",
        "It was restarted without its newest data, or a replica that lacked them became master. The checkpoint went back with the data, or \
         the values cannot be trusted. The message says whether the same command resumes the run or begins a new copy.";
    FOREIGN_KEY = "R305", Ending(Failed), "the destination already has a key of this name",
        "This run did not write the key. With `on_conflict: fail` a foreign key is never overwritten, so the run stopped there. Find out \
         what else writes to the destination, or set `on_conflict` to `skip` or `replace`.";
    UNSUPPORTED = "R306", Ending(Failed), "the destination cannot hold a value or a command",
        "The source uses something that the destination's version does not know, such as a module's value or a newer command. With \
         `on_unsupported: report` such keys are listed and left out; without loss it needs a destination of a fitting version.";
    DIVERGED = "R307", Ending(Failed), "the destination refused what the source had carried out",
        "A command that worked at the source failed at the destination, so both sides differ there; usually somebody else writes to \
         the destination. Find out who. The run needs a new full copy; it is held (exit 4, R309) unless `on_stream_lost: recopy` or \
         `plan apply --recopy N` agrees.";

    UNSETTLED = "R308", Ending(Failed), "some keys could not be verified",
        "Some keys changed whenever they were read, or the destination was too far behind, so it is not known whether they are equal; all others \
         are. Stop the writers of these keys, or wait until the destination has caught up, and run the same command again.";

    RECOPY_HELD = "R309", Ending(Held), "a new full copy would replace what is at the destination",
        "The run cannot continue from what it has written: the source's backlog was overrun, its history is another one, or the state directory is \
         another one. Which keys at the destination came from this run cannot be verified, so nothing was deleted. `plan apply --recopy N`, with \
         the number that the message names, lets the new copy begin; so does `on_stream_lost: recopy` in a plan.";
    SOURCE_SHRANK = "R310", Ending(Held), "the source is empty, or holds much less than what was copied from it",
        "A source that was restarted without its data, or a wrong server at its address, looks like this, and a new copy would empty the \
         destination. Nothing was deleted, whatever the plan says. Find out what happened to the source. If the new copy is wanted, run `plan \
         apply --recopy N` with the number of keys that the message names.";
    ABORT_HELD = "R311", Ending(Held), "which keys came from this run could not be verified",
        "`plan abort --delete` deletes only what this run is known to have written: the keys of a dump that is still in the spool. Once the \
         source's stream is applied on top, or with another state directory, others may have written to the same databases, and nothing is \
         deleted. Abort without `--delete` and delete the keys yourself.";
    EVICTED = "R313", Ending(Failed), "the destination evicted keys",
        "The destination reached its `maxmemory` and removed keys by its eviction policy, so values that it had confirmed are not there any more. \
         The message says how many, by its counter `evicted_keys`. Raise `maxmemory` or set `noeviction`. The run needs a new full copy; it is \
         held (exit 4, R309) unless `on_stream_lost: recopy` or `plan apply --recopy N` agrees.";
    WROTE_LATE = "R314", Ending(Failed), "the source was written to after the seal",
        "The destination is sealed, and the source has carried out writes since that are not there: its fence had ended, or lets writes through. \
         The message says how many. Compare both sides (`plan verify`), take over what is missing, then run the same command again: it \
         continues after the seal.";
    SEAL_UNKNOWN = "R315", Ending(Failed), "it is not known whether the destination is sealed",
        "The seal was asked for and the answer was lost, so the destination may be sealed. Keep the writers where they are. Once the destination \
         answers, run the same command again: it finds out, proves that the source has not moved since, and says so if it has.";
    EMPTIED = "R316", Ending(Failed), "somebody emptied or swapped databases at the destination",
        "The destination has carried out `FLUSHDB`, `FLUSHALL` or `SWAPDB` that are not this run's (`INFO commandstats` counts them). \
         Which database it was is not counted, so what was written may not be there any more. While the source is followed both sides \
         are compared before the run says that it is done. A copy that is not followed needs a new one; it is held (exit 4, R309) \
         unless `on_stream_lost: recopy` or `plan apply --recopy N` agrees.";
    SETTINGS_LEFT = "R319", Ending(Failed), "a setting of the source is not put back",
        "The run has changed a setting of the source, and the source refuses to show it or to take it back, so clients there may still be held \
         by it (`min-slaves-to-write`) or its memory be unbounded (`client-output-buffer-limit`). What it was stays recorded, here and at the \
         destination. Grant `+config|get +config|set` at the source and run `plan cleanup`; the next `plan apply` tries it too.";

    EXCESS = "R320", Ending(Failed), "a server sends more than an answer can have",
        "An answer is longer than 64 MiB, or states lengths that are no numbers, so the rest was not read: memory is bounded by what is asked, not \
         by what a peer sends. Usually it is no Redis or Valkey server, or something stands in between. Check the address in the plan.";
    TOO_LONG = "R321", Ending(Failed), "a name or a command is longer than this version takes",
        "Names of keys and texts of the dump are held in memory up to 16 MiB, a command of the stream up to 1 GiB and 4,194,304 arguments, as in \
         the servers' own `client-query-buffer-limit`. The message names the length and the place. Remove it at the source, then apply again.";

    DISK_FULL = "R401", Ending(Failed), "the disk of the state directory is full",
        "The spool keeps what the source sent until the destination has confirmed it, and no space is left for it. Free some, or move the state \
         directory to a larger disk (`--state`), then run the same command again.";
    SPOOL_LIMIT = "R402", Ending(Failed), "the spool has reached its limit",
        "The plan's `limits.spool` bounds the spool, and the source sends more than the destination takes. Raise the limit if the disk \
         allows it, or make the destination faster: more `connections`, no `limits` on bandwidth and writes.";
    SPOOL_DAMAGED = "R403", Ending(Failed), "the spool is damaged",
        "A segment does not have the checksum that was written with it, or is missing: a failed disk, or somebody changed the files. Check \
         the disk. The run needs a new full copy; it is held (exit 4, R309) unless `on_stream_lost: recopy` or `plan apply --recopy N` \
         agrees.";
    JOURNAL_DAMAGED = "R404", Ending(Failed), "the journal is damaged",
        "The journal says what the run has done, and it cannot be read. Check the disk, move the state directory away and \
         apply again: a run that follows the source continues from its record at the destination. Any other needs a new full copy; it is \
         held (exit 4, R309) unless `on_stream_lost: recopy` or `plan apply --recopy N` agrees.";
    STATE_UNUSABLE = "R405", Ending(Failed), "the state directory cannot be used",
        "A file in the state directory cannot be opened, written or synced; the message holds the system's error text. Make it writable for \
         this user, or point `--state` elsewhere, then run the same command again.";
    STATE_NOT_OURS = "R413", Ending(Failed), "the state directory could be another user's",
        "What the state directory says decides what a run does: a journal that says `done` ends it, a link in place of a file would have \
         another file overwritten. So `.plan`, the run's directory and every file in it must belong to the user who runs `plan`, with no \
         write permission for others, and none may be a symbolic link. The message names the file. Find out who made it; if it is yours, \
         run `chmod go-w` on it, or `chown` it after an earlier run as another user; otherwise move it away, or name a directory of your \
         own with `--state`.";

    OTHER_GRAPH = "R501", Ending(Stale), "the destination holds another plan's run of this name",
        "A run of the same name began with another graph. Continuing would mix both. Apply the plan that began it, give this one another \
         name, or delete the run's hash at the destination and the state directory when that run is to be forgotten.";
    PLAN_CHANGED = "R502", Ending(Stale), "the plan has changed since the run began",
        "A run continues only with the plan that it began with, or what ran would not be what was reviewed. Apply that one again (`git log` finds \
         it), or give the changed plan a name of its own, with an empty destination.";
    OTHER_PLANS_STATE = "R503", Ending(Stale), "the state directory belongs to another plan",
        "The journal in the state directory is that of a plan with another name. Using it would mix two runs. Point `--state` to this \
         plan's own directory; without the option it is `.plan/<name>/`.";
    DRIFTED = "R504", Ending(Stale), "a server is not what it was when the run began",
        "What both servers are is noted when their precheck has passed, and compared at every start and before a fence. An older version, another \
         role, another eviction policy or foreign keys mean that it may not be the server that was reviewed. Give it back what it \
         was, or begin a run under another name.";

    LEASE_HELD = "R601", Ending(Locked), "another process holds the lease of this run",
        "The destination says that another process works on the run, and names it. If it is alive, leave the work to it. If it is dead, its \
         lease ends within the seconds that the message names; then run the same command again.";
    TAKEN_OVER = "R602", Ending(Locked), "another process has taken the run over",
        "This process was silent for longer than its lease, so another one took the run and this one stopped; none of its batches \
         can land any more. Leave the work to the other one. If this comes often, look at pauses of this host and at the network.";
    STATE_IN_USE = "R603", Ending(Locked), "another process uses the state directory",
        "A process on this host has the state directory locked. It may be an apply in another terminal or one that a supervisor \
         started. Leave the work to it, or stop it first; the lock ends with the process.";
    OVERLAP = "R604", Ending(Locked), "another run writes to the same databases of the destination",
        "The run of another plan is under way at the destination, or was interrupted and is to continue, and writes to a database that this plan \
         writes to as well: each would delete what the other brings. Finish or abort that run first, or renumber with rules under `databases`.";
    LOOP = "R605", Ending(Locked), "another run writes to the databases that this plan reads",
        "The source is the destination of a run that is under way. A plan in the other direction would circulate every write for ever, and keys \
         that are still being migrated have far deadlines. Finish or abort that run first; its record is at the source.";
}

/// The row that stands for every run of this outcome. Exit code 1 has two of them: a check said no, or a comparison did.
#[must_use]
pub const fn of_outcome(outcome: Outcome) -> &'static Fault {
    match outcome {
        Outcome::Done => &DONE,
        Outcome::Refused => &REFUSED,
        Outcome::Different => &DIFFERENT,
        Outcome::Failed => &FAILED,
        Outcome::Held => &HELD,
        Outcome::Locked => &LOCKED,
        Outcome::Stale => &STALE,
        Outcome::Sealed => &SEALED,
        Outcome::Stopped => &STOPPED,
    }
}

#[cfg(test)]
mod tests {
    use super::super::About;
    use super::*;

    #[test]
    fn the_first_row_of_an_outcome_is_named_after_its_exit_code() {
        for fault in ROWS {
            let About::Ending(outcome) = fault.about else { panic!("{} is no ending", fault.code) };
            let general = of_outcome(outcome);
            let code = if outcome == Outcome::Different { 2 } else { outcome.exit_code() };
            assert_eq!(general.code, format!("R0{code:02}"), "{}", fault.code);
            assert_eq!(general.about, fault.about);
        }
    }
}
