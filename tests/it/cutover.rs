//! Writers are moved over: fence, drain, seal, hooks, and every way in which that can fail.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    cmd,
    faults::{await_told, begin, fill, keys, told, tool, until},
    harness::{Comparer, Plan, Running, Server, Tool},
};

/// A plan that follows until `stop` and then cuts over as `cutover` says.
pub fn plan(source: &Server, destination: &Server, cutover: &str) -> Plan {
    Plan::between(source, destination).following("{ any: [command: cutover] }").line(&format!("cutover: {cutover}"))
}

/// Begins, and waits until it follows and nothing stands against a cutover.
pub fn ready(tool: &Tool) -> Running {
    let mut run = begin(tool);
    assert!(await_told(tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    until("nothing stands against a cutover", || status(tool)["can_cutover"] == true || !run.is_running());
    run
}

pub fn status(tool: &Tool) -> Value {
    let said = tool.run(["status", "move", "--format", "json"]);
    serde_json::from_str(&said.stdout).unwrap_or(Value::Null)
}

/// The plan's tool with a hook that holds the run at this moment: from when the file `waiting` is there until `stay` is removed.
pub fn held(plan: Plan, moment: &str) -> Tool {
    let tool = tool(&plan.line(&format!("hooks: [{{ at: {moment}, run: [./waits.sh] }}]")));
    tool.script("waits.sh", "touch waiting; while test -e stay; do sleep 0.02; done");
    tool.write("stay", "");
    tool
}

pub const CUT: [&str; 4] = ["cutover", "move", "--confirm", "move"];

pub fn wait_for_file(path: &Path) {
    until("the file is there", || path.exists());
}

/// Cuts over from this source with this fence: what was written before is there, the run is sealed, the source has its
/// settings back.
fn moves_over(source: &str, fence: &str) {
    let (source, destination) = (Server::start(source), Server::start("redis-7.2.4"));
    fill(&source, 500, 50);
    let tool = tool(&plan(&source, &destination, &format!("{{ mode: manual, fence: {fence}, timeout: 8s }}")));
    let run = ready(&tool);
    let mut client = source.client();
    for index in 0..1000 {
        client.command(&cmd!["RPUSH", "list", index]);
    }
    tool.run(["cutover", "move"]).expect(1).says("--confirm move");
    tool.run(["cutover", "move", "--confirm", "other"]).expect(2);
    tool.run(["cutover", "move", "--dry-run"]).expect(0).says("Ready for cutover");
    tool.run(CUT).expect(0).says("sealed at offset");
    run.wait().expect(0).says("sealed at offset");
    Comparer::of(&source, &destination).run().assert_equal();
    assert!(client.command(&cmd!["KEYS", "redis-plan:*"]).items().is_empty(), "no key of ours is at the source");
    let sealed = &told(&tool, "\"event\":\"sealed\"")[0]["result"];
    assert_eq!(sealed["proven"], fence == "client_pause", "{sealed}");
    assert!(sealed["blocked"].as_f64().unwrap() < 3.0, "{sealed}");
    // The source takes writes again, and nothing of them goes over.
    until("the source takes writes", || !client.reply(&cmd!["SET", "late", 1]).is_error());
    let limits = client.command(&cmd!["CONFIG", "GET", "min-slaves-to-write"]);
    assert!(format!("{limits:?}").contains("\"0\""), "{limits:?}");
    tool.run(["apply", "plan.yaml"]).expect(7).because("R007").says("sealed");
    tool.run(["apply", "plan.yaml", "--state", "elsewhere"]).expect(7).says("sealed");
    assert_eq!(destination.client().command(&cmd!["EXISTS", "late"]).int(), 0);
}

#[test]
fn writers_of_3_0_are_paused() {
    moves_over("redis-3.0.5", "client_pause");
}

#[test]
fn writers_of_5_0_are_paused() {
    moves_over("redis-5.0.10", "client_pause");
}

#[test]
fn writers_of_7_2_are_paused() {
    moves_over("redis-7.2.4", "client_pause");
}

#[test]
fn writers_of_2_8_lack_replicas() {
    moves_over("redis-2.8.17", "min_replicas");
}

#[test]
fn writers_of_5_0_lack_replicas() {
    moves_over("redis-5.0.10", "min_replicas");
}

#[test]
fn writers_that_the_operator_stopped_are_believed() {
    moves_over("redis-5.0.10", "none");
}

#[test]
fn a_source_that_cannot_be_paused_is_refused_before_the_copy() {
    let (source, destination) = (Server::start("redis-2.8.17"), Server::start("redis-7.2.4"));
    let tool = tool(&plan(&source, &destination, "{ mode: manual }"));
    begin(&tool).wait().expect(1).says("source-fence").says("no CLIENT PAUSE").says("fence: min_replicas");
}

#[test]
fn a_source_that_may_not_be_paused_any_more_says_so_and_is_followed_on() {
    let (source, destination) = (Server::start("redis-7.0.15"), Server::start("redis-7.2.4"));
    let mut client = source.client();
    client.command(&cmd!["ACL", "SETUSER", "mover", "on", ">secret", "~*", "+@all"]);
    let plan =
        plan(&source, &destination, "{ mode: manual }").source("username: mover").source("password: { env: SECRET }");
    let tool = tool(&plan).env("SECRET", "secret");
    let run = ready(&tool);
    client.command(&cmd!["ACL", "SETUSER", "mover", "-client|pause"]);
    tool.run(CUT).expect(1).says("NOPERM");
    client.command(&cmd!["SET", "after", 1]);
    until("it is followed on", || destination.client().command(&cmd!["EXISTS", "after"]).int() == 1);
    drop(run);
}

#[test]
fn a_plan_cuts_over_by_itself_and_runs_its_hooks_once() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 100, 50);
    let moments = [
        "precheck.passed",
        "full.started",
        "full.done",
        "incremental.caught_up",
        "cutover.fenced",
        "cutover.sealed",
        "cleanup.done",
    ];
    let hooks: Vec<String> =
        moments.iter().map(|moment| format!("{{ at: {moment}, run: [./note.sh, \"{moment}\"] }}")).collect();
    let plan = Plan::between(&source, &destination)
        .following("{ all: [ { lag: { below: 1s, for: 1s } } ] }")
        .line("cutover: { mode: auto, timeout: 5s }")
        .line(&format!("hooks: [{}]", hooks.join(", ")));
    let tool = tool(&plan);
    tool.script("note.sh", "echo \"$1 $PLAN_NAME $PLAN_MOMENT ${PLAN_OFFSET:+offset}\" >> notes");
    begin(&tool).wait().expect(0).says("sealed at offset");
    let notes = fs::read_to_string(tool.folder().join("notes")).unwrap();
    let expected: Vec<String> = moments
        .iter()
        .map(|moment| {
            let offset = if moment.starts_with("cutover") { "offset" } else { "" };
            format!("{moment} move {moment} {offset}")
        })
        .collect();
    assert_eq!(notes.lines().collect::<Vec<_>>(), expected);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_hook_that_fails_while_fenced_undoes_the_cutover() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let plan = plan(&source, &destination, "{ mode: manual, timeout: 20s }")
        .line("hooks: [{ at: cutover.fenced, run: [./fails.sh] }, { at: cutover.undone, run: [./undone.sh] }]");
    let tool = tool(&plan);
    tool.script("fails.sh", "test -e may-pass || { echo not today; exit 1; }");
    tool.script("undone.sh", "echo \"$PLAN_REASON\" > undone");
    let run = ready(&tool);
    tool.run(CUT).expect(1).says("undone").says("not today");
    // Writers go on at once, and are followed.
    source.client().command(&cmd!["SET", "after", 1]);
    until("it is followed on", || destination.client().command(&cmd!["EXISTS", "after"]).int() == 1);
    wait_for_file(&tool.folder().join("undone"));
    assert_eq!(told(&tool, "cutover_undone")[0]["part"], "drain");
    tool.write("may-pass", "");
    until("nothing stands against a cutover", || status(&tool)["can_cutover"] == true);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_cutover_that_takes_too_long_is_undone_and_one_is_cancelled() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = held(plan(&source, &destination, "{ mode: manual, timeout: 20s }"), "cutover.fenced");
    let run = ready(&tool);
    tool.run(["cutover", "move", "--confirm", "move", "--timeout", "1s"]).expect(1).says("not sealed within 1 s");
    source.client().command(&cmd!["SET", "one", 1]);
    tool.run(["cutover", "move", "--cancel"]).expect(1).says("No cutover is under way");
    fs::remove_file(tool.folder().join("waiting")).unwrap();
    until("nothing stands against a cutover", || status(&tool)["can_cutover"] == true);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    until("it says so", || status(&tool)["activity"] == "cutting_over");
    tool.run(["cutover", "move", "--cancel"]).expect(0).says("undone");
    cutting.wait().expect(1).says("cancelled");
    source.client().command(&cmd!["SET", "two", 1]);
    fs::remove_file(tool.folder().join("stay")).unwrap();
    until("nothing stands against a cutover", || status(&tool)["can_cutover"] == true);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
    assert_eq!(keys(&destination), 2);
}

#[test]
fn a_pause_that_cannot_be_ended_stands_against_the_next_cutover() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let plan = plan(&source, &destination, "{ mode: manual, timeout: 8s }")
        .line("hooks: [{ at: cutover.fenced, run: [./waits.sh] }]");
    let tool = tool(&plan);
    tool.script("waits.sh", "while test -e stay; do sleep 0.05; done");
    tool.write("stay", "");
    let run = ready(&tool);
    tool.run(["cutover", "move", "--confirm", "move", "--timeout", "2s"]).expect(1).says("not sealed within 2 s");
    fs::remove_file(tool.folder().join("stay")).unwrap();
    tool.run(["cutover", "move", "--dry-run"]).expect(1).says("which no command can end before 6.2");
    until("nothing stands against a cutover", || status(&tool)["can_cutover"] == true);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
}

#[test]
fn a_tool_that_dies_while_the_source_is_fenced_costs_its_time_and_no_setting() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let mut client = source.client();
    client.command(&cmd!["CONFIG", "SET", "min-slaves-max-lag", "0"]);
    let tool =
        held(plan(&source, &destination, "{ mode: manual, fence: min_replicas, timeout: 20s }"), "cutover.fenced");
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    assert!(client.reply(&cmd!["SET", "refused", 1]).is_error(), "the source is fenced");
    run.kill9();
    cutting.wait().expect(3);
    tool.run(["cleanup", "plan.yaml"]).expect(0).says("settings back");
    tool.run(["cleanup", "plan.yaml"]).expect(0).says("nothing to put back");
    client.command(&cmd!["SET", "allowed", 1]);
    let lag = client.command(&cmd!["CONFIG", "GET", "min-slaves-max-lag"]);
    assert!(format!("{lag:?}").contains("\"0\""), "{lag:?}");
    fs::remove_file(tool.folder().join("stay")).unwrap();
    let run = ready(&tool);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_fence_that_a_dead_tool_left_is_lifted_when_the_run_goes_on() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let tool =
        held(plan(&source, &destination, "{ mode: manual, fence: min_replicas, timeout: 20s }"), "cutover.fenced");
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    run.kill9();
    cutting.wait().expect(3);
    assert!(source.client().reply(&cmd!["SET", "refused", 1]).is_error(), "the source is fenced");
    fs::remove_file(tool.folder().join("stay")).unwrap();
    let run = ready(&tool);
    source.client().command(&cmd!["SET", "allowed", 1]);
    until("it is followed", || destination.client().command(&cmd!["EXISTS", "allowed"]).int() == 1);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
}

/// Nothing of the dead process is left but what the destination knows.
#[test]
fn a_fence_that_a_dead_tool_left_is_lifted_from_elsewhere() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let tool =
        held(plan(&source, &destination, "{ mode: manual, fence: min_replicas, timeout: 20s }"), "cutover.fenced");
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    run.kill9();
    cutting.wait().expect(3);
    fs::remove_file(tool.folder().join("stay")).unwrap();
    assert!(source.client().reply(&cmd!["SET", "refused", 1]).is_error(), "the source is fenced");
    fs::remove_dir_all(tool.folder().join(".plan")).unwrap();
    destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    let run = ready(&tool);
    source.client().command(&cmd!["SET", "allowed", 1]);
    until("it is followed", || destination.client().command(&cmd!["EXISTS", "allowed"]).int() == 1);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// The destination stands still from before the seal until the pause of the writers has run out.
#[test]
fn a_destination_that_does_not_answer_under_the_fence_undoes_the_cutover_in_time() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let tool = held(plan(&source, &destination, "{ mode: manual, timeout: 2s }"), "cutover.fenced");
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    destination.pause();
    fs::remove_file(tool.folder().join("stay")).unwrap();
    until("it makes the near deadlines exact", || told(&tool, "\"part\":\"settle\"").len() == 2);
    until("it is undone", || !told(&tool, "cutover_undone").is_empty());
    // Answered once the pause has run out.
    source.client().command(&cmd!["SET", "behind the fence", 1]);
    destination.resume();
    cutting.wait().expect(1).says("undone").says("settle");
    until("it is followed on", || destination.client().command(&cmd!["EXISTS", "behind the fence"]).int() == 1);
    until("nothing stands against a cutover", || status(&tool)["can_cutover"] == true);
    tool.run(CUT).expect(0);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_hook_behind_the_seal_that_fails_is_run_again_and_nothing_else_is() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let plan = plan(&source, &destination, "{ mode: manual, timeout: 5s }")
        .line("hooks: [{ at: cutover.sealed, run: [./switch.sh], on_error: hold }]");
    let tool = tool(&plan);
    tool.script("switch.sh", "echo once >> switched; test -e may-pass");
    let run = ready(&tool);
    source.client().command(&cmd!["SET", "before", 1]);
    tool.run(CUT).expect(0);
    run.wait().expect(4).because("R004").says("./switch.sh");
    tool.run(["apply", "plan.yaml"]).expect(4);
    // A copy of the state directory without what it knows of the seal, and none at all, are turned away.
    tool.run(["apply", "plan.yaml", "--state", "elsewhere"]).expect(7);
    tool.write("may-pass", "");
    tool.run(["apply", "plan.yaml"]).expect(0);
    tool.run(["apply", "plan.yaml"]).expect(7);
    assert_eq!(fs::read_to_string(tool.folder().join("switched")).unwrap().lines().count(), 3);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn a_closed_window_holds_a_copy_and_a_cutover() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 10, 10);
    // Windows of days: one that is open now and one that is not.
    let output = std::process::Command::new("date").args(["-u", "+%a"]).output().unwrap();
    let today = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let index = days.iter().position(|day| *day == today).unwrap();
    let (open, closed) = (format!("{}-{} 00:00-24:00", days[index], days[(index + 2) % 7]), days[(index + 4) % 7]);
    let closed = format!("{closed} 00:00-24:00");
    let windows = |full: &str, cutover: &str| {
        format!("windows: {{ timezone: UTC, full: [\"{full}\"], cutover: [\"{cutover}\"] }}")
    };
    let held = tool(&plan(&source, &destination, "{ mode: manual }").line(&windows(&closed, &open)));
    held.run(["apply", "plan.yaml", "--no-wait"]).expect(4).says("windows.full");
    assert_eq!(keys(&destination), 0);

    let held = tool(&plan(&source, &destination, "{ mode: manual }").name("other").line(&windows(&open, &closed)));
    let mut run = begin(&held);
    assert!(await_told(&held, &mut run, "\"event\":\"following\""));
    let said = held.run(["cutover", "other", "--confirm", "other"]).expect(1);
    assert!(said.to_string().contains("windows.cutover"), "{said}");
    drop(run);
}

#[test]
fn accounts_are_removed_and_proved_removed() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 10, 10);
    for server in [&source, &destination] {
        server.client().command(&cmd!["ACL", "SETUSER", "mig", "on", ">secret-of-mig", "~*", "&*", "+@all"]);
    }
    let plan = Plan::between(&source, &destination)
        .source("username: mig")
        .source("password: { env: MIG }")
        .destination("username: mig")
        .destination("password: { env: MIG }")
        .line("cleanup: { accounts: [{ side: source, run: [./remove.sh] }, { side: destination, user: mig }] }");
    let tool = tool(&plan).env("MIG", "secret-of-mig").env("PATH", "/usr/bin:/bin");
    tool.script("remove.sh", "env > environment; test -e may-pass && touch removed");
    tool.run(["apply", "plan.yaml"]).expect(3).because("R003").says("remove.sh");
    let environment = fs::read_to_string(tool.folder().join("environment")).unwrap();
    assert!(environment.contains("PLAN_SIDE=source") && !environment.contains("secret-of-mig"), "{environment}");
    tool.write("may-pass", "");
    tool.run(["apply", "plan.yaml"]).expect(3).says("still lets in");
    source.client().command(&cmd!["ACL", "DELUSER", "mig"]);
    tool.run(["apply", "plan.yaml"]).expect(0);
    let removed = told(&tool, "account_removed");
    assert!(removed.is_empty(), "events are of runs with --events alone");
    tool.run(["report", "move"]).expect(0).says("password is refused");
    for server in [&source, &destination] {
        let users = server.client().command(&cmd!["ACL", "USERS"]);
        assert_eq!(users.items().len(), 1, "{users:?}");
    }
    Comparer::of(&source, &destination).run().assert_equal();
}
