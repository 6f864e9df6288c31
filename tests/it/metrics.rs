//! What a monitoring system reads of a run while it works.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use redis_plan::report::METRICS;

use crate::{
    cmd,
    faults::{fill, tool, until},
    harness::{Plan, Server, free_port},
};

/// Asks as `curl` does; `None` while nobody listens.
fn get(port: u16, path: &str) -> Option<(String, String)> {
    let mut link = TcpStream::connect(("127.0.0.1", port)).ok()?;
    link.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n");
    link.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    link.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

/// The samples of a scrape, by name and labels; fails where the text is not as the format has it.
fn samples(body: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let mut family = "";
    let mut lines = body.lines().collect::<Vec<_>>();
    assert_eq!(lines.pop(), Some("# EOF"), "{body}");
    for line in lines {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            family = declared.split(' ').next().unwrap();
            assert!(families.insert(family.to_owned()), "{family} twice");
        } else if let Some(told) = line.strip_prefix("# UNIT ").or_else(|| line.strip_prefix("# HELP ")) {
            assert!(told.starts_with(&format!("{family} ")), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(family), "{line} is not of {family}");
            assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{name} twice");
        }
    }
    assert_eq!(families, METRICS.iter().map(|metric| metric.name.to_owned()).collect());
    samples
}

fn scrape(port: u16) -> BTreeMap<String, f64> {
    get(port, "/metrics").map(|(_, body)| samples(&body)).unwrap_or_default()
}

#[test]
fn a_run_is_read_while_it_works() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 5000, 100);
    let plan = Plan::between(&source, &destination)
        .following("{ any: [command: cutover] }")
        .line("cutover: { mode: manual, timeout: 5s, max_lag: 10s }");
    let tool = tool(&plan);
    let port = free_port();
    let run = tool.start(["apply", "plan.yaml", "--progress", "plain", "--metrics", &port.to_string()]);

    let applied = "redis_plan_stream_commands_total{result=\"applied\"}";
    until("it follows", || scrape(port).contains_key("redis_plan_lag_seconds"));
    let first = scrape(port);
    for (name, value) in [
        ("redis_plan_full_keys_total{result=\"confirmed\"}", 5000.0),
        ("redis_plan_step_state{step=\"incremental\",state=\"running\"}", 1.0),
        ("redis_plan_step_state{step=\"full\",state=\"done\"}", 1.0),
        ("redis_plan_attempt", 1.0),
    ] {
        assert!((first[name] - value).abs() < 0.5, "{name}: {first:?}");
    }
    assert!(first.keys().any(|name| name.starts_with("redis_plan_run_info{plan=\"move\"")), "{first:?}");

    for index in 0..700 {
        source.client().command(&cmd!["RPUSH", "list", index]);
    }
    until("what was written is counted", || scrape(port).get(applied).is_some_and(|count| *count >= 700.0));
    let second = scrape(port);
    for (name, value) in first.iter().filter(|(name, _)| name.contains("_total")) {
        assert!(second[name] >= *value, "{name} went from {value} to {}", second[name]);
    }
    let received = "redis_plan_link_bytes_total{link=\"source\",direction=\"received\"}";
    until("the stream is counted at the link", || scrape(port)[received] > first[received] + 700.0 * 30.0);

    let (head, _) = get(port, "/metrics").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(get(port, "/").unwrap().0.starts_with("HTTP/1.1 404 "));
    tool.run(["apply", "plan.yaml", "--state", "other", "--metrics", &port.to_string()])
        .expect(3)
        .says("cannot serve metrics");

    tool.run(["cutover", "move", "--confirm", "move"]).expect(0);
    run.wait().expect(0).says(&format!("metrics at http://127.0.0.1:{port}/metrics"));
    assert!(get(port, "/metrics").is_none(), "nobody listens any more");
}

/// Asks under this name; the status line.
fn asked_as(port: u16, host: &str) -> String {
    let mut link = TcpStream::connect(("127.0.0.1", port)).unwrap();
    link.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    link.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    link.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_page_of_another_name_reads_nothing_and_silence_keeps_nobody_out() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [command: cutover] }"));
    let port = free_port();
    let run = tool.start(["apply", "plan.yaml", "--metrics", &port.to_string()]);
    until("it is served", || !scrape(port).is_empty());
    for (host, status) in [
        ("localhost", "200"),
        ("localhost:9187", "200"),
        ("[::1]:9187", "200"),
        ("evil.example", "421"),
        ("evil.example:9187", "421"),
        ("127.0.0.1.evil.example", "421"),
    ] {
        assert!(asked_as(port, host).starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {}", asked_as(port, host));
    }
    let mut silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for _ in 0..3 {
        assert!(
            get(port, "/metrics").is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200 ")),
            "a scrape was kept out"
        );
    }
    for link in &mut silent {
        link.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let ended =
            link.read(&mut [0; 1]).map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |count| count == 0);
        assert!(ended, "it was not ended");
    }
    drop(run);
}
