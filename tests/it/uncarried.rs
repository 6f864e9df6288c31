//! What a dump holds beside keys, or in a form of its own, and that has no way to the destination: named by the check, and
//! never passed over in silence.

use crate::{
    check::check,
    cmd,
    faults::{told, tool},
    following::{IDLE, follow},
    harness::{Flavour, Plan, Server},
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
