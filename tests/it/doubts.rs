//! What nobody has seen is not success: histories that changed, answers that were lost, databases that somebody else emptied.

use crate::{
    cmd,
    faults::{fill, tool, until},
    following::{await_applied, figure, follow, offset},
    harness::{Plan, Proxy, Server},
};

/// Ends when an operator says so.
const BY_HAND: &str = "{ any: [command: cutover] }";

/// The offset of a source with another history is no offset of the one that is followed: what the destination lacks may be on
/// its way still.
#[test]
fn a_source_of_another_history_does_not_say_what_is_applied() {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::start("redis-7.2.4"));
    fill(&source, 100, 20);
    let from = Proxy::to(source.port());
    let tool = tool(&Plan::between_ports(from.port(), destination.port()).following(BY_HAND));
    let mut run = follow(&tool);
    source.client().pipeline_ok(&vec![cmd!["INCR", "n"]; 500]);
    await_applied(&tool, &mut run, &source);
    // Another server answers at the address, with other values and a lower offset; who follows does not know yet.
    let other = Server::start("redis-7.2.4");
    let write = |index: usize| cmd!["SET", format!("bulk:{index}"), "other"];
    other.client().pipeline_ok(&(0..10).map(write).collect::<Vec<_>>());
    assert!(offset(&other) < figure(&tool, "applied").unwrap_or(offset(&source)));
    from.hold_streams(true);
    from.point_at(other.port());
    tool.run(["verify", "plan.yaml"]).expect(3).because("R308").says("101 keys");
    until("it is still at work", || run.is_running());
    run.kill9();
}
