//! What a dump holds beside keys, or in a form of its own, and that has no way to the destination: named by the check, and
//! never passed over in silence.

use crate::{
    bad_input::scripted_source,
    check::check,
    cmd,
    faults::{told, tool},
    following::{IDLE, follow},
    harness::{Comparer, Flavour, Plan, Server},
    moved::Moved,
};

fn with_search(name: &str) -> Server {
    let module = Flavour::of(name).program().with_file_name("modules/redisearch.so");
    assert!(module.exists(), "{} is not installed, run: tests/servers/install {name}", module.display());
    Server::of(name).args(["--loadmodule", module.to_str().unwrap()]).start()
}

/// Makes an index over hashes, and one of them.
fn index(server: &Server) {
    let create =
        ["FT.CREATE", "idx", "PREFIX", "1", "doc:", "SCHEMA", "t", "TEXT"].map(|word| word.as_bytes().to_vec());
    server.client().pipeline_ok(&[create.to_vec(), cmd!["HSET", "doc:1", "t", "hello"]]);
}

#[test]
fn an_index_that_a_module_keeps_outside_of_keys_is_named_and_fails() {
    let (source, destination) = (with_search("redis-7.2.4"), with_search("redis-7.4.1"));
    index(&source);
    let plan = Plan::between(&source, &destination);
    let seen = "the source has the search index `idx`, which is not copied";
    check(&plan, "modules").fails("C302", "url:", seen, "FT.CREATE");
    Moved::by(&plan).expect(1).run.says(seen);
    let reports = Plan::between(&source, &destination).line("on_unsupported: report");
    check(&reports, "modules").warns("C302", "on_unsupported:", seen, "FT.CREATE");
    let moved = Moved::by(&reports).expect(0);
    let reported = moved.reported();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported[&(0, "ft_index0".to_owned())][0].contains("keeps outside of keys"), "{reported:?}");
    assert_eq!(destination.client().command(&cmd!["HGET", "doc:1", "t"]).text(), "hello");
}

/// One made between the check and the dump is seen in the dump.
#[test]
fn an_index_that_the_check_did_not_see_is_found_in_the_dump() {
    let (source, destination) = (with_search("redis-7.2.4"), with_search("redis-7.4.1"));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    index(&source);
    // The user may not ask for the indexes.
    source.client().command(&cmd!["ACL", "SETUSER", "default", "-ft._list"]);
    tool.run(["check", "plan.yaml"]).expect(0).says("does not list its search indexes");
    let run = tool.run(["apply", "plan.yaml", "--events", "events"]).expect(3);
    run.says("module data `ft_index0`").says("with `report` such keys are listed");
    assert_eq!(told(&tool, "follow_started").len(), 0);
}

#[test]
fn a_module_that_keeps_nothing_is_nothing_to_name() {
    let (source, destination) = (with_search("redis-7.2.4"), with_search("redis-7.4.1"));
    source.client().command(&cmd!["SET", "plain", 1]);
    let plan = Plan::between(&source, &destination);
    check(&plan, "modules").passes("search, on both sides");
    let moved = Moved::by(&plan).expect(0);
    assert!(moved.reported().is_empty(), "{:?}", moved.reported());
}

#[test]
fn an_index_made_while_the_source_is_followed_is_made_there_too() {
    let (source, destination) = (with_search("redis-7.2.4"), with_search("redis-7.4.1"));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let run = follow(&tool);
    index(&source);
    run.wait().expect(0);
    assert_eq!(destination.client().command(&cmd!["FT._LIST"]).items().len(), 1);
}

/// A type that this version does not know goes where a module takes it.
#[test]
fn any_type_of_a_module_goes_where_the_destination_takes_it() {
    let (source, destination) = (with_search("redis-7.2.4"), with_search("redis-7.4.1"));
    source.client().pipeline_ok(&[cmd!["FT.SUGADD", "sug", "hello", 1], cmd!["FT.SUGADD", "sug", "help", 2]]);
    let moved = Moved::by(&Plan::between(&source, &destination)).expect(0);
    assert!(moved.reported().is_empty(), "{:?}", moved.reported());
    let get = cmd!["FT.SUGGET", "sug", "hel"];
    assert_eq!(destination.client().command(&get), source.client().command(&get));
}

#[test]
fn a_type_that_no_module_of_the_destination_takes_is_named() {
    let source = with_search("redis-7.2.4");
    let bloom = Flavour::of("redis-7.2.4").program().with_file_name("modules/redisbloom.so");
    source.client().pipeline_ok(&[cmd!["FT.SUGADD", "sug", "hello", 1], cmd!["SET", "plain", 1]]);
    let destination = Server::of("redis-6.2.14").args(["--loadmodule", bloom.to_str().unwrap()]).start();
    let moved = Moved::by(&Plan::between(&source, &destination).line("on_unsupported: report")).expect(0);
    let reason = moved.reported()[&(0, "sug".to_owned())].join(", ");
    assert!(reason.contains("no module that reads the type `trietype0 v1`"), "{reason}");
    assert_eq!(destination.client().command(&cmd!["GET", "plain"]).text(), "1");
}

/// Values that servers of today refuse as they are: a zipmap of more pairs than its first byte can count, collections of
/// nothing, and a stream that says it has entries.
fn refused_values() -> Vec<u8> {
    let mut dump = b"REDIS0009\xfe\x00\x00\x05plain\x01v".to_vec();
    let mut zipmap = vec![0xfe];
    for pair in 0..300 {
        let [field, value] = [format!("f{pair:03}"), format!("v{pair:03}")];
        zipmap.extend([b"\x04", field.as_bytes(), b"\x04\x00", value.as_bytes()].concat());
    }
    zipmap.push(0xff);
    let length = u16::try_from(zipmap.len()).unwrap() | 0x4000;
    dump.extend([b"\x09\x06zipmap", &length.to_be_bytes()[..], &zipmap].concat());
    dump.extend(b"\x01\x0aempty list\x00");
    dump.extend(b"\x0d\x0aempty hash\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff");
    dump.extend(b"\x0f\x06stream\x00\x05\x07\x00\x00");
    dump.extend(b"\xff\0\0\0\0\0\0\0\0");
    dump
}

#[test]
fn what_the_destination_refuses_as_it_is_goes_by_commands() {
    for (conflict, name) in [("fail", "redis-7.2.4"), ("replace", "redis-8.2.3"), ("skip", "redis-6.2.14")] {
        let destination = Server::start(name);
        let plan = Plan::between_ports(scripted_source(&refused_values()), destination.port());
        let moved = Moved::by(&plan.line(&format!("on_conflict: {conflict}"))).expect(0);
        let mut client = destination.client();
        assert_eq!(client.command(&cmd!["GET", "plain"]).text(), "v");
        assert_eq!(client.command(&cmd!["HLEN", "zipmap"]).int(), 300);
        assert_eq!(client.command(&cmd!["HGET", "zipmap", "f299"]).text(), "v299");
        assert_eq!(client.command(&cmd!["TYPE", "stream"]).text(), "stream", "{name}");
        assert_eq!(client.command(&cmd!["EXISTS", "empty list", "empty hash"]).int(), 0, "{name}");
        let reported = moved.reported();
        let empty: Vec<&str> = reported.keys().map(|(_, key)| key.as_str()).collect();
        assert_eq!(empty, ["empty hash", "empty list"], "{reported:?}");
        assert!(reported.values().all(|reasons| reasons[0].contains("no server keeps")), "{reported:?}");
    }
}

#[test]
fn a_value_that_cannot_be_read_either_is_named_with_its_place() {
    // A set of numbers that says it has more than it has.
    let dump = b"REDIS0009\xfe\x00\x0b\x03set\x0a\x02\0\0\0\x09\0\0\0\x01\0\xff\0\0\0\0\0\0\0\0";
    let destination = Server::of("redis-7.2.4").arg("--sanitize-dump-payload", "yes").start();
    let run = Moved::by(&Plan::between_ports(scripted_source(dump), destination.port())).expect(3).run;
    run.says("could not be written: ERR Bad data format; it lies before byte 36 of the dump");
}

#[test]
fn keys_of_the_tool_itself_are_counted_by_themselves() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    source.client().pipeline_ok(&[cmd!["SET", "k", 1], cmd!["SET", "redis-plan:{old}:token", "sealed"]]);
    let moved = Moved::by(&Plan::between(&source, &destination)).expect(0);
    assert_eq!((moved.figure("filtered"), moved.figure("own"), moved.figure("keys")), (0, 1, 1));
    moved.run.says("1 of this tool's own left out");
}

#[test]
fn every_key_that_loses_something_is_counted() {
    let (source, destination) = (Server::start("redis-7.4.1"), Server::start("redis-7.0.15"));
    for key in ["one", "two", "three"] {
        let expire = ["HEXPIRE", key, "1000", "FIELDS", "1", "f"].map(|word| word.as_bytes().to_vec()).to_vec();
        source.client().pipeline_ok(&[cmd!["HSET", key, "f", 1, "g", 2], expire]);
    }
    let moved = Moved::by(&Plan::between(&source, &destination).line("on_unsupported: report")).expect(0);
    assert_eq!((moved.reported().len(), moved.figure("failed"), moved.figure("keys")), (3, 3, 3));
    moved.run.says("3 reported");
    assert!(!Comparer::of(&source, &destination).run().differences.is_empty());
}

#[test]
fn a_command_that_is_left_out_names_the_key_that_differs() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-5.0.10"));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE).line("on_unsupported: report"));
    let run = follow(&tool);
    source.client().pipeline_ok(&[
        cmd!["SET", "from", 1],
        cmd!["COPY", "from", "copied"],
        cmd!["RPUSH", "queue", 1, 2],
        cmd!["LMOVE", "queue", "moved", "LEFT", "LEFT"],
    ]);
    run.wait().expect(0);
    let named: Vec<String> =
        told(&tool, "key_failed").iter().map(|event| event["failure"]["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(named, ["copied", "moved"]);
}
