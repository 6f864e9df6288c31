//! The source is followed behind the copy.

use crate::{
    cmd,
    faults::{await_told, begin, fill, tool},
    harness::{Comparer, Plan, Server},
};

#[test]
fn what_is_written_after_the_dump_arrives_too() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.2.4"));
    fill(&source, 1000, 100);
    let tool = tool(&Plan::between(&source, &destination).following("{ any: [source_idle: { for: 2s }] }"));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "follow_started"), "{}", run.wait());
    let mut client = source.client();
    for index in 0..1000 {
        client.command(&cmd!["INCR", format!("count:{}", index % 7)]);
        client.command(&cmd!["RPUSH", "list", index]);
    }
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}
