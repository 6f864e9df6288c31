//! What the tests of faults share: waiting for what a run tells, and comparing beside foreign keys.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    cmd,
    harness::{Comparer, Plan, Proxy, Random, Reply, Running, Server, Tool},
};

/// Waits until something is so; ends the test when it takes too long.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A tool with a plan in its folder. `apply` writes its events to the file `events`.
pub fn tool(plan: &Plan) -> Tool {
    let tool = Tool::new().env("NO_COLOR", "1").limit(Duration::from_secs(50));
    tool.write("plan.yaml", &plan.text());
    tool
}

/// Begins `apply`, without the events of earlier ones.
pub fn begin(tool: &Tool) -> Running {
    drop(fs::remove_file(tool.folder().join("events")));
    tool.start(["apply", "plan.yaml", "--events", "events"])
}

/// What the run has told so far: every line that has this in it.
pub fn told(tool: &Tool, text: &str) -> Vec<serde_json::Value> {
    let all = fs::read_to_string(tool.folder().join("events")).unwrap_or_default();
    all.lines().filter(|line| line.contains(text)).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until a run tells this, or has ended.
pub fn await_told(tool: &Tool, run: &mut Running, text: &str) -> bool {
    until(text, || !told(tool, text).is_empty() || !run.is_running());
    run.is_running()
}

/// Begins `apply` through a relay that is slow only once the precheck is done.
pub fn begin_slow(tool: &Tool, to: &Proxy, bytes_per_second: u64) -> Running {
    to.throttle(0);
    let mut run = begin(tool);
    await_told(tool, &mut run, "\"step\":\"full\"");
    to.throttle(bytes_per_second);
    run
}

/// Waits until a copy has its whole dump, now or since an earlier attempt, or has ended.
pub fn await_whole(tool: &Tool, run: &mut Running) -> bool {
    let whole = || ["dump_received", "continues at byte"].iter().any(|text| !told(tool, text).is_empty());
    until("the dump is whole", || whole() || !run.is_running());
    run.is_running()
}

/// Keys in all databases of a server, those of the tool left out.
pub fn keys(server: &Server) -> i64 {
    let mut client = server.client();
    let own = client.command(&cmd!["KEYS", "redis-plan:*"]).items().len();
    let info = client.command(&cmd!["INFO", "keyspace"]);
    let counts =
        info.text().lines().filter_map(|line| line.split_once("keys=")?.1.split(',').next()?.parse::<i64>().ok());
    counts.sum::<i64>() - i64::try_from(own).unwrap()
}

/// How often a command was carried out, and how often it failed where the server counts that.
pub fn calls(server: &Server, command: &str) -> (u64, u64) {
    let stats = server.client().command(&cmd!["INFO", "commandstats"]);
    let line = stats.info(&format!("cmdstat_{command}")).unwrap_or_default().to_owned();
    let field = |name: &str| line.split(',').find_map(|part| part.strip_prefix(name)?.parse().ok()).unwrap_or(0);
    (field("calls="), field("failed_calls="))
}

/// How many keys were made by SET or RESTORE, each time counted and none of them in vain, when the run's token was set so often
/// besides: at each claim, and at the end.
pub fn made(server: &Server, tokens: u64) -> u64 {
    let [(set, _), (restored, refused)] = ["set", "restore"].map(|command| calls(server, command));
    assert_eq!(refused, 0);
    set + restored - tokens
}

/// Equal, but for the keys that are meant to differ.
pub fn assert_equal_but(source: &Server, destination: &Server, meant: impl Fn(&[u8]) -> bool) {
    let compared = Comparer::of(source, destination).run();
    let others: Vec<String> = compared
        .differences
        .iter()
        .filter(|difference| !meant(&difference.key))
        .map(|difference| format!("{}: {}", difference.key.escape_ascii(), difference.what))
        .collect();
    assert!(
        compared.total() > 0 && others.is_empty(),
        "{} differences, as {:#?}",
        others.len(),
        &others[..others.len().min(5)]
    );
}

/// Many small strings, `bulk:N`, of so many letters.
pub fn fill(server: &Server, count: usize, length: usize) {
    let mut random = Random::seeded(count as u64);
    let commands: Vec<_> = (0..count).map(|index| cmd!["SET", format!("bulk:{index}"), random.word(length)]).collect();
    server.client().pipeline_ok(&commands);
}

/// A list, a sorted set, a hash, a set and a string of some megabytes each.
pub fn fill_big(server: &Server, elements: usize) {
    let mut random = Random::seeded(elements as u64);
    let mut client = server.client();
    for start in (0..elements).step_by(1000) {
        let mut commands = vec![
            cmd!["RPUSH", "big:list"],
            cmd!["ZADD", "big:zset"],
            cmd!["HMSET", "big:hash"],
            cmd!["SADD", "big:set"],
        ];
        for index in start..(start + 1000).min(elements) {
            let word = random.word(40);
            commands[0].push(word.clone());
            commands[1].extend(cmd![index, word]);
            commands[2].extend(cmd![format!("f{index}"), word]);
            commands[3].push(word);
        }
        commands.push(cmd!["APPEND", "big:string", random.word(40_000)]);
        client.pipeline_ok(&commands);
    }
}

/// Elements of the values of [`fill_big`], in the order of their names.
pub fn big_sizes(server: &Server) -> Vec<Reply> {
    server.client().pipeline(&[
        cmd!["HLEN", "big:hash"],
        cmd!["LLEN", "big:list"],
        cmd!["SCARD", "big:set"],
        cmd!["STRLEN", "big:string"],
        cmd!["ZCARD", "big:zset"],
    ])
}

/// A relay to a server that lets so many bytes a second through on each connection.
pub fn slow(server: &Server, bytes_per_second: u64) -> Proxy {
    let proxy = Proxy::to(server.port());
    proxy.throttle(bytes_per_second);
    proxy
}
