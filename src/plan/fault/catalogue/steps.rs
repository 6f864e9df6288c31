//! Faults of the steps: phases, conditions, windows, hooks, the end.

use super::rows;

rows! {
    FULL_MISSING = "P401", Error, "changes are followed without a copy",
        "`incremental` follows the writes that come after a copy of the dataset; without `full` it would apply changes to data that is not there. \
         Write `migration: [full, incremental]`. An interrupted run resumes with the same plan and command.";
    SAME_PHASE = "P402", Error, "a phase is written twice",
        "Each phase of `migration` runs once. A second `full` would copy the dataset again over itself. Delete one of the two; to repeat a finished \
         migration, use a plan with another name.";
    PHASE_ORDER = "P403", Error, "the phases are in the wrong order",
        "Phases run in the order they are written, and changes can only be followed after the copy. Write `migration: [full, incremental]`.";
    NEEDS_INCREMENTAL = "P404", Error, "a block has no meaning without the incremental phase",
        "`stop`, `cutover` and `windows.cutover` say how following the source ends. With `migration: [full]` nothing is followed: the run ends \
         with the copy and these blocks would be ignored. Add `incremental` to `migration`, or delete the block.";
    STOP_FORM = "P405", Error, "stop needs one list of conditions",
        "`stop` holds `any` (one must hold) or `all` (all must hold), one of the two. Without a condition nothing could end but the deadline, which \
         never counts as success. Put the other list inside as one of the conditions.";
    DEADLINE_TOO_EARLY = "P406", Error, "the deadline comes before the conditions can hold",
        "A condition must hold `for` a time, and the deadline passes before that time can be over, so the condition can never end the run. Raise \
         `deadline.after`, or lower the condition's `for`.";
    TIMEZONE = "P407", Error, "the time zone is not an IANA name",
        "Windows are read in one time zone, written by its IANA name, such as `Europe/Berlin`, or `UTC`. Abbreviations (CET, EST) and offsets \
         (+01:00) do not say when summer time begins. Only the form of the name is checked here; that the machine knows it, is checked at the start.";
    HOOK_NEVER = "P408", Error, "a hook's moment never comes",
        "The hook runs at a moment that this plan never reaches, because the phase or the step is not part of it. A hook that never runs is worse \
         than none, as somebody relies on it. Choose another moment, or add the phase.";
    EMPTY_PROGRAM = "P409", Error, "a program has no name",
        "`run` takes the program and its arguments as a list, and runs it without a shell. The first item is the program; it cannot be \
         empty. For a shell line write `[sh, -c, \"...\"]`.";
    ACCOUNT_FORM = "P410", Error, "an account needs a user or a program, not both",
        "An account is removed by deleting an ACL user (`user`) or by a program of yours (`run`), for a source before Redis 6 or a service \
         with its own API. With neither nothing would happen; with both it would be open which one counts.";
    ZERO_TIME = "P411", Error, "a time of zero can never be enough",
        "A timeout or deadline of `0s` is over before it starts, so the step would fail every time. Leave the key out for the default, or give a \
         time that the work can be done in.";
    NO_FENCE = "P412", Warning, "nothing blocks writes at the source",
        "With `fence: none` the run believes that you have stopped every writer. A write that arrives at the source after the last one \
         was followed is lost, without a trace. Prefer `client_pause`, unless the source refuses it.";
    EMPTY_AND_CONFLICT = "P413", Warning, "an expectation contradicts what conflicts mean",
        "The destination is expected to be empty, and yet `on_conflict` says what to do with keys that exist. The run refuses to start when there are \
         any, so `on_conflict` never acts. Keep the one that is meant.";
    NEVER_BELOW = "P414", Error, "a bound that nothing can stay below",
        "A lag is never negative, so `below: 0s` can never hold, and neither can a list of `all` with it. A destination that has applied \
         everything has a lag of zero; `below: 1s` is met then.";
    SAME_CONDITION = "P415", Warning, "the same condition twice",
        "A list of conditions names the same one twice. That changes nothing, but one of them was probably meant to be something else. Delete one \
         of the two.";
    ALWAYS_REFUSED = "P416", Error, "expectations that exclude each other",
        "`expect: { empty: false }` wants keys at the destination, and `on_conflict: fail`, which is the default, wants none there. Every start would \
         be refused. Say what to do with keys that exist (`on_conflict: skip` or `replace`), or expect an empty destination.";
    FENCE_UNKNOWN = "P417", Error, "the source cannot be fenced this way",
        "The fence `client_pause` needs `CLIENT PAUSE`, which came with Redis 3.0, and the source is expected to be older. The cutover would \
         fail at the moment it matters. `fence: min_replicas` works from 2.8 on; with `fence: none` you stop the writers yourself.";
    FENCE_OF_REPLICA = "P418", Warning, "a fence on a replica holds no writer",
        "The source is expected to be a replica, and clients write to its master. Fencing the replica does not stop them, so writes would continue \
         to arrive while the cutover believes that there are none. Name the master as the source, or stop the writers yourself.";
    PROGRAM_MISSING = "P419", Warning, "a program is not on this machine",
        "A hook or an account names a program that is not where the plan says: a path starts at the plan's folder, a name without `/` is \
         looked for in `PATH`. It is a warning, because the run may happen on another machine; there the program must exist.";
    PROGRAM_NOT_EXECUTABLE = "P420", Warning, "a program may not be executed",
        "The file of a hook or an account exists, but has no execute permission, so starting it would fail when its moment comes. Run \
         `chmod +x FILE` (and `git update-index --chmod=+x FILE`), or name its interpreter: `run: [sh, FILE]`.";
    WINDOW_NEVER = "P421", Error, "windows that never open",
        "A window that ends at the minute it begins is never open, and `windows` without `full` or `cutover` opens nothing. A step would wait for \
         ever, or the block would be ignored. Write `00:00-24:00` for a whole day.";
    AUTO_WAITS = "P422", Warning, "an automatic cutover waits for an operator",
        "With `cutover: { mode: auto }` the run cuts over when the stop condition holds, and here only an operator's `plan cutover` fulfils it, as \
         is the case without `stop`. Add a condition such as `lag`, or write `mode: manual`, which says what happens.";
}
