//! Expiries that count from now become absolute. Sources up to 6.2 send them as they were said, so lag, or a run that is
//! continued later, would lengthen every life. What is written for a deadline is then the destination's [`Expiry`] to say.

use std::borrow::Cow;

use super::words::{Argv, Change, SAME, becomes, fixed, number};
use crate::{
    command::Spec,
    rdb::{self, ElementReader, Kind, ModuleId},
    resp::{self, CommandReader, RespLimits},
    sink::{
        Destination, Form,
        native::{Features, Loss, NativeWriter},
    },
    unit::{Expiry, Offset, UnixMillis},
};

/// When a command was received, and what is known better.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    /// The offset of its end.
    pub(super) end: Offset,
    /// On the source's clock.
    pub(super) at: UnixMillis,
    /// When its key ends at the source, if that is known: the command's own end is no later than counted from its receipt,
    /// and may be this.
    pub(super) ends: Option<UnixMillis>,
    /// How deadlines are written.
    pub(super) expiry: Expiry,
}

impl Receipt {
    /// The same for deadlines that are absolute: they count from the epoch.
    fn absolute(self) -> Self {
        Self { at: UnixMillis(0), ends: None, ..self }
    }
}

/// Whether a command brings an expiry of its key that counts from when the source carried it out.
pub(super) fn counts_from_now(spec: &Spec, words: &Argv<'_>) -> bool {
    let has = |begin| words.position(begin, "EX").or(words.position(begin, "PX")).is_some();
    match spec.name {
        "EXPIRE" | "PEXPIRE" | "SETEX" | "PSETEX" => true,
        "SET" => has(3),
        "GETEX" => has(2),
        "RESTORE" | "RESTORE-ASKING" => words.number(2) != Some(0) && words.position(4, "ABSTTL").is_none(),
        _ => false,
    }
}

/// The same command with absolute expiries, in milliseconds since the epoch. `known` says whether the destination has the command.
pub(super) fn absolute<'a>(
    spec: &Spec,
    words: &Argv<'a>,
    received_at: Receipt,
    destination: &Destination,
    known: bool,
) -> Change<'a> {
    let seconds = |index| later(words, index, received_at, 1000);
    let millis = |index| later(words, index, received_at, 1);
    let at = |index, unit| later(words, index, received_at.absolute(), unit);
    let defers = received_at.expiry.defers();
    // A source sends them only when they took effect; at the destination NX, XX, GT and LT would compare with other moments.
    let conditions = if defers { words.len() } else { 3 };
    match spec.name {
        "EXPIRE" => becomes(key_expires(words, seconds(2)?, conditions)),
        "PEXPIRE" => becomes(key_expires(words, millis(2)?, conditions)),
        "EXPIREAT" if defers => becomes(key_expires(words, at(2, 1000)?, conditions)),
        "PEXPIREAT" if defers => becomes(key_expires(words, at(2, 1)?, conditions)),
        "HEXPIREAT" if defers => becomes(fields_expire(words, at(2, 1000)?)),
        "HPEXPIREAT" if defers => becomes(fields_expire(words, at(2, 1)?)),
        "SETEX" => Ok(Some(set(words, words.word(3), seconds(2)?, destination))),
        "PSETEX" => Ok(Some(set(words, words.word(3), millis(2)?, destination))),
        "SET" => set_with_words(words, received_at, destination),
        "GETEX" => getex(words, received_at),
        "RESTORE" | "RESTORE-ASKING" => restore(words, received_at, destination),
        "MSETEX" => msetex(words, received_at, known),
        "HEXPIRE" => becomes(fields_expire(words, seconds(2)?)),
        "HPEXPIRE" => becomes(fields_expire(words, millis(2)?)),
        "HSETEX" | "HGETEX" => with_fields(spec, words, received_at, known, destination),
        _ => SAME,
    }
}

/// What is written for the moment so many units after `from`.
fn later(words: &Argv<'_>, index: usize, from: Receipt, unit: i64) -> Result<i64, String> {
    let count = words.number(index).ok_or("its expiry is no number")?;
    count
        .checked_mul(unit)
        .and_then(|millis| millis.checked_add(from.at.0))
        .map(|at| UnixMillis(from.ends.map_or(at, |ends| at.min(ends.0))))
        .map(|at| from.expiry.written(at).0)
        .ok_or_else(|| "its expiry overflows".to_owned())
}

/// `PEXPIREAT key at`, with the conditions from word `rest` on.
fn key_expires<'a>(words: &Argv<'a>, at: i64, rest: usize) -> Argv<'a> {
    Argv::new("PEXPIREAT", [words.word(1), number(at)].into_iter().chain(words.from(rest)))
}

fn fields_expire<'a>(words: &Argv<'a>, at: i64) -> Argv<'a> {
    Argv::new("HPEXPIREAT", [words.word(1), number(at)].into_iter().chain(words.from(3)))
}

/// SET with an absolute expiry: one command from 6.2 on (`t_string.c`), two before.
fn set<'a>(words: &Argv<'a>, value: Cow<'a, [u8]>, at: i64, destination: &Destination) -> Vec<Argv<'a>> {
    let key = words.word(1);
    if destination.version.has_redis((6, 2)) {
        return vec![Argv::new("SET", [key, value, fixed("PXAT"), number(at)])];
    }
    vec![Argv::new("SET", [key.clone(), value]), Argv::new("PEXPIREAT", [key, number(at)])]
}

/// What the words of an expiry say, if the one at `index` begins one: the moment and how many words.
fn expiry(words: &Argv<'_>, index: usize, received_at: Receipt) -> Result<Option<i64>, String> {
    let (unit, from) = match () {
        () if words.is(index, "EX") => (1000, received_at),
        () if words.is(index, "PX") => (1, received_at),
        () if words.is(index, "EXAT") => (1000, received_at.absolute()),
        () if words.is(index, "PXAT") => (1, received_at.absolute()),
        () => return Ok(None),
    };
    later(words, index.saturating_add(1), from, unit).map(Some)
}

/// A SET that a source sends took effect: its conditions and its wish for the old value can go.
fn set_with_words<'a>(words: &Argv<'a>, received_at: Receipt, destination: &Destination) -> Change<'a> {
    let mut at = None;
    let mut keeps = false;
    let mut index = 3;
    while index < words.len() {
        if let Some(moment) = expiry(words, index, received_at)? {
            at = Some(moment);
            index += 1;
        } else if words.is(index, "KEEPTTL") {
            keeps = true;
        } else if ["IFEQ", "IFNE", "IFDEQ", "IFDNE"].iter().any(|word| words.is(index, word)) {
            index += 1;
        } else if !["NX", "XX", "GET"].iter().any(|word| words.is(index, word)) {
            return Err(format!("its word `{}` is not known", crate::unit::KeyText(&words.word(index))));
        }
        index += 1;
    }
    match at {
        Some(at) => Ok(Some(set(words, words.word(2), at, destination))),
        None if keeps && !destination.version.has_redis((6, 0)) => {
            becomes(Argv::new("EVAL", [fixed(SET_KEEPING), fixed("1"), words.word(1), words.word(2)]))
        }
        None => {
            let keep = keeps.then_some(fixed("KEEPTTL"));
            becomes(Argv::new("SET", [words.word(1), words.word(2)].into_iter().chain(keep)))
        }
    }
}

/// `SET key value KEEPTTL` (6.0) for older servers. A key whose time is up at this very moment answers 0: it is set and
/// goes with the next look.
const SET_KEEPING: &str = "local left = redis.call('PTTL', KEYS[1]) \
                           redis.call('SET', KEYS[1], ARGV[1]) \
                           if left >= 0 then redis.call('PEXPIRE', KEYS[1], left) end";

fn getex<'a>(words: &Argv<'a>, received_at: Receipt) -> Change<'a> {
    if words.is(2, "PERSIST") {
        return becomes(Argv::new("PERSIST", [words.word(1)]));
    }
    match expiry(words, 2, received_at)? {
        Some(at) => becomes(Argv::new("PEXPIREAT", [words.word(1), number(at)])),
        None => Err("its arguments are not known".to_owned()),
    }
}

fn restore<'a>(words: &Argv<'a>, received_at: Receipt, destination: &Destination) -> Change<'a> {
    let key = words.word(1);
    let from = if words.position(4, "ABSTTL").is_some() { received_at.absolute() } else { received_at };
    let at = match words.number(2).ok_or("its expiry is no number")? {
        0 => None,
        _ => Some(later(words, 2, from, 1)?),
    };
    let payload = match stamped(&words.word(3), destination)? {
        Restored::Payload(payload) => payload,
        Restored::Value(kind, body) => return native(&key, (kind, &body), at, destination).map(Some),
    };
    let replace = words.position(4, "REPLACE").is_some();
    let mut commands = vec![];
    if replace && !destination.knows_replace() {
        commands.push(Argv::new("DEL", [key.clone()]));
    }
    let modern = destination.knows_absolute_expiry();
    let first = at.filter(|_| modern).unwrap_or(0);
    let mut args = vec![key.clone(), number(first), Cow::Owned(payload)];
    args.extend((replace && destination.knows_replace()).then_some(fixed("REPLACE")));
    args.extend((modern && at.is_some()).then_some(fixed("ABSTTL")));
    for word in ["IDLETIME", "FREQ"] {
        if let Some(index) = words.position(4, word).filter(|_| modern) {
            args.extend(words.from(index).take(2));
        }
    }
    commands.push(Argv::new("RESTORE", args));
    if let Some(at) = at.filter(|_| !modern) {
        commands.push(Argv::new("PEXPIREAT", [key, number(at)]));
    }
    Ok(Some(commands))
}

/// What a payload becomes.
enum Restored {
    /// The same with a version that the destination accepts.
    Payload(Vec<u8>),
    /// A value that goes as commands.
    Value(Kind, Vec<u8>),
}

/// The payload as the destination can take it.
fn stamped(payload: &[u8], destination: &Destination) -> Result<Restored, String> {
    let found = rdb::verify(payload).ok_or("its payload is damaged")?;
    let kind = found.kind.ok_or("its payload is of a type that this version does not know")?;
    let body = payload.get(1..payload.len().saturating_sub(rdb::payload_len(0).saturating_sub(1))).unwrap_or_default();
    // A module's value begins with the name of its type.
    let module = rdb::Length::plain(&mut rdb::Cursor::new(body, 1), "a module's name").ok().flatten().map(ModuleId);
    let version = match destination.form(kind, module) {
        Form::Restore { version } => version,
        Form::Native => return Ok(Restored::Value(kind, body.to_vec())),
        Form::Unsupported(_) => {
            return Err(format!("{} cannot restore its payload, a {}", destination.version, kind.type_name()));
        }
    };
    let mut out = Vec::with_capacity(payload.len());
    rdb::append_payload(&mut out, kind, body, version);
    Ok(Restored::Payload(out))
}

/// A value as commands. The source carried the RESTORE out, so the key was not there or was replaced.
fn native<'a>(
    key: &[u8],
    (kind, body): (Kind, &[u8]),
    at: Option<i64>,
    destination: &Destination,
) -> Result<Vec<Argv<'a>>, String> {
    const CHUNK: usize = 128 << 10;
    let caps = Features::of(destination.version);
    let mut writer = NativeWriter::new(key, kind, &caps, CHUNK)
        .map_err(|error| error.to_string())?
        .with_deadlines(destination.expiry, UnixMillis(0));
    let mut elements = ElementReader::new(kind, 0);
    elements.feed(body);
    let mut out = vec![];
    resp::command(&mut out, &[b"DEL", key]);
    while let Some(element) = elements.next().map_err(|error| format!("its payload is damaged: {error}"))? {
        writer.push(&element, &mut out);
    }
    writer.finish(at.map(UnixMillis), &mut out);
    if let Some(loss) = writer.losses().into_iter().find(Loss::touches_data) {
        return Err(loss.to_string());
    }
    let mut reader = CommandReader::starting_at(0, RespLimits::default());
    reader.feed(&out);
    let mut commands = vec![];
    while let Some(command) = reader.next().map_err(|error| error.to_string())? {
        commands.push(Argv(command.args().map(|word| Cow::Owned(word.to_vec())).collect()));
    }
    Ok(commands)
}

/// `MSETEX n k v … [NX|XX] [EX|PX|EXAT|PXAT|KEEPTTL]`: before it came (8.4, Valkey 9.1), MSET and an expiry for each key.
fn msetex<'a>(words: &Argv<'a>, received_at: Receipt, known: bool) -> Change<'a> {
    let pairs = words.number(1).and_then(|count| usize::try_from(count).ok()).ok_or("its count is no number")?;
    let end = pairs.checked_mul(2).and_then(|words| words.checked_add(2)).ok_or("its count is too large")?;
    let mut at = None;
    for index in end..words.len() {
        at = at.or(expiry(words, index, received_at)?);
    }
    let keeps = words.position(end, "KEEPTTL").is_some();
    let set: Vec<Cow<'a, [u8]>> = words.from(2).take(end.saturating_sub(2)).collect();
    if known {
        let mut args = vec![words.word(1)];
        args.extend(set);
        args.extend(keeps.then_some(fixed("KEEPTTL")));
        args.extend(at.into_iter().flat_map(|at| [fixed("PXAT"), number(at)]));
        return becomes(Argv::new("MSETEX", args));
    }
    if keeps {
        return Err("the destination cannot keep the expiries of several keys that are set".to_owned());
    }
    let keys: Vec<Cow<'a, [u8]>> = set.iter().step_by(2).cloned().collect();
    let mut commands = vec![Argv::new("MSET", set)];
    if let Some(at) = at {
        commands.extend(keys.into_iter().map(|key| Argv::new("PEXPIREAT", [key, number(at)])));
    }
    Ok(Some(commands))
}

/// `HSETEX key [FNX|FXX] [EX|PX|EXAT|PXAT|KEEPTTL] FIELDS n f v …` and `HGETEX key [… PERSIST] FIELDS n f …`.
fn with_fields<'a>(
    spec: &Spec,
    words: &Argv<'a>,
    received_at: Receipt,
    known: bool,
    destination: &Destination,
) -> Change<'a> {
    let fields = words.position(2, "FIELDS").ok_or("it names no fields")?;
    let mut at = None;
    for index in 2..fields {
        at = at.or(expiry(words, index, received_at)?);
    }
    let key = words.word(1);
    let named = || words.from(fields);
    if spec.name == "HGETEX" {
        return match at {
            Some(at) => becomes(Argv::new("HPEXPIREAT", [key, number(at)].into_iter().chain(named()))),
            None => becomes(Argv::new("HPERSIST", std::iter::once(key).chain(named()))),
        };
    }
    let keeps = words.position(2, "KEEPTTL").is_some_and(|index| index < fields);
    if known {
        let mut args = vec![key];
        args.extend(keeps.then_some(fixed("KEEPTTL")));
        args.extend(at.into_iter().flat_map(|at| [fixed("PXAT"), number(at)]));
        return becomes(Argv::new("HSETEX", args.into_iter().chain(named())));
    }
    let pairs: Vec<Cow<'a, [u8]>> = words.from(fields.saturating_add(2)).collect();
    let set = Argv::new("HSET", std::iter::once(key.clone()).chain(pairs.iter().cloned()));
    let has_field_expiry = destination.version.has((7, 4), (9, 0));
    match at {
        None if keeps && has_field_expiry => {
            Err(format!("{} cannot keep the expiry of a field that is set", destination.version))
        }
        None => becomes(set),
        Some(at) if has_field_expiry => {
            let expiring: Vec<Cow<'a, [u8]>> = pairs.iter().step_by(2).cloned().collect();
            let count = number(i64::try_from(expiring.len()).unwrap_or(i64::MAX));
            let expire = [key, number(at), fixed("FIELDS"), count].into_iter().chain(expiring);
            Ok(Some(vec![set, Argv::new("HPEXPIREAT", expire)]))
        }
        Some(_) => Err(format!("{} has no expiry of fields", destination.version)),
    }
}
