//! The report of a run that was killed, failed, went on and was cut over, looked at in a real browser.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cmd,
    faults::{await_told, await_whole, begin, begin_slow, fill, fill_big, told, tool, until},
    harness::{Browser, Light, Plan, Proxy, Running, Server, Tool},
};

const SECRET: &str = "not-to-be-seen-anywhere";
/// What a plan may say that a page must not do.
const CHANGE: &str = "CHG0042317 <script>console.error('ran')</script><img src=http://127.0.0.1:9/x> &amp;";

/// A run in three processes: killed while it copied, failed by a hook, gone on with and, at the second try, sealed.
struct Told {
    tool: Tool,
}

fn plan(source: &Server, relay: &Proxy) -> Plan {
    Plan::between_ports(source.port(), relay.port())
        .source("password: { env: SOURCE }")
        .destination("username: mig")
        .destination("password: { env: DESTINATION }")
        .following("{ any: [command: cutover] }")
        .line(&format!("change: \"{CHANGE}\""))
        .line("labels: { team: checkout, env: prod }")
        .line("buffer: { replica_output: unlimited }")
        .line("limits: { connections: 4 }")
        .line("cutover: { mode: manual, timeout: 3s, max_lag: 10s }")
        .line("cleanup: { accounts: [{ side: destination, user: mig }] }")
        .line(
            "hooks: [{ at: full.done, run: [./gate.sh, full], on_error: fail }, \
             { at: cutover.fenced, run: [./gate.sh, fenced] }, { at: cutover.sealed, run: [./gate.sh, sealed] }]",
        )
}

fn follows(tool: &Tool) -> Running {
    let mut run = begin(tool);
    assert!(await_told(tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    until("nothing stands against a cutover", || {
        tool.run(["cutover", "move", "--dry-run"]).code() == Some(0) || !run.is_running()
    });
    run
}

fn page(tool: &Tool) -> PathBuf {
    tool.folder().join(".plan/move/report.html")
}

impl Told {
    fn tell() -> Self {
        let source = Server::of("redis-5.0.10").password(SECRET).start();
        let destination = Server::start("redis-7.2.4");
        destination.client().command(&cmd!["ACL", "SETUSER", "mig", "on", format!(">{SECRET}"), "~*", "&*", "+@all"]);
        fill(&source, 30_000, 100);
        fill_big(&source, 20_000);
        let relay = Proxy::to(destination.port());
        let tool =
            tool(&plan(&source, &relay)).env("SOURCE", SECRET).env("DESTINATION", SECRET).env("PATH", "/usr/bin:/bin");
        // A gate that is shut until its file is there.
        tool.script("gate.sh", "test -e \"open-$1\"");

        let mut killed = begin_slow(&tool, &relay, 200_000);
        assert!(await_whole(&tool, &mut killed), "{}", killed.wait());
        until("figures are told", || told(&tool, "\"event\":\"progress\"").len() > 5);
        killed.kill9();
        tool.run(["report", "move", "--format", "md"]).expect(0).says("**unfinished**");
        relay.throttle(0);

        let failed = begin(&tool).wait().expect(3);
        assert!(failed.stdout.contains(".plan/move/report.html"), "{failed}");
        let text = fs::read_to_string(page(&tool)).unwrap();
        assert!(text.contains("failed</span>") && text.contains("gate.sh"), "a failure has its report");

        tool.write("open-full", "");
        let mut writer = source.client();
        let run = follows(&tool);
        for index in 0..20_000 {
            writer.command(&cmd!["RPUSH", "list", index]);
        }
        tool.run(["cutover", "move", "--confirm", "move"]).expect(1).says("undone");
        // Before 6.2 a pause cannot be lifted: it is over when a client is answered again.
        writer.command(&cmd!["PING"]);
        tool.write("open-fenced", "");
        tool.write("open-sealed", "");
        until("nothing stands against a cutover", || tool.run(["cutover", "move", "--dry-run"]).code() == Some(0));
        tool.run(["cutover", "move", "--confirm", "move"]).expect(0).says("sealed at offset");
        run.wait().expect(0);
        Self { tool }
    }
}

/// What a reader is to find without the logs, in this order.
const STORY: [&str; 22] = [
    "What happened",
    "Process 1",
    "cut off",
    "Process 2",
    "failed",
    "gate.sh",
    "Process 3",
    "undone",
    "sealed at offset",
    "Throughput and lag",
    "Cutover and seal",
    "The fence proves that no write came behind it.",
    "Cutover 1",
    "Cutover 2",
    "Data",
    "Links and time",
    "from the source",
    "Redis 5.0.10",
    "Redis 7.2.4",
    "client-output-buffer-limit",
    "put back",
    "the plan's password is refused",
];

fn assert_in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest.find(word);
        assert!(at.is_some(), "`{word}` is not behind what should be before it");
        rest = &rest[at.unwrap() + word.len()..];
    }
}

/// The text of a page without its tags.
fn text_of(html: &str) -> String {
    let body = html.split_once("<body>").unwrap().1;
    body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect::<Vec<_>>().join("")
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

#[test]
fn the_report_of_a_run_that_was_killed_failed_and_went_on_tells_its_story() {
    let told = Told::tell();
    let page = page(&told.tool);
    let html = fs::read_to_string(&page).unwrap();
    assert_in_order(&text_of(&html), &STORY);
    assert!(!html.contains(SECRET), "a secret is in the report");
    assert!(!html.contains("<script") && !html.contains("<img"), "{CHANGE} became markup");
    let printed = told.tool.run(["report", "move"]).expect(0);
    assert_eq!(printed.stdout, html, "plan report makes the same page again");
    assert!(html.len() < 600_000, "{} bytes", html.len());

    let browser = Browser::new();
    let mut read = browser.read(&page);
    read.file.clone_from(&page);
    read.keep();
    assert_eq!(read.complaints, Vec::<String>::new());
    for id in ["timeline", "writes", "links", "lag"] {
        assert!(read.document.contains(&format!("id=\"{id}-t\"")), "no drawing `{id}`");
    }
    let light = browser.picture(&page, Light::Light, (1100, 5200));
    let dark = browser.picture(&page, Light::Dark, (1100, 5200));
    let print = browser.print(&page);
    for look in [&light, &dark, &print] {
        assert_eq!(look.keep().complaints, Vec::<String>::new());
    }
    let (light, dark) = (bytes(&light.file), bytes(&dark.file));
    assert!(light.starts_with(b"\x89PNG") && light.len() > 50_000, "{} bytes", light.len());
    assert!(dark.starts_with(b"\x89PNG") && dark != light, "dark is light");
    let print = bytes(&print.file);
    assert!(print.starts_with(b"%PDF") && print.len() > 20_000, "{} bytes", print.len());
}

/// The looks above would see what they look for.
#[test]
fn a_page_that_runs_or_loads_something_is_complained_of() {
    let tool = Tool::new();
    let runs = tool.write("runs.html", "<!doctype html><title>x</title><script>console.error('ran')</script>");
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    let loads =
        tool.write("loads.html", &format!("<!doctype html>{policy}<title>x</title><img src=\"http://127.0.0.1:9/x\">"));
    let browser = Browser::new();
    for (page, word) in [(runs, "ran"), (loads, "Content Security Policy")] {
        let complaints = browser.read(&page).complaints;
        assert!(complaints.iter().any(|line| line.contains(word)), "{word}: {complaints:?}");
    }
}
