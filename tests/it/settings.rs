//! A setting of the source that a run has changed is put back, or the run says that it is not and tries again.

use crate::{
    cmd,
    cutover::{CUT, plan, ready, wait_for_file},
    faults::{begin, fill, keys, tool, until},
    harness::{Plan, Reply, Server, Tool},
};

/// A user of the source whose rights a test takes away and gives back.
fn mover(source: &Server, rules: &[&str]) {
    let mut command = cmd!["ACL", "SETUSER", "mover", "on", ">s3cret"];
    command.extend(rules.iter().map(|rule| rule.as_bytes().to_vec()));
    source.client().command(&command);
}

fn as_mover(plan: Plan) -> Tool {
    tool(&plan.source("username: mover").source("password: { env: SOURCE }")).env("SOURCE", "s3cret")
}

fn setting(source: &Server, name: &str) -> String {
    source.client().command(&cmd!["CONFIG", "GET", name]).items()[1].text().to_owned()
}

/// What the run record at the destination says of a setting.
fn recorded(destination: &Server, name: &str) -> String {
    match destination.client().command(&cmd!["HGET", "redis-plan:{move}:run", format!("setting:{name}")]) {
        Reply::Nil => String::new(),
        value => value.text().to_owned(),
    }
}

/// A run that was killed while its source was fenced by `min_replicas`.
fn killed_in_a_fence() -> (Server, Server, Tool) {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    mover(&source, &["~*", "&*", "+@all"]);
    let plan = plan(&source, &destination, "{ mode: manual, fence: min_replicas, timeout: 20s }")
        .line("hooks: [{ at: cutover.fenced, run: [./waits.sh] }]");
    let tool = as_mover(plan);
    tool.script("waits.sh", "touch waiting; while test -e stay; do sleep 0.05; done");
    tool.write("stay", "");
    let run = ready(&tool);
    let cutting = tool.start(CUT);
    wait_for_file(&tool.folder().join("waiting"));
    run.kill9();
    cutting.wait().expect(3);
    std::fs::remove_file(tool.folder().join("stay")).unwrap();
    destination.client().command(&cmd!["DEL", "redis-plan:{move}:heartbeat"]);
    assert_eq!(setting(&source, "min-replicas-to-write"), "1000000");
    (source, destination, tool)
}

/// Invariant 10: a refused `CONFIG GET` is no value.
#[test]
fn a_fence_that_cannot_be_read_stays_recorded_until_it_is_lifted() {
    let (source, destination, tool) = killed_in_a_fence();
    let was = recorded(&destination, "min-slaves-to-write");
    assert!(!was.is_empty(), "it is recorded at the destination");
    mover(&source, &["-config|get"]);
    for arguments in [["cleanup", "plan.yaml"], ["apply", "plan.yaml"], ["cleanup", "plan.yaml"]] {
        let ended = tool.run(arguments).expect(3).because("R319");
        ended.says("`min-slaves-to-write`, which this run has changed, is not put back").says("+config|get");
        assert_eq!(setting(&source, "min-replicas-to-write"), "1000000");
        assert_eq!(recorded(&destination, "min-slaves-to-write"), was);
    }
    tool.run(["apply", "plan.yaml", "--state", "elsewhere"]).expect(1).says("source-fence").says("config|get");
    assert_eq!(recorded(&destination, "min-slaves-to-write"), was);
    mover(&source, &["+config|get", "-config|set"]);
    tool.run(["cleanup", "plan.yaml"]).expect(3).because("R319").says("config|set");
    mover(&source, &["+config|set"]);
    tool.run(["cleanup", "plan.yaml"]).expect(0).says("settings back");
    assert_eq!(setting(&source, "min-replicas-to-write"), "0");
    assert_eq!(recorded(&destination, "min-slaves-to-write"), "");
    source.client().command(&cmd!["SET", "allowed", 1]);
}

/// The destination is sealed by `plan abort`, and the writers of the source are still refused.
#[test]
fn an_abort_that_leaves_the_source_fenced_is_no_success() {
    let (source, destination, tool) = killed_in_a_fence();
    mover(&source, &["-config|get"]);
    let abort = ["abort", "move", "--plan", "plan.yaml"];
    let ended = tool.run(abort);
    assert_ne!(ended.code(), Some(0), "{ended}");
    assert!(!recorded(&destination, "min-slaves-to-write").is_empty());
    mover(&source, &["+config|get"]);
    tool.run(["cleanup", "plan.yaml"]).expect(0).says("settings back");
    assert_eq!(setting(&source, "min-replicas-to-write"), "0");
}

#[test]
fn a_limit_that_cannot_be_read_at_the_end_is_put_back_by_the_next_process() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 200, 20);
    mover(&source, &["~*", "&*", "+@all"]);
    let before = setting(&source, "client-output-buffer-limit");
    let plan = Plan::between(&source, &destination)
        .following("{ any: [command: cutover] }")
        .line("buffer: { replica_output: unlimited }");
    let tool = as_mover(plan);
    let run = ready(&tool);
    until("all is there", || keys(&destination) == 200);
    mover(&source, &["-config|get"]);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(3).because("R319").says("`client-output-buffer-limit`");
    begin(&tool).wait().expect(3).because("R319");
    assert_ne!(setting(&source, "client-output-buffer-limit"), before);
    mover(&source, &["+config|get"]);
    begin(&tool).wait().expect(0);
    assert_eq!(setting(&source, "client-output-buffer-limit"), before);
}
