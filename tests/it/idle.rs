//! Orders to a run that no process works on: what they do, and that its evidence has it.

use std::fs;

use serde_json::Value;

use crate::{
    cmd,
    faults::{fill, keys, tool, until},
    following::follow,
    harness::{Plan, Server, Tool},
};

/// A run that raised a limit at its source, follows it, and was killed.
fn killed() -> (Server, Server, Tool) {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 200, 20);
    let plan = Plan::between(&source, &destination)
        .following("{ any: [command: cutover] }")
        .line("buffer: { replica_output: unlimited }");
    let tool = tool(&plan);
    let run = follow(&tool);
    until("all is there", || keys(&destination) == 200);
    run.kill9();
    (source, destination, tool)
}

/// The report as JSON; the page in the state directory and the Markdown must have all of `told`.
fn report(tool: &Tool, told: &[&str]) -> Value {
    let page = fs::read_to_string(tool.folder().join(".plan/move/report.html")).unwrap();
    let markdown = tool.run(["report", "move", "--format", "md"]).expect(0).stdout;
    for word in told {
        assert!(markdown.contains(word), "no {word:?} in\n{markdown}");
        assert!(page.contains(&word.replace('`', "")) || page.contains(word), "no {word:?} in the page");
    }
    let json = tool.run(["report", "move", "--format", "json"]).expect(0).stdout;
    serde_json::from_str::<Value>(&json).unwrap()["run"].take()
}

fn limit(source: &Server) -> String {
    format!("{:?}", source.client().command(&cmd!["CONFIG", "GET", "client-output-buffer-limit"]))
}

#[test]
fn an_abort_of_an_idle_run_is_in_its_report() {
    let (source, destination, tool) = killed();
    let raised = limit(&source);
    tool.run(["abort", "move", "--plan", "plan.yaml"]).expect(0).says("aborted and sealed");
    assert_ne!(limit(&source), raised);
    assert_eq!(keys(&destination), 200);
    let told = ["order: abort", "order: aborted and sealed", "sealed"];
    let run = report(&tool, &told);
    let attempts = run["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{run:#}");
    assert_eq!(attempts[1]["number"], 2);
    assert_eq!((&attempts[1]["ending"]["outcome"], &attempts[1]["ending"]["code"]), (&"sealed".into(), &"R104".into()));
    assert!(attempts[1]["ending"]["at"].as_i64().is_some_and(|at| at >= attempts[0]["until"].as_i64().unwrap()));
    assert!(!run["settings"][0]["restored"].is_null(), "{run:#}");
    tool.run(["status", "move"]).expect(0).says("sealed at").says("aborted and sealed");
    tool.run(["apply", "plan.yaml"]).expect(7);
}

#[test]
fn a_cleanup_of_an_idle_run_is_in_its_report() {
    let (source, destination, tool) = killed();
    let raised = limit(&source);
    tool.run(["cleanup", "plan.yaml"]).expect(0).says("settings back");
    assert_ne!(limit(&source), raised);
    let run = report(&tool, &["order: put back what the run has changed", "client-output-buffer-limit", "stopped"]);
    let process = &run["attempts"][1];
    assert_eq!(process["ending"]["code"], "R106");
    assert_eq!(process["ending"]["outcome"], "stopped", "the run itself has not ended");
    assert!(!run["settings"][0]["restored"].is_null(), "{run:#}");
    tool.run(["status", "move"]).expect(0).says("stopped at").says("The source has its settings back.");
    // It goes on as before, and its third process is the third in the report.
    let run = follow(&tool);
    source.client().command(&cmd!["SET", "after", 1]);
    until("it is followed", || destination.client().command(&cmd!["EXISTS", "after"]).int() == 1);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
    let told = report(&tool, &[]);
    assert_eq!(told["attempts"].as_array().unwrap().len(), 3);
    // A finished run is not told of any more.
    tool.run(["cleanup", "plan.yaml"]).expect(0).says("nothing to put back");
    assert_eq!(report(&tool, &[]), told);
}
