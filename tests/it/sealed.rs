//! Behind a seal nothing is written, by any process with any state.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    cmd,
    faults::{await_told, begin, fill, told, tool, until},
    following::record,
    harness::{Comparer, Plan, Proxy, Server, Tool},
};

fn plan(source: &Server, destination: u16, cutover: &str) -> Plan {
    Plan::between_ports(source.port(), destination)
        .following("{ any: [command: cutover] }")
        .line(&format!("cutover: {cutover}"))
}

fn can_cut_over(tool: &Tool, state: &str) -> bool {
    let said = tool.run(["status", "move", "--format", "json", "--state", state]);
    serde_json::from_str(&said.stdout).unwrap_or(Value::Null)["can_cutover"] == true
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

const STATE: &str = ".plan/move";
const YEAR: i64 = 365 * 24 * 3600;

#[test]
fn sealed_is_final_for_every_process_and_every_copy_of_the_state() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 500, 50);
    let mut tool = tool(&plan(&source, destination.port(), "{ mode: manual, timeout: 8s }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    source.client().command(&cmd!["INCR", "n"]);
    // A backup of the state of a run that follows; the process behind it sleeps from now on.
    run.signal(Signal::STOP);
    copy(&tool.folder().join(STATE), &tool.folder().join("backup"));
    until("its heartbeat ends", || record(&destination, "heartbeat").is_none());
    let mut other = tool.start(["apply", "plan.yaml", "--state", "elsewhere", "--events", "elsewhere.events"]);
    until("nothing stands against a cutover", || can_cut_over(&tool, "elsewhere") || !other.is_running());
    tool.run(["cutover", "move", "--confirm", "move", "--state", "elsewhere"]).expect(0).says("sealed at offset");
    other.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
    copy(&tool.folder().join("elsewhere"), &tool.folder().join("copied"));

    let digest = || destination.client().command(&cmd!["DEBUG", "DIGEST"]).text().to_owned();
    let sealed = digest();
    let mut client = source.client();
    until("the source takes writes", || !client.reply(&cmd!["INCR", "n"]).is_error());
    run.signal(Signal::CONT);
    let woken = run.wait();
    assert!(matches!(woken.code(), Some(5 | 7)), "{woken}");
    assert_eq!(digest(), sealed, "the woken process wrote: {woken}");
    for ahead in [0, YEAR, -YEAR] {
        tool = tool.clock_ahead(ahead);
        for state in [STATE, "elsewhere", "backup", "copied", "empty"] {
            tool.run(["apply", "plan.yaml", "--state", state]).expect(7).says("sealed");
            let aborted =
                tool.run(["abort", "move", "--delete", "--confirm", "move", "--plan", "plan.yaml", "--state", state]);
            assert_ne!(aborted.code(), Some(0), "{aborted}");
            tool.run(["cleanup", "plan.yaml", "--state", state]);
            tool.run(["verify", "plan.yaml", "--repair", "--state", state]).expect(7);
            assert_eq!(digest(), sealed, "{state}, {ahead} s ahead");
        }
    }
}

/// What comes behind the seal where no fence is up, as far as the plan's rules take it.
#[test]
fn writes_behind_a_seal_that_no_fence_proves_are_counted() {
    for (db, is_lost) in [(0, true), (3, false)] {
        let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        fill(&source, 100, 50);
        let to = Proxy::to(destination.port());
        let cutover = "{ mode: manual, fence: none, timeout: 20s }";
        let tool = tool(&plan(&source, to.port(), cutover).line("databases: [0]"));
        let mut run = begin(&tool);
        assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
        until("nothing stands against a cutover", || can_cut_over(&tool, STATE));
        // Each answer comes 30 ms later: a seal takes longer than what lies between two writes.
        to.delay(15);
        let mut client = source.client();
        client.command(&cmd!["SELECT", db]);
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let writing = thread::spawn(move || {
            while !ends.load(SeqCst) {
                client.command(&cmd!["INCR", "n"]);
                thread::sleep(Duration::from_millis(70));
            }
        });
        let cut = tool.run(["cutover", "move", "--confirm", "move"]);
        let ended = run.wait();
        over.store(true, SeqCst);
        writing.join().unwrap();
        let result = &told(&tool, "\"event\":\"sealed\"")[0]["result"];
        if is_lost {
            cut.expect(1).says("more commands came at the source");
            ended.expect(3).says("more commands came at the source");
            assert!(result["late"].as_u64().unwrap() > 0, "{result}");
        } else {
            cut.expect(0);
            ended.expect(0);
            assert!(result.get("late").is_none(), "{result}");
        }
    }
}
