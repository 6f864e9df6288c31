//! No command that writes is forgotten, and the program's own table of commands says what the servers say.

use std::collections::BTreeSet;

use redis_plan::command::{self, KeySpec};

use super::{
    Known, PAIRS,
    case::Case,
    known::Told,
    table::{CASES, LAST, WIPING, WITHOUT},
};
use crate::{
    cmd,
    harness::{ALL, Reply, Server},
};

/// Operations that a migration must bring over, whatever a server calls them.
const REQUIRED: &str = "APPEND BITOP BLPOP BRPOP BRPOPLPUSH DECR DECRBY DEL EVAL EVALSHA EXEC EXPIRE EXPIREAT FLUSHALL FLUSHDB \
    GEOADD GETSET HDEL HINCRBY HINCRBYFLOAT HMSET HSET HSETNX INCR INCRBY INCRBYFLOAT LINSERT LPOP LPUSH LPUSHX LREM LSET \
    LTRIM MOVE MSET MSETNX MULTI PERSIST PEXPIRE PEXPIREAT PFADD PFMERGE PSETEX PUBLISH RENAME RENAMENX RESTORE RPOP RPOPLPUSH \
    RPUSH RPUSHX SADD SDIFFSTORE SELECT SET SETBIT SETEX SETNX SETRANGE SINTERSTORE SMOVE SPOP SREM SUNIONSTORE ZADD ZINCRBY \
    ZINTERSTORE ZREM ZREMRANGEBYLEX ZUNIONSTORE ZREMRANGEBYRANK ZREMRANGEBYSCORE PFCOUNT SPUBLISH FCALL";

pub(super) fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(WIPING).chain(LAST)
}

/// In the order of [`ALL`].
pub(super) fn sources() -> Vec<&'static str> {
    let tried: BTreeSet<&str> = PAIRS.iter().map(|pair| pair.0).collect();
    ALL.into_iter().filter(|name| tried.contains(name)).collect()
}

#[test]
fn every_command_that_writes_is_tried() {
    let mut missing = vec![];
    for source in sources() {
        let known = Known::of(&Server::start(source));
        let tried: BTreeSet<&str> = cases().filter(|case| case.is_for(&known)).map(|case| case.operation).collect();
        let is_tried = |name: &str| {
            let inside =
                |tried: &&str| tried.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
            tried.iter().any(inside)
        };
        let required = REQUIRED.split_whitespace().filter(|name| known.has(name));
        let named = |name: &&str| WITHOUT.iter().any(|(without, _)| without == name);
        let wanted = known.writes().into_iter().filter(|name| !named(name)).chain(required);
        missing.extend(wanted.filter(|name| !is_tried(name)).map(|name| format!("{source}: {name}")));
    }
    assert!(missing.is_empty(), "no case tries {missing:#?}");
}

#[test]
fn the_table_of_commands_says_what_the_servers_say() {
    let mut wrong = vec![];
    for server in ALL {
        let known = Known::of(&Server::start(server));
        for (name, told) in known.commands.iter().filter(|(name, _)| !name.contains(' ')) {
            wrong.extend(fault(&known, name, told).map(|fault| format!("{server}: {name}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What the program's table says wrongly of a command.
fn fault(known: &Known, name: &str, told: &Told) -> Option<String> {
    let Some(spec) = command::find(name.as_bytes()) else {
        let writes = told.is("write") && !WITHOUT.iter().any(|(without, _)| *without == name);
        return writes.then(|| "it writes and is not in the table".to_owned());
    };
    if !spec.in_version(known.version) {
        return Some(format!("{} has it, the table says since {:?} and {:?}", known.version, spec.redis, spec.valkey));
    }
    // Of these a server tells some keys or none: what it finds in real commands is another test.
    let told_in_part = matches!(spec.keys, KeySpec::Counted { .. } | KeySpec::Streams | KeySpec::Stored { .. });
    // What servers told too little of at first, and a channel, which is no key although it has a slot.
    let early = [
        ("BRPOP", (1, 1, 1)),
        ("PFCOUNT", (1, 1, 1)),
        ("TOUCH", (1, 1, 1)),
        ("PFDEBUG", (0, 0, 0)),
        ("XGROUP", (0, 0, 0)),
        ("SPUBLISH", (1, 1, 1)),
    ];
    if told_in_part || early.contains(&(name, told.keys)) {
        return None;
    }
    let keys = match spec.keys {
        KeySpec::Range { first, last, step } => {
            (i64::try_from(first).unwrap(), last as i64, i64::try_from(step).unwrap())
        }
        _ => (0, 0, 0),
    };
    (keys != told.keys).then(|| format!("its keys are {:?}, the table says {keys:?}", told.keys))
}

#[test]
fn keys_of_real_commands_are_found_where_a_server_finds_them() {
    let mut compared = 0;
    for server in ["redis-7.2.4", "redis-8.2.3", "valkey-9.1.2"] {
        let server = Server::start(server);
        let (known, mut client) = (Known::of(&server), server.client());
        for case in cases().filter(|case| case.is_for(&known)) {
            let lines = case.during.iter().chain(&case.blocked).filter(|line| !line.contains("{dump"));
            for line in lines {
                let said = case.command(line.trim_start_matches('!'), &mut client);
                let Some(spec) = command::find(&said[0]).filter(|spec| spec.keys != KeySpec::None) else { continue };
                let mut found = vec![];
                spec.key_indexes(said.len(), &|index| said.get(index).map(Vec::as_slice), &mut found);
                let here: BTreeSet<&[u8]> = found.iter().map(|index| said[*index].as_slice()).collect();
                let reply = client.command(&[cmd!["COMMAND", "GETKEYS"], said.clone()].concat());
                let there: BTreeSet<&[u8]> = reply.items().iter().map(Reply::bytes).collect();
                assert_eq!(here, there, "{}: {line}", server.flavour.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn the_table_knows_no_command_of_a_version_that_has_it_not() {
    let mut wrong = vec![];
    for server in ALL {
        let known = Known::of(&Server::start(server));
        let specs = cases().filter_map(|case| command::find(case.operation.split(' ').next().unwrap().as_bytes()));
        let names: BTreeSet<&str> = specs
            .filter(|spec| spec.in_version(known.version) && !known.has(spec.name))
            .map(|spec| spec.name)
            .collect();
        wrong.extend(names.into_iter().map(|name| format!("{server}: {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
