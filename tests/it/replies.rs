//! Answers and commands of any size while the source is followed.

use crate::{
    check::check,
    cmd,
    faults::{told, tool},
    following::{IDLE, await_applied, follow},
    harness::{Command, Comparer, Plan, Server},
};

/// More than a mebibyte.
fn large() -> String {
    "x".repeat(2 << 20)
}

/// Follows a source that says these commands, and must end equal.
fn passes(source: &str, commands: &[Command]) {
    let (source, destination) = (Server::start(source), Server::start("redis-7.2.4"));
    let tool = tool(&Plan::between(&source, &destination).following(IDLE));
    let mut run = follow(&tool);
    source.client().pipeline_ok(commands);
    await_applied(&tool, &mut run, &source);
    run.wait().expect(0);
    assert!(told(&tool, "key_failed").is_empty());
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn an_answer_of_any_size_is_passed_over() {
    let commands = vec![
        cmd!["RPUSH", "queue", large(), large(), large(), "last"],
        cmd!["LPOP", "queue"],
        cmd!["RPOPLPUSH", "queue", "done"],
        cmd!["LMOVE", "queue", "done", "LEFT", "RIGHT"],
        cmd!["SET", "text", large()],
        cmd!["GETSET", "text", "short"],
        cmd!["SADD", "set", large()],
        cmd!["SPOP", "set"],
        cmd!["LPOP", "done", 2],
    ];
    passes("redis-7.0.15", &commands);
    let script = "redis.call('SET', KEYS[1], 'x') return {string.rep('y', 2097152), {1, redis.call('GET', KEYS[2])}}";
    let commands = [cmd!["SET", "text", large()], cmd!["EVAL", script, 2, "made", "text"], cmd!["GETSET", "text", "y"]];
    passes("redis-4.0-rc2", &commands);
}

#[test]
fn a_transaction_of_more_than_a_million_commands_passes() {
    let mut commands = vec![cmd!["MULTI"]];
    commands.extend((0..1_100_000).map(|_| cmd!["INCR", "n"]));
    commands.push(cmd!["EXEC"]);
    passes("redis-7.0.15", &commands);
}

/// Follows a source that says these commands to a destination with such a setting, and what the run says in its end.
fn refused(setting: &str, commands: &[Command]) -> crate::harness::Finished {
    let (source, destination) = (Server::start("redis-7.2.4"), Server::of("redis-7.2.4").arg(setting, "1mb").start());
    let plan = Plan::between(&source, &destination).following(IDLE).line("limits: { chunk_above: 256 KiB }");
    let seen = if setting == "--proto-max-bulk-len" { "up to 1 MiB" } else { "(`client-query-buffer-limit`)" };
    check(&plan, "large-values").warns("C304", "url:", seen, "before the run starts");
    let tool = tool(&plan);
    let run = follow(&tool);
    source.client().pipeline_ok(commands);
    let run = run.wait().expect(3);
    destination.client().command(&cmd!["CONFIG", "SET", setting.trim_start_matches('-'), "512mb"]);
    follow(&tool).wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
    run
}

#[test]
fn what_is_too_large_for_the_destination_is_named_with_its_setting() {
    let run = refused("--proto-max-bulk-len", &[cmd!["SET", "large", large()]]);
    run.says("`SET` on `large` has 2 MiB, and `proto-max-bulk-len` is 1 MiB there")
        .says("CONFIG SET proto-max-bulk-len");
    let mut commands = vec![cmd!["MULTI"]];
    commands.extend((0..30).map(|index| cmd!["SET", format!("part:{index}"), "x".repeat(100_000)]));
    commands.push(cmd!["EXEC"]);
    let run = refused("--client-query-buffer-limit", &commands);
    run.says("a transaction of 30").says("and `client-query-buffer-limit` is 1 MiB there");
}
