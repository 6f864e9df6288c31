//! What belongs to others: their keys in the run's databases, their Sentinels, their function libraries, their runs.

use std::time::Instant;

use crate::{
    check::{check, check_with},
    cmd,
    faults::{await_told, begin, fill, keys, told, tool, until},
    following::{IDLE, await_applied, follow},
    following_source::{overrun, short_backlog},
    harness::{Client, Comparer, Plan, Proxy, Reply, Server, Tool, answering},
};

/// Ends when an operator says so.
const BY_HAND: &str = "{ any: [command: cutover] }";

/// Ten keys of somebody else, in a database that was empty when the run began.
fn settle_in(server: &Server) {
    let names = (0..10).map(|index| cmd!["SET", format!("foreign:{index}"), "mine"]);
    server.client().pipeline_ok(&names.collect::<Vec<_>>());
}

/// How many of them are there.
fn settled(server: &Server) -> usize {
    server.client().command(&cmd!["KEYS", "foreign:*"]).items().len()
}

/// A run that lost its stream to a short backlog while keys of others were at the destination.
fn lost_stream(conflict: &str) -> (Server, Server, Proxy, Tool) {
    let (source, destination) = (short_backlog("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 1000, 60);
    let from = Proxy::to(source.port());
    let plan = Plan::between_ports(from.port(), destination.port()).line(&format!("on_conflict: {conflict}"));
    let tool = tool(&plan.following(IDLE));
    let run = follow(&tool);
    settle_in(&destination);
    overrun(&source, &from, &tool);
    let ended = run.wait().expect(4).because("R309").says("R206").says("so nothing was deleted");
    // 1000 copied, 1 streamed before, 10 of others.
    ended.says("1011 keys in database 0").says("`plan apply --recopy 1011`");
    (source, destination, from, tool)
}

#[test]
fn a_lost_stream_deletes_nothing_until_an_operator_names_the_number() {
    for conflict in ["fail", "replace"] {
        let (source, destination, _from, tool) = lost_stream(conflict);
        assert_eq!((settled(&destination), keys(&destination)), (10, 1011));
        begin(&tool).wait().expect(4).because("R309");
        tool.run(["apply", "plan.yaml", "--recopy", "1010"]).expect(4).says("`--recopy 1010` agrees to fewer keys");
        assert_eq!((settled(&destination), keys(&destination)), (10, 1011));
        tool.run(["apply", "plan.yaml", "--recopy", "1011"]).expect(0).says("an operator agreed");
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

#[test]
fn a_source_that_comes_back_empty_empties_nothing_whatever_the_plan_says() {
    for policy in ["hold", "recopy"] {
        let (mut source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        fill(&source, 2000, 20);
        let plan = Plan::between(&source, &destination).following(IDLE).line(&format!("on_stream_lost: {policy}"));
        let tool = tool(&plan);
        let mut run = follow(&tool);
        await_applied(&tool, &mut run, &source);
        source.restart();
        run.wait().expect(4).because("R310").says("2000 keys in database 0").says("may have lost its data");
        assert_eq!(keys(&destination), 2000);
        // A few new keys make it no better.
        fill(&source, 100, 20);
        begin(&tool).wait().expect(4).because("R310");
        assert_eq!(keys(&destination), 2000);
        tool.run(["apply", "plan.yaml", "--recopy", "2000"]).expect(0);
        Comparer::of(&source, &destination).run().assert_equal();
    }
}

/// The source comes back empty while its dump is on its way.
#[test]
fn a_source_that_comes_back_empty_during_the_copy_takes_nothing_back() {
    let (mut source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 100);
    let from = Proxy::to(source.port());
    from.throttle(1 << 20);
    let tool = tool(&Plan::between_ports(from.port(), destination.port()).following(IDLE));
    let mut run = begin(&tool);
    until("keys have come", || keys(&destination) > 3000 || !run.is_running());
    assert!(told(&tool, "dump_received").is_empty(), "the dump is not whole");
    run.kill9();
    source.restart();
    from.throttle(0);
    let there = keys(&destination);
    begin(&tool).wait().expect(4).because("R310");
    assert_eq!(keys(&destination), there);
}

#[test]
fn an_abort_deletes_nothing_that_could_be_of_others() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 200, 20);
    let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    settle_in(&destination);
    tool.run(["abort", "move", "--delete"]).expect(2).says("--confirm");
    tool.run(["abort", "move", "--delete", "--confirm", "other"]).expect(2).says("not the name of the run");
    let abort = ["abort", "move", "--delete", "--confirm", "move"];
    tool.run(abort).expect(1).says("hold 210 keys").says("Nothing was deleted");
    run.wait().expect(4).because("R311");
    assert_eq!((settled(&destination), keys(&destination)), (10, 210));
    let idle = ["abort", "move", "--delete", "--confirm", "move", "--plan", "plan.yaml"];
    tool.run(idle).expect(4).because("R311").says("hold 210 keys");
    // It can be followed on, and be aborted without a deletion.
    let run = follow(&tool);
    tool.run(["abort", "move"]).expect(0).says("stays there");
    run.wait().expect(7);
    assert_eq!((settled(&destination), keys(&destination)), (10, 210));
}

/// What is known to have come from the dump goes, and nothing else.
#[test]
fn an_abort_during_the_copy_deletes_what_came_from_the_dump() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 100);
    let from = Proxy::to(source.port());
    from.throttle(1 << 20);
    let tool = tool(&Plan::between_ports(from.port(), destination.port()));
    let mut run = begin(&tool);
    until("keys have come", || keys(&destination) > 3000 || !run.is_running());
    settle_in(&destination);
    let abort = ["abort", "move", "--delete", "--confirm", "move"];
    tool.run(abort).expect(0).says("is deleted");
    run.wait().expect(7);
    assert_eq!((settled(&destination), keys(&destination)), (10, 10));
}

/// A Sentinel, told to watch the server at this port as `mymaster`.
fn sentinel(flavour: &str, port: u16) -> Server {
    let sentinel = Server::of(flavour).sentinel().start();
    let mut client = sentinel.client();
    client.command(&cmd!["SENTINEL", "MONITOR", "mymaster", "127.0.0.1", port, 1]);
    client.command(&cmd!["SENTINEL", "SET", "mymaster", "down-after-milliseconds", 60_000]);
    sentinel
}

fn listens(server: &Server) -> i64 {
    server.client().command(&cmd!["PUBSUB", "NUMSUB", "__sentinel__:hello"]).items()[1].int()
}

/// The value of a field in what a Sentinel says of its master.
fn of_master(client: &mut Client, field: &str) -> String {
    let told = client.command(&cmd!["SENTINEL", "MASTER", "mymaster"]);
    told.field(field).unwrap().text().to_owned()
}

/// A hello of another Sentinel with a newer configuration, published at the source, would make a Sentinel at the destination
/// turn its master into a replica of the source.
#[test]
fn a_sentinel_at_the_destination_is_not_led_by_one_at_the_source() {
    for flavour in ["redis-7.2.4", "valkey-9.1.2"] {
        let (source, destination) = (Server::start(flavour), Server::start(flavour));
        fill(&source, 100, 20);
        let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
        let mut run = follow(&tool);
        let watching = sentinel(flavour, destination.port());
        until("it listens", || listens(&destination) == 1);
        let hello = format!(
            "127.0.0.1,26379,{},7,mymaster,127.0.0.1,{},7",
            "0123456789abcdef0123456789abcdef01234567",
            source.port()
        );
        let mut listener = destination.client();
        listener.command(&cmd!["SUBSCRIBE", "news"]);
        let mut client = source.client();
        client.command(&cmd!["PUBLISH", "__sentinel__:hello", hello]);
        client.command(&cmd!["PUBLISH", "news", "forwarded"]);
        client.command(&cmd!["SET", "after", 1]);
        // Messages keep their order: what came before this one has come or never will.
        assert_eq!(listener.receive().items()[2].text(), "forwarded");
        await_applied(&tool, &mut run, &source);
        let mut asked = watching.client();
        assert_eq!(of_master(&mut asked, "config-epoch"), "0");
        assert_eq!(of_master(&mut asked, "port"), destination.port().to_string());
        assert_eq!(of_master(&mut asked, "num-other-sentinels"), "0");
        tool.run(["cutover", "move"]).expect(0);
        run.wait().expect(0);
    }
}

/// Every Sentinel asks its master for its replicas every ten seconds, and after that knows them.
#[test]
fn a_sentinel_at_the_source_does_not_adopt_the_run() {
    for flavour in ["redis-5.0.10", "redis-7.2.4", "valkey-9.1.2"] {
        let (source, destination) = (Server::start(flavour), Server::start("redis-8.2.3"));
        fill(&source, 100, 20);
        let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
        let run = follow(&tool);
        let watching = sentinel(flavour, source.port());
        until("it listens", || listens(&source) == 1);
        let mut asked = watching.client();
        let refreshed = |asked: &mut Client| of_master(asked, "info-refresh").parse::<u64>().unwrap_or(u64::MAX);
        until("it has asked its master once", || refreshed(&mut asked) < 60_000);
        // Asked again since the run is listed.
        let since = Instant::now();
        until("it has asked again", || u128::from(refreshed(&mut asked)) < since.elapsed().as_millis());
        assert_eq!(of_master(&mut asked, "num-slaves"), "0", "{flavour}");
        assert!(asked.command(&cmd!["SENTINEL", "SLAVES", "mymaster"]).items().is_empty(), "{flavour}");
        let found = check(&Plan::between(&source, &destination), "source-sentinels");
        found.warns("C308", "url: redis://", "1 Sentinel watching it", "SENTINEL RESET").pinned();
        tool.run(["cutover", "move"]).expect(0);
        run.wait().expect(0).says("Sentinels watch the source").says("`SENTINEL RESET <master>`");
        assert_eq!(told(&tool, "\"event\":\"link_lost\"").len(), 0);
    }
}

#[test]
fn two_runs_do_not_write_to_the_same_database() {
    let (one, two) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let destination = Server::start("redis-7.2.4");
    fill(&one, 100, 20);
    fill(&two, 100, 20);
    let into = |source: &Server, name: &str, to: u32| {
        let plan = Plan::between(source, &destination).name(name).following(BY_HAND);
        tool(&plan.line(&format!("databases: [{{ from: 0, to: {to} }}]")))
    };
    let first = into(&one, "first", 1);
    let run = follow(&first);
    let second = into(&two, "second", 1);
    let refused = begin(&second).wait().expect(5).because("R604");
    refused.says("the run `first` is under way here too and writes to database 1");
    let shared = Plan::between(&two, &destination).line("databases: [{ from: 0, to: 1 }]");
    let found = check(&shared, "destination-runs");
    found.fails("C215", "databases:", "the run `first` is under way", "finish or abort that run").pinned();
    assert_eq!(keys(&destination), 100);
    // Into another database it may, and what the first one's source empties is not its.
    let third = into(&two, "third", 2);
    let mut beside = follow(&third);
    one.client().command(&cmd!["FLUSHALL"]);
    until("the first is empty", || keys(&destination) == 100);
    await_applied(&third, &mut beside, &two);
    // The first one's flush puts this one in doubt. Where it was noticed only by this order, both sides are compared first.
    until("both sides were compared", || third.run(["cutover", "third"]).code() == Some(0));
    beside.wait().expect(0);
    // Interrupted it is still under way; over it is not.
    run.kill9();
    begin(&second).wait().expect(5).because("R604");
    first.run(["abort", "first", "--plan", "plan.yaml"]).expect(0);
    let mut run = follow(&second);
    await_applied(&second, &mut run, &two);
    second.run(["cutover", "second"]).expect(0);
    run.wait().expect(0);
}

#[test]
fn a_run_against_the_direction_of_another_is_refused() {
    let (one, other) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    one.client().command(&cmd!["SET", "n", 1]);
    let way = |from: &Server, to: &Server, name: &str| {
        tool(&Plan::between(from, to).name(name).line("on_conflict: replace").following(BY_HAND))
    };
    let there = way(&one, &other, "there");
    let mut run = follow(&there);
    let back = way(&other, &one, "back");
    let refused = begin(&back).wait().expect(5).because("R605");
    refused.says("the run `there` is under way and writes to databases 0, 1, 2").says("which this plan reads");
    let found = check(&Plan::between(&other, &one), "source-runs");
    found.fails("C307", "url: redis://", "the run `there` is under way", "Finish or abort that run").pinned();
    one.client().command(&cmd!["INCR", "n"]);
    await_applied(&there, &mut run, &one);
    there.run(["cutover", "there"]).expect(0);
    run.wait().expect(0);
    // The first is over: the way back is free.
    let mut run = follow(&back);
    other.client().command(&cmd!["INCR", "n"]);
    await_applied(&back, &mut run, &other);
    back.run(["cutover", "back"]).expect(0);
    run.wait().expect(0);
    for server in [&one, &other] {
        assert_eq!(server.client().command(&cmd!["GET", "n"]).text(), "3");
    }
}

/// The record of a run as version 0.1 left it: in no list, and without the databases that it writes to.
fn record_of_0_1(server: &Server) {
    let record = cmd![
        "HMSET",
        "redis-plan:{old}:run",
        "run",
        "r",
        "digest",
        "d",
        "state",
        "running",
        "generation",
        1,
        "occupied",
        "",
        "lane:0",
        "9+0"
    ];
    server.client().command(&record);
    server.client().command(&cmd!["SET", "redis-plan:{old}:token", "1:somewhere/1"]);
}

#[test]
fn a_run_of_version_0_1_is_under_way_too() {
    for at_source in [true, false] {
        let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
        fill(&source, 100, 20);
        let (server, code, item) =
            if at_source { (&source, "R605", "source-runs") } else { (&destination, "R604", "destination-runs") };
        record_of_0_1(server);
        let plan = Plan::between(&source, &destination).line("databases: [{ from: 0, to: 1 }]").following(BY_HAND);
        let tool = tool(&plan);
        let said = "writes to databases that its record does not name";
        begin(&tool).wait().expect(5).because(code).says("the run `old` is under way").says(said);
        let found = check(&plan, item);
        assert!(found.seen.contains("the run `old` is under way"), "{}", found.seen);
        server.client().command(&cmd!["HSET", "redis-plan:{old}:run", "state", "done"]);
        let mut run = follow(&tool);
        await_applied(&tool, &mut run, &source);
        tool.run(["cutover", "move"]).expect(0);
        run.wait().expect(0);
    }
}

/// A reader of the source that may see nothing of its keys.
#[test]
fn a_source_that_shows_no_keys_cannot_say_whether_a_run_writes_to_it() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    let rule = cmd!["ACL", "SETUSER", "limited", "on", ">pw", "+ping", "+info", "+replconf", "+psync", "+time"];
    source.client().command(&rule);
    let plan = Plan::between(&source, &destination).source("username: limited").source("password: { env: PW }");
    let tool = Tool::new().env("NO_COLOR", "1").env("PW", "pw");
    tool.write("plan.yaml", &plan.text());
    let found = check_with(&tool, &plan, "source-runs");
    found.is_unknown("C307", "username: limited", "does not show", "~redis-plan:* +smembers +hgetall");
    let found = check_with(&tool, &plan, "source-sentinels");
    found.is_unknown("C308", "username: limited", "does not show", "+pubsub");
    let mut run = begin(&tool);
    assert!(!await_told(&tool, &mut run, "never told"));
    run.wait().expect(0);
}

/// A library of one function that has its name.
fn library(name: &str) -> String {
    format!("#!lua name={name}\nredis.register_function('{name}', function() return '{name}' end)")
}

fn load(server: &Server, name: &str) {
    server.client().command(&cmd!["FUNCTION", "LOAD", library(name)]);
}

/// The names of a server's libraries, in their order.
fn libraries(server: &Server) -> Vec<String> {
    let listed = server.client().command(&cmd!["FUNCTION", "LIST"]);
    let name = |library: &Reply| library.field("library_name").unwrap().text().to_owned();
    let mut names: Vec<String> = listed.items().iter().map(name).collect();
    names.sort();
    names
}

/// What a source does with all of its libraries is not done to those of somebody else.
#[test]
fn libraries_of_others_stay() {
    for flavour in ["redis-7.0.15", "redis-8.2.3", "valkey-9.1.2"] {
        let (source, destination) = (Server::start(flavour), Server::start(flavour));
        load(&source, "copied");
        load(&destination, "theirs");
        let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
        let mut run = follow(&tool);
        assert_eq!(libraries(&destination), ["copied", "theirs"]);
        let mut client = source.client();
        load(&source, "streamed");
        await_applied(&tool, &mut run, &source);
        assert_eq!(libraries(&destination), ["copied", "streamed", "theirs"]);
        client.command(&cmd!["FUNCTION", "FLUSH"]);
        await_applied(&tool, &mut run, &source);
        assert_eq!(libraries(&destination), ["theirs"]);
        load(&source, "saved");
        let saved = client.command(&cmd!["FUNCTION", "DUMP"]).bytes().to_vec();
        load(&source, "beside");
        client.command(&cmd!["FUNCTION", "RESTORE", saved, "FLUSH"]);
        // Another process knows whose they are, too; so does the record after a flush of its database.
        await_applied(&tool, &mut run, &source);
        client.command(&cmd!["FLUSHALL"]);
        run.kill9();
        let mut run = follow(&tool);
        await_applied(&tool, &mut run, &source);
        assert_eq!(libraries(&destination), ["saved", "theirs"]);
        client.command(&cmd!["FUNCTION", "FLUSH"]);
        await_applied(&tool, &mut run, &source);
        assert_eq!(libraries(&destination), ["theirs"]);
        // One of the same name is a conflict.
        client.command(&cmd!["FUNCTION", "LOAD", "REPLACE", library("theirs").replace("return", "return 1,")]);
        run.wait().expect(3).because("R306").says("a library `theirs` that did not come from the source");
        assert_eq!(destination.client().command(&cmd!["FCALL", "theirs", 0]).text(), "theirs");
    }
}

#[test]
fn a_new_copy_takes_back_libraries_of_the_run_alone() {
    let (mut source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    load(&source, "gone");
    load(&source, "stays");
    fill(&source, 10, 20);
    load(&destination, "theirs");
    let tool = tool(&Plan::between(&source, &destination).following(IDLE).line("on_stream_lost: recopy"));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    source.client().command(&cmd!["CONFIG", "SET", "save", "3600 1"]);
    run.kill9();
    // A new history, with the data of before.
    source.restart_saved();
    load(&source, "new");
    source.client().command(&cmd!["FUNCTION", "DELETE", "gone"]);
    source.client().command(&cmd!["DEBUG", "CHANGE-REPL-ID"]);
    begin(&tool).wait().expect(0).says("as the plan agreed");
    assert_eq!(libraries(&destination), ["new", "stays", "theirs"]);
    Comparer::of(&source, &destination).run();
}

/// Databases that a plan writes to belong to the run while it lasts: the preview and the check say so, and the run says
/// what went.
#[test]
fn a_flush_of_the_source_says_how_many_keys_went() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let mut client = source.client();
    client.select(3);
    client.command(&cmd!["SET", "in three", 1]);
    let plan = Plan::between(&source, &destination).following(BY_HAND);
    let tool = tool(&plan);
    tool.run(["preview", "plan.yaml"]).expect(0).says("FLUSHALL, FLUSHDB and SWAPDB of the source act on all keys");
    assert!(check(&plan, "destination-empty").seen.contains("belong to the run while it lasts"));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    settle_in(&destination);
    client.pipeline_ok(&[cmd!["MULTI"], cmd!["FLUSHDB"], cmd!["SET", "after", 1], cmd!["EXEC"]]);
    assert!(
        await_told(&tool, &mut run, "database 3 of the destination was emptied too: 1 key deleted"),
        "{}",
        run.wait()
    );
    assert_eq!(settled(&destination), 10);
    client.command(&cmd!["FLUSHALL"]);
    assert!(await_told(&tool, &mut run, "database 0 of the destination was emptied too: 110 keys"), "{}", run.wait());
    assert!(await_told(&tool, &mut run, "database 3 of the destination was emptied too: 1 key "), "{}", run.wait());
    assert_eq!(keys(&destination), 0);
    await_applied(&tool, &mut run, &source);
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0).says("110 keys deleted, also keys that other applications");
}

/// What a lost connection leaves is the run's own, and is not counted among the keys of others.
#[test]
fn keys_of_the_run_itself_are_not_counted_as_emptied() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let to = Proxy::to(destination.port());
    let tool = tool(&Plan::between_ports(source.port(), to.port()).following(BY_HAND));
    let mut run = follow(&tool);
    source.client().command(&cmd!["SET", "before", 1]);
    await_applied(&tool, &mut run, &source);
    let fence = || destination.client().command(&cmd!["EXISTS", "redis-plan:{move}:fence:stream"]).int() == 1;
    let mut writes = 0;
    until("a connection was lost", || {
        to.cut();
        writes += 1;
        source.client().command(&cmd!["INCR", "n"]);
        await_applied(&tool, &mut run, &source);
        fence()
    });
    source.client().command(&cmd!["FLUSHALL"]);
    // 100 copied, and the two of this test.
    assert!(await_told(&tool, &mut run, "database 0 of the destination was emptied too: 102 keys"), "{}", run.wait());
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
}

#[test]
fn a_swap_of_the_source_says_how_many_keys_changed_places() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let mut client = source.client();
    client.select(3);
    client.command(&cmd!["SET", "in three", 1]);
    let tool = tool(&Plan::between(&source, &destination).following(BY_HAND));
    let mut run = follow(&tool);
    await_applied(&tool, &mut run, &source);
    settle_in(&destination);
    client.command(&cmd!["SWAPDB", 0, 3]);
    let said = "110 keys moved to database 3 and 1 key to database 0, also keys that other applications had written";
    assert!(await_told(&tool, &mut run, said), "{}", run.wait());
    await_applied(&tool, &mut run, &source);
    let mut there = destination.client();
    there.select(3);
    assert_eq!(there.command(&cmd!["DBSIZE"]).int(), 110);
    assert!(there.command(&cmd!["KEYS", "redis-plan:*"]).items().is_empty());
    tool.run(["cutover", "move"]).expect(0);
    run.wait().expect(0);
}

/// A much smaller source takes nothing back, also where the dump of the run is known to have brought it.
#[test]
fn a_source_that_comes_back_much_smaller_during_the_copy_takes_nothing_back() {
    let (mut source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 20_000, 100);
    let from = Proxy::to(source.port());
    from.throttle(1 << 20);
    let tool = tool(&Plan::between_ports(from.port(), destination.port()).following(IDLE));
    let mut run = begin(&tool);
    until("keys have come", || keys(&destination) > 3000 || !run.is_running());
    assert!(told(&tool, "dump_received").is_empty(), "the dump is not whole");
    run.kill9();
    source.restart();
    fill(&source, 100, 100);
    settle_in(&destination);
    from.throttle(0);
    let there = keys(&destination);
    begin(&tool).wait().expect(4).because("R310").says(&format!("--recopy {there}"));
    assert_eq!(keys(&destination), there);
    // What an operator agrees to is what the run has brought.
    tool.run(["apply", "plan.yaml", "--recopy", &there.to_string()]).expect(0);
    assert_eq!((settled(&destination), keys(&destination)), (10, 110));
}

/// A key that only the destination has may be anybody's, also while its run is not over.
#[test]
fn a_repair_deletes_no_key_that_only_the_destination_has() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let tool = tool(&Plan::between(&source, &destination).line("verify: { mode: full }"));
    tool.run(["apply", "plan.yaml", "--until", "full"]).expect(75);
    settle_in(&destination);
    destination.client().command(&cmd!["SET", "bulk:7", "changed"]);
    let repaired = tool.run(["verify", "plan.yaml", "--repair", "--progress", "plain"]).expect(1);
    repaired.says("The key foreign:3 could not be copied again: it may be somebody else's");
    assert_eq!((settled(&destination), keys(&destination)), (10, 110));
    let text = |server: &Server| server.client().command(&cmd!["GET", "bulk:7"]).text().to_owned();
    assert_eq!(text(&destination), text(&source));
}

#[test]
fn an_odd_list_of_libraries_is_not_an_empty_one() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 10, 10);
    for answer in ["+OK\r\n", "$-1\r\n", "*1\r\n*2\r\n$4\r\nname\r\n$1\r\nx\r\n"] {
        let port = answering(&destination, &["FUNCTION", "LIST"], answer);
        let tool = tool(&Plan::between_ports(source.port(), port));
        tool.run(["apply", "plan.yaml"]).expect(3).says("answered FUNCTION with");
        destination.client().command(&cmd!["FLUSHALL"]);
    }
}
