//! `plan check` against servers that are set up wrong: each item says so, with its code, at the plan's own line.

use std::fs;

use crate::{
    cmd,
    faults::{fill, tool},
    harness::{Direction, Fault, Plan, Proxy, Server, Tool},
};

/// What `plan check --only ITEM` said of the item.
pub struct Found {
    pub exit: Option<i32>,
    pub code: String,
    pub verdict: String,
    /// The plan's line that it is about, without indentation.
    pub line: String,
    pub seen: String,
    pub remedy: String,
    /// What a terminal would show of it.
    pub shown: String,
}

/// Checks one item of a plan.
pub fn check(plan: &Plan, item: &str) -> Found {
    check_with(&tool(plan), plan, item)
}

/// The same with a tool that has passwords.
pub fn check_with(tool: &Tool, plan: &Plan, item: &str) -> Found {
    let ended = tool.run(["check", "plan.yaml", "--format", "json", "--only", item, "--output", "human=shown.txt"]);
    let json: serde_json::Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
    let checks = json["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["item"] == item).unwrap_or_else(|| panic!("no {item}: {ended}"));
    let text = |field: &str| found[field].as_str().unwrap_or_else(|| panic!("no {field}: {found}")).to_owned();
    let line = usize::try_from(found["line"].as_u64().unwrap()).unwrap();
    Found {
        exit: ended.code(),
        code: text("code"),
        verdict: text("verdict"),
        line: plan.text().lines().nth(line - 1).unwrap().trim().to_owned(),
        seen: text("seen"),
        remedy: text("remedy"),
        shown: fs::read_to_string(tool.folder().join("shown.txt")).unwrap(),
    }
}

impl Found {
    /// It fails the check, under this code, at a line that begins so, and says this of what was seen and of the way out.
    pub fn fails(&self, code: &str, line: &str, seen: &str, remedy: &str) -> &Self {
        assert_eq!((self.verdict.as_str(), self.exit), ("fail", Some(1)), "{}", self.seen);
        self.is(code, line, seen, remedy);
        self
    }

    /// It warns, and the check passes.
    pub fn warns(&self, code: &str, line: &str, seen: &str, remedy: &str) -> &Self {
        assert_eq!((self.verdict.as_str(), self.exit), ("warn", Some(0)), "{}", self.seen);
        self.is(code, line, seen, remedy);
        self
    }

    /// It could not be found out, and the check passes.
    pub fn is_unknown(&self, code: &str, line: &str, seen: &str, remedy: &str) -> &Self {
        assert_eq!((self.verdict.as_str(), self.exit), ("unknown", Some(0)), "{}", self.seen);
        self.is(code, line, seen, remedy);
        self
    }

    /// Pins what is shown, but for what is another one each time. One case of each item is pinned.
    pub fn pinned(&self) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_snapshot_path("../snapshots/check");
        for (what, instead) in [
            (r"answers: .*", "answers: SERVER"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"[0-9a-f]{40}", "ID"),
            (r"\d+(\.\d+)? (B|KiB|MiB|GiB)\b", "SIZE"),
            (r"\d+(\.\d+)? (ms|s)\b", "TIME"),
            (r"(maxmemory|repl-backlog-size|maxclients) \d+", "$1 N"),
            (r"\d+ of (\d+) connections", "N of $1 connections"),
            (r"(in|of) /[^ ,]+", "$1 FOLDER"),
        ] {
            settings.add_filter(what, instead);
        }
        settings.bind(|| insta::assert_snapshot!(self.code.clone(), self.shown));
    }

    /// It passes and says this of what was seen.
    pub fn passes(&self, seen: &str) {
        assert_eq!((self.verdict.as_str(), self.exit), ("pass", Some(0)), "{} {}", self.seen, self.remedy);
        assert!(self.seen.contains(seen), "{}", self.seen);
        assert_eq!(self.remedy, "");
    }

    fn is(&self, code: &str, line: &str, seen: &str, remedy: &str) {
        assert_eq!(self.code, code);
        assert!(self.line.starts_with(line), "at {:?}, not {line:?}: {}", self.line, self.seen);
        assert!(self.seen.contains(seen), "{}", self.seen);
        assert!(self.remedy.contains(remedy), "{}", self.remedy);
    }
}

/// A destination that nothing is wrong with.
pub fn modern() -> Server {
    Server::start("redis-7.0.15")
}

/// A plan with a user on one side.
pub fn as_user(plan: Plan, side: &str, user: &str) -> Plan {
    let lines = [format!("username: {user}"), "password: { env: SECRET }".to_owned()];
    lines.iter().fold(plan, |plan, line| if side == "source" { plan.source(line) } else { plan.destination(line) })
}

#[test]
fn what_is_wrong_is_shown_at_the_plans_own_line() {
    let source = Server::start("redis-5.0.10");
    let destination = Server::of("redis-7.0.15").arg("--maxmemory-policy", "allkeys-lru").start();
    for server in [&source, &destination] {
        server.client().command(&cmd!["SET", "key", 1]);
    }
    let plan =
        Plan::between(&source, &destination).destination("expect: { eviction: noeviction }").line("on_conflict: fail");
    let ended = tool(&plan).run(["check", "plan.yaml", "--only", "destination-eviction,destination-empty"]).expect(1);
    let ports = [(source.port(), "SOURCE"), (destination.port(), "DESTINATION")];
    let shown = ports.iter().fold(ended.stdout.clone(), |text, (port, name)| text.replace(&port.to_string(), name));
    insta::assert_snapshot!(shown);
    assert!(ended.stderr.contains("2 items of the precheck failed"), "{ended}");
}

#[test]
fn every_item_of_two_good_servers_passes() {
    let (source, destination) = (modern(), modern());
    fill(&source, 100, 100);
    for (plan, items) in [
        (Plan::between(&source, &destination), 38),
        (Plan::between(&source, &destination).following("{ any: [command: cutover] }"), 42),
        (
            Plan::between(&source, &destination)
                .following("{ any: [command: cutover] }")
                .line("cutover: { mode: manual }"),
            43,
        ),
    ] {
        let ended = tool(&plan).run(["check", "plan.yaml", "--format", "json"]).expect(0);
        let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let checks = json["checks"].as_array().unwrap();
        // How much memory and disk this machine has is its own business.
        let wrong: Vec<_> =
            checks.iter().filter(|check| check["verdict"] != "pass" && check["code"] != "C112").collect();
        assert!(wrong.is_empty() && checks.len() == items, "{} {wrong:#?}", checks.len());
        assert!(checks.iter().all(|check| check["why"].as_str().is_some_and(|why| !why.is_empty())));
    }
    let untouched = [&source, &destination].map(|server| server.client().command(&cmd!["DBSIZE"]).int());
    assert_eq!(untouched, [100, 0]);
}

#[test]
fn what_fails_is_told_in_the_formats_of_code_hosts_too() {
    let (source, destination) = (modern(), Server::of("redis-7.0.15").arg("--maxmemory", "1mb").start());
    let plan = Plan::between(&source, &destination);
    let tool = tool(&plan);
    let run = |format: &str| {
        let ended = tool.run(["check", "plan.yaml", "--format", format, "--only", "destination-memory"]);
        ended.expect(1).stdout
    };
    let sarif: serde_json::Value = serde_json::from_str(&run("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!((result["ruleId"].as_str(), result["level"].as_str()), (Some("C205"), Some("error")));
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 6);
    assert!(run("github").starts_with("::error file=plan.yaml,line=6,"));
    assert!(run("concise").starts_with("plan.yaml:6:"));
}

#[test]
fn junit_has_a_case_for_each_item() {
    let (source, destination) = (modern(), Server::of("redis-7.0.15").arg("--maxmemory", "1mb").start());
    let plan = Plan::between(&source, &destination);
    let tool = tool(&plan);
    let only = ["check", "plan.yaml", "--only", "destination-memory", "--format", "junit"];
    let files = ["--output", "json=all.json", "--output", "junit=all.xml", "--output", "human=all.txt"];
    let arguments: [&str; 12] = [only.as_slice(), files.as_slice()].concat().try_into().unwrap();
    let ended = tool.run(arguments).expect(1);
    let written = |name: &str| fs::read_to_string(tool.folder().join(name)).unwrap();
    assert_eq!(written("all.xml"), ended.stdout);
    let json: serde_json::Value = serde_json::from_str(&written("all.json")).unwrap();
    assert_eq!((json["format"].as_u64(), json["checks"][2]["line"].as_u64()), (Some(1), Some(6)), "{json}");
    assert!(written("all.txt").contains("C205 ("));
    for part in
        ["tests=\"3\" failures=\"1\"", "name=\"C205 destination-memory\"", "<failure type=\"C205\"", "line=\"6\""]
    {
        assert!(ended.stdout.contains(part), "{part}: {ended}");
    }
}

#[test]
fn an_item_that_is_none_is_told_apart_from_a_failed_check() {
    let tool = tool(&Plan::between_ports(1, 1));
    tool.run(["check", "plan.yaml", "--only", "clock"]).expect(2).says("clocks");
}

#[test]
fn a_server_that_goes_while_it_is_asked_leaves_the_question_open() {
    let (source, destination) = (modern(), modern());
    let from = Proxy::to(source.port()).with(Fault::cut(Direction::ToClient, 0).once_sent("listening-port"));
    let plan = Plan::between_ports(from.port(), destination.port());
    tool(&plan).run(["check", "plan.yaml"]).expect(75).says("closed");
    assert_eq!(from.struck(), 1);
}

#[test]
fn the_way_in_is_judged_where_the_plan_says_it() {
    let locked = Server::of("redis-7.0.15").password("right").start();
    let open = modern();
    let wrong = |plan: Plan, side: &str| {
        let line = "password: { env: SECRET }";
        if side == "source" { plan.source(line) } else { plan.destination(line) }
    };
    let plan = wrong(Plan::between(&locked, &open), "source");
    let tool_of = |plan: &Plan| tool(plan).env("SECRET", "hunter2");
    check_with(&tool_of(&plan), &plan, "source-reachable").fails("C101", "password:", "WRONGPASS", "source").pinned();
    let plan = wrong(Plan::between(&open, &locked), "destination");
    let found = check_with(&tool_of(&plan), &plan, "destination-reachable");
    found.fails("C201", "password:", "WRONGPASS", "destination").pinned();
    check(&Plan::between(&locked, &open), "source-reachable").fails("C101", "url:", "NOAUTH", "password");
    check(&Plan::between_ports(open.port(), 1), "destination-reachable").fails("C201", "url:", "refused", "allow-list");
    let plan = as_user(Plan::between(&open, &modern()), "source", "nobody");
    check_with(&tool_of(&plan), &plan, "source-reachable").fails("C101", "password:", "WRONGPASS", "user");
    let old = Server::of("redis-5.0.10").password("right").start();
    let plan = as_user(Plan::between(&old, &open), "source", "somebody");
    check_with(&tool_of(&plan), &plan, "source-reachable").fails("C101", "username:", "AUTH", "knows no users");
}

#[test]
fn a_server_that_is_far_away_is_told() {
    let (source, destination) = (modern(), modern());
    let (from, to) = (Proxy::to(source.port()), Proxy::to(destination.port()));
    check(&Plan::between_ports(from.port(), to.port()), "source-latency").passes("ms");
    from.delay(20);
    to.delay(20);
    let plan = Plan::between_ports(from.port(), to.port());
    check(&plan, "source-latency").warns("C115", "url:", "ms", "nearer to the source").pinned();
    check(&plan, "destination-latency").warns("C213", "url:", "ms", "limits.connections").pinned();
}

#[test]
fn who_we_are_to_a_server_is_told_or_that_it_hides_it() {
    for name in ["redis-2.8.17", "redis-5.0.10", "redis-7.0.15", "valkey-9.1.2"] {
        let (source, destination) = (Server::start(name), Server::start(name));
        let plan = Plan::between(&source, &destination);
        check(&plan, "source-address").passes("it sees us at 127.0.0.1:");
        check(&plan, "destination-address").passes("it sees us at 127.0.0.1:");
    }
    let (source, destination) = (modern(), modern());
    let as_shy = |server: &Server, side: &str, item: &str| {
        server.client().command(&cmd!["ACL", "SETUSER", "shy", "on", ">secret", "~*", "+@all", "-client"]);
        let plan = as_user(Plan::between(&source, &destination), side, "shy");
        check_with(&tool(&plan).env("SECRET", "secret"), &plan, item)
    };
    let found = as_shy(&source, "source", "source-address");
    found.is_unknown("C116", "username: shy", "`shy`", "+client|info").pinned();
    let found = as_shy(&destination, "destination", "destination-address");
    found.is_unknown("C214", "username: shy", "`shy`", "+client|info").pinned();
}

#[test]
fn clocks_that_differ_are_told() {
    let (source, destination) = (modern(), modern());
    check(&Plan::between(&source, &destination), "clocks").passes("ms apart");
    let late = Server::of("redis-7.0.15").clock_ahead(-90).start();
    check(&Plan::between(&source, &late), "clocks").warns("C301", "url:", "90.", "synchronise the clocks").pinned();
}

#[test]
fn a_sentinel_is_neither_a_source_nor_a_destination() {
    let (sentinel, server) = (Server::of("redis-7.0.15").sentinel().start(), modern());
    let remedy = "SENTINEL GET-MASTER-ADDR-BY-NAME";
    check(&Plan::between(&sentinel, &server), "source-mode").fails("C105", "url:", "a Sentinel", remedy).pinned();
    check(&Plan::between(&server, &sentinel), "destination-mode").fails("C209", "url:", "a Sentinel", remedy).pinned();
}

#[test]
fn two_urls_of_one_server_are_found_out() {
    let server = modern();
    let other = Proxy::to(server.port());
    let plan = Plan::between_ports(server.port(), other.port());
    check(&plan, "distinct-servers").fails("C306", "url:", "same server", "urls").pinned();
    let replica = Server::of("redis-7.0.15").replica_of(server.port()).start();
    let mut client = replica.client();
    crate::faults::until("it has its master's data", || {
        client.command(&cmd!["INFO", "replication"]).info("master_link_status") == Some("up")
    });
    let plan = Plan::between(&server, &replica);
    check(&plan, "distinct-servers").fails("C306", "url:", "replica in the source's own chain", "REPLICAOF NO ONE");
    check(&plan, "destination-role").fails("C203", "url:", "replica", &format!("127.0.0.1:{}", server.port())).pinned();
}
