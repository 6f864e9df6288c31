//! The harness itself: servers, relay and runs do what their names say.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{
    cmd,
    harness::{ALL, Client, Comparer, Dataset, Direction, Fault, Flavour, Plan, Proxy, Random, Server, Size, Tool},
};

#[test]
fn a_restarted_server_keeps_its_port_and_saved_data() {
    let mut server = Server::of("redis-5.0.10").password("secret").start();
    let port = server.port();
    server.client().command(&cmd!["SET", "k", "v"]);
    server.client().command(&cmd!["SAVE"]);
    server.client().command(&cmd!["SET", "k", "lost"]);
    server.restart();
    assert_eq!((server.port(), server.client().command(&cmd!["GET", "k"]).text()), (port, "v"));
    assert!(Client::connect(port).unwrap().reply(&cmd!["GET", "k"]).is_error(), "the password is wanted");
    assert!(server.log().contains("DB loaded"));
}

#[test]
fn a_paused_server_answers_after_it_is_resumed() {
    let server = Server::start("redis-7.0.15");
    let mut client = server.client();
    server.pause();
    let started = Instant::now();
    thread::scope(|scope| {
        let answer = scope.spawn(|| client.command(&cmd!["PING"]));
        thread::sleep(Duration::from_millis(150));
        assert!(!answer.is_finished());
        server.resume();
        assert_eq!(answer.join().unwrap().text(), "PONG");
    });
    assert!(started.elapsed() >= Duration::from_millis(150));
}

/// Sends back whatever comes.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for link in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || drop(std::io::copy(&mut &link, &mut &link)));
        }
    });
    port
}

/// What comes back of `sent` before the connection ends or is silent for 200 ms.
fn through(proxy: &Proxy, sent: &[u8]) -> (Vec<u8>, bool) {
    let mut link = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    link.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    link.write_all(sent).unwrap();
    let (mut back, mut buffer) = (vec![], [0; 4096]);
    loop {
        match link.read(&mut buffer) {
            Ok(0) => return (back, true),
            Ok(count) => back.extend_from_slice(&buffer[..count]),
            Err(error) => return (back, error.kind() == std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn a_relay_without_a_fault_changes_nothing_and_counts() {
    let proxy = Proxy::to(echo());
    assert_eq!(through(&proxy, b"hello"), (b"hello".to_vec(), false));
    assert_eq!((proxy.bytes(Direction::ToServer), proxy.bytes(Direction::ToClient)), (5, 5));
    assert_eq!((proxy.accepted(), proxy.struck()), (1, 0));
}

#[test]
fn a_relay_cuts_flips_and_stalls_at_the_byte_it_was_told() {
    let cut = Proxy::to(echo()).with(Fault::cut(Direction::ToClient, 3));
    assert_eq!(through(&cut, b"hello"), (b"hel".to_vec(), true));
    assert_eq!(through(&cut, b"hello"), (b"hello".to_vec(), false), "it happens once");
    let flip = Proxy::to(echo()).with(Fault::flip(Direction::ToServer, 1).times(2));
    assert_eq!(through(&flip, b"hello"), (b"hallo".to_vec(), false));
    assert_eq!(through(&flip, b"hello"), (b"hallo".to_vec(), false));
    assert_eq!((through(&flip, b"hello").0, flip.struck()), (b"hello".to_vec(), 2));
    let stall = Proxy::to(echo()).with(Fault::stall(Direction::ToClient, 2));
    assert_eq!(through(&stall, b"hello"), (vec![], false), "the chunk with the byte stays");
}

#[test]
fn a_relay_counts_from_the_trigger() {
    let proxy = Proxy::to(echo()).with(Fault::flip(Direction::ToServer, 1).once_sent("PSYNC"));
    assert_eq!(through(&proxy, b"hello").0, b"hello");
    assert_eq!(through(&proxy, b"psync hello").0, b"psync lello", "offset 1 after the word is the h");
    let server = Server::start("redis-5.0.10");
    let proxy = Proxy::to(server.port()).with(Fault::cut(Direction::ToClient, 2).once_sent("ECHO"));
    let mut client = Client::connect(proxy.port()).unwrap();
    assert_eq!(client.command(&cmd!["PING"]).text(), "PONG");
    assert!(client.exchange(&cmd!["ECHO", "x"]).is_err());
}

#[test]
fn a_relay_holds_back_slows_down_and_breaks_everything() {
    let proxy = Proxy::to(echo());
    proxy.stall(true);
    assert_eq!(through(&proxy, b"hello"), (vec![], false));
    proxy.stall(false);
    proxy.throttle(1000);
    let started = Instant::now();
    assert_eq!(through(&proxy, &[b'x'; 300]).0.len(), 300);
    assert!(started.elapsed() >= Duration::from_millis(250), "{:?}", started.elapsed());
    proxy.throttle(0);
    proxy.delay(30);
    let mut link = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    let started = Instant::now();
    link.write_all(b"a").unwrap();
    link.read_exact(&mut [0]).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(60), "{:?}", started.elapsed());
    proxy.cut();
    assert!(matches!(link.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn a_run_tells_its_output_its_end_and_its_memory() {
    let tool = Tool::new().env("NO_COLOR", "1").limit(Duration::from_secs(20));
    let done = tool.run(["--version"]).expect(0).says("plan ");
    assert!(done.stdout.starts_with("plan ") && done.took < Duration::from_secs(20));
    tool.run(["no-such-verb"]).expect(2);
    let mut waiting = tool.start(["completions", "bash"]);
    waiting.is_running();
    let killed = waiting.wait();
    assert_eq!((killed.code(), killed.signal()), (Some(0), None), "{killed}");
}

#[test]
fn a_written_plan_is_a_valid_plan() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    let plan = Plan::between(&source, &destination).name("mine").source("username: me").line("on_conflict: replace");
    let expected = format!(
        "version: 1\nname: mine\nsource:\n  url: redis://127.0.0.1:{}\n  username: me\ndestination:\n  url: \
         redis://127.0.0.1:{}\n  username: you\nmigration: [full]\non_conflict: replace\n",
        source.port(),
        destination.port()
    );
    assert_eq!(plan.destination("username: you").text(), expected);
}

/// A server's own replica is the best copy there is: whatever the generator makes and the comparer reads must be equal.
fn replica_is_equal(name: &str, size: Size) {
    let source = Server::start(name);
    Dataset::new(source.flavour, size, 1).with_bulk(2000).load(&source);
    let replica = Server::of(name).replica_of(source.port()).start();
    let mut client = replica.client();
    let started = Instant::now();
    while client.command(&cmd!["INFO", "replication"]).info("master_link_status") != Some("up") {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", replica.log());
        thread::sleep(Duration::from_millis(20));
    }
    let compared = Comparer::of(&source, &replica).run().assert_equal();
    assert!(compared.total() > 2130, "{compared}");
}

#[test]
fn the_comparer_calls_every_servers_replica_equal() {
    for name in ALL {
        replica_is_equal(name, Size::Small);
    }
}

#[test]
fn the_comparer_calls_a_full_replica_equal_old() {
    replica_is_equal("redis-2.8.17", Size::Full);
}

#[test]
fn the_comparer_calls_a_full_replica_equal_middle() {
    replica_is_equal("redis-5.0.10", Size::Full);
}

#[test]
fn the_comparer_calls_a_full_replica_equal_new() {
    replica_is_equal("redis-8.2.3", Size::Full);
    replica_is_equal("valkey-9.1.2", Size::Full);
}

#[test]
fn two_datasets_of_one_seed_are_equal_and_of_two_are_not() {
    let flavour = Flavour::of("valkey-9.1.2");
    let seed = Random::fresh().next();
    let servers = [Server::start(flavour.name), Server::start(flavour.name), Server::start(flavour.name)];
    for (server, seed) in servers.iter().zip([seed, seed, seed.wrapping_add(1)]) {
        Dataset::new(flavour, Size::Small, seed).load(server);
    }
    Comparer::of(&servers[0], &servers[1]).run().assert_equal();
    assert!(Comparer::of(&servers[0], &servers[2]).run().differences.len() > 10);
}
