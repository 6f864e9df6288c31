//! What is fed.

use std::{
    fmt::{Debug, Write},
    fs,
    hash::{DefaultHasher, Hasher},
    path::Path,
};

use redis_plan::{
    journal::{Journal, Record},
    plan,
    rdb::{self, Decoder, ElementReader, Kind, LzfStream},
    repl::{self, Action, Handshake, HandshakeOptions, HeaderLine, PayloadHeader, PayloadReader, PsyncReply},
    report::diagnostics::{Style, human, json},
    resp::{CommandReader, ReplyReader, RespLimits},
    step::{Outcome, StepId},
    store::spool::{SpoolLevel, SpoolReader, SpoolWriter},
    unit::{Db, Dialect, Offset, ReplId, UnixMillis},
};

use crate::corpus;

/// Something that reads bytes from outside.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Real inputs.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// One run of this for so many of a quick target.
    pub(crate) cost: u64,
    /// Reads one; what is wrong, beside panics, time and memory.
    pub(crate) run: fn(&[u8]) -> Result<(), String>,
}

pub(crate) static TARGETS: [Target; 9] = [
    Target { name: "replies", cost: 1, seeds: replies, run: read_replies },
    Target { name: "commands", cost: 1, seeds: commands, run: read_commands },
    Target { name: "session", cost: 1, seeds: sessions, run: hold_session },
    Target { name: "dump", cost: 1, seeds: corpus::dumps, run: read_dump },
    Target { name: "values", cost: 1, seeds: corpus::values, run: read_value },
    Target { name: "lzf", cost: 1, seeds: compressed, run: expand },
    Target { name: "plan", cost: 20, seeds: corpus::plans, run: judge },
    Target { name: "journal", cost: 20, seeds: journals, run: open_journal },
    Target { name: "spool", cost: 20, seeds: segments, run: read_segment },
];

/// Everything that was read, in a number.
#[derive(Default)]
struct Told(DefaultHasher);

impl Write for Told {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Told {
    fn add(&mut self, what: &impl Debug) {
        // It is never refused.
        let _ = write!(self, "{what:?};");
    }

    fn sum(&self) -> u64 {
        self.0.finish()
    }
}

/// The input in pieces of one to nine bytes that it determines itself, or whole.
fn pieces(input: &[u8], whole: bool) -> impl Iterator<Item = &[u8]> {
    let mut rest = input;
    let mut step = input.len();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        step = step.wrapping_mul(31).wrapping_add(usize::from(rest[0]));
        let len = if whole { rest.len() } else { (step % 9 + 1).min(rest.len()) };
        let (piece, behind) = rest.split_at(len);
        rest = behind;
        Some(piece)
    })
}

/// What comes in pieces reads like what comes at once.
fn both(read: impl Fn(bool) -> u64) -> Result<(), String> {
    if read(true) == read(false) { Ok(()) } else { Err("it is read differently when it comes in pieces".to_owned()) }
}

fn read_replies(input: &[u8]) -> Result<(), String> {
    both(|whole| {
        let (mut reader, mut told) = (ReplyReader::new(RespLimits::default()), Told::default());
        'reading: for piece in pieces(input, whole) {
            reader.feed(piece);
            loop {
                match reader.next() {
                    Ok(Some(reply)) => told.add(&reply),
                    Ok(None) => break,
                    Err(error) => {
                        told.add(&error);
                        break 'reading;
                    }
                }
            }
        }
        told.sum()
    })
}

fn read_commands(input: &[u8]) -> Result<(), String> {
    both(|whole| {
        let (mut reader, mut told) = (CommandReader::starting_at(7, RespLimits::default()), Told::default());
        'reading: for piece in pieces(input, whole) {
            reader.feed(piece);
            loop {
                match reader.next() {
                    Ok(Some(command)) => {
                        told.add(&(command.at(), command.end(), command.args().collect::<Vec<_>>()));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        told.add(&error);
                        break 'reading;
                    }
                }
            }
        }
        told.sum()
    })
}

/// A source's side of a session: answers to the handshake and to PSYNC, a header, a dump.
fn hold_session(input: &[u8]) -> Result<(), String> {
    let mut rest = input;
    let mut lines = std::iter::from_fn(|| {
        let (line, len) = repl::line(rest).ok().flatten()?;
        rest = &rest[len..];
        Some(line)
    });
    let mut handshake = Handshake::new(HandshakeOptions::default());
    while let Action::Send(_) = handshake.next() {
        let Some(line) = lines.next() else { return Ok(()) };
        handshake.on_reply(line);
    }
    let header = lines.find_map(|line| {
        let _ = PsyncReply::classify(line);
        match HeaderLine::classify(line) {
            HeaderLine::Header(header) => Some(header),
            _ => None,
        }
    });
    header.map_or(Ok(()), |header| cut_dump(&header, rest))
}

fn cut_dump(header: &PayloadHeader, bytes: &[u8]) -> Result<(), String> {
    both(|whole| {
        let mut payload = PayloadReader::new(header);
        let (mut unread, mut dump) = (vec![], vec![]);
        for piece in pieces(bytes, whole) {
            unread.extend_from_slice(piece);
            loop {
                let cut = payload.cut(&unread);
                if cut.payload == 0 && cut.mark == 0 || payload.is_complete() && unread.is_empty() {
                    break;
                }
                dump.extend(unread.drain(..cut.payload));
                unread.drain(..cut.mark);
            }
        }
        let mut told = Told::default();
        told.add(&(dump, payload.is_complete()));
        told.sum()
    })
}

fn read_dump(input: &[u8]) -> Result<(), String> {
    let read = |whole: bool, limits: rdb::DumpLimits| {
        let (mut decoder, mut told) = (Decoder::new(limits), Told::default());
        'reading: for piece in pieces(input, whole) {
            decoder.feed(piece);
            loop {
                match decoder.next() {
                    Ok(Some(item)) => told.add(&item),
                    Ok(None) => break,
                    Err(error) => {
                        told.add(&error);
                        break 'reading;
                    }
                }
            }
        }
        told.add(&decoder.finish());
        told.sum()
    };
    let tight = rdb::DumpLimits { inline: 64, key: 256, text: 256, string: 4096, allow_newer: true };
    both(|whole| read(whole, rdb::DumpLimits::default()))?;
    both(|whole| read(whole, tight))
}

fn read_value(input: &[u8]) -> Result<(), String> {
    let Some((number, body)) = input.split_first() else { return Ok(()) };
    for dialect in [Dialect::Redis, Dialect::Valkey] {
        let Some(kind) = Kind::of(*number, dialect) else { continue };
        both(|whole| {
            let (mut reader, mut told) = (ElementReader::new(kind, 0), Told::default());
            'reading: for piece in pieces(body, whole) {
                reader.feed(piece);
                loop {
                    match reader.next() {
                        Ok(Some(element)) => told.add(&element),
                        Ok(None) => break,
                        Err(error) => {
                            told.add(&error);
                            break 'reading;
                        }
                    }
                }
            }
            told.add(&reader.is_done());
            told.sum()
        })?;
    }
    Ok(())
}

/// The first two bytes claim a length, the rest is compressed.
fn expand(input: &[u8]) -> Result<(), String> {
    let Some((claim, packed)) = input.split_first_chunk::<2>() else { return Ok(()) };
    let claim = usize::from(u16::from_le_bytes(*claim)) * 16;
    let mut at_once = vec![];
    let whole = rdb::decompress(packed, claim, &mut at_once);
    let mut streamed = vec![];
    let Ok(mut stream) = LzfStream::new(packed.len() as u64, claim as u64) else {
        return if whole.is_err() { Ok(()) } else { Err("only one way refuses the claim".to_owned()) };
    };
    let mut rest = packed;
    while !stream.is_done() {
        match stream.feed(rest.get(..rest.len().min(7)).unwrap_or_default(), 1000, &mut streamed) {
            Ok(0) if rest.is_empty() => break,
            Ok(taken) => rest = &rest[taken..],
            Err(_) => return if whole.is_err() { Ok(()) } else { Err("only the stream is refused".to_owned()) },
        }
    }
    match whole {
        Ok(()) if stream.is_done() && streamed == at_once => Ok(()),
        Ok(()) => Err("the stream expands to something else".to_owned()),
        Err(_) if stream.is_done() => Err("only the whole is refused".to_owned()),
        Err(_) => Ok(()),
    }
}

fn judge(input: &[u8]) -> Result<(), String> {
    let report = match plan::load("plan.yaml", input) {
        Ok(loaded) => loaded.warnings,
        Err(report) => report,
    };
    // Line ends may stay as the file has them.
    let text = human(&report, Style { width: 100, colour: false }).replace("\r\n", "\n");
    let programs = json(&[&report]).to_string();
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    match [&text, &programs].into_iter().find(|text| text.chars().any(control)) {
        Some(_) => Err("a control character reaches the terminal".to_owned()),
        None => Ok(()),
    }
}

/// The input as a journal, and its lines again with the checksums that they should have.
fn open_journal(input: &[u8]) -> Result<(), String> {
    let sealed: Vec<u8> = input
        .split(|byte| *byte == b'\n')
        .flat_map(|line| {
            let json = line.get(17..).unwrap_or_default();
            let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, json);
            [format!("{sum:016x} ").as_bytes(), json, b"\n"].concat()
        })
        .collect();
    in_folder(|folder| {
        for content in [input, &sealed] {
            write(&folder.join("journal"), content)?;
            if let Ok(Some(mut journal)) = Journal::open(folder, "move", "d") {
                journal.append(&Record::NotSealed).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    })
}

fn read_segment(input: &[u8]) -> Result<(), String> {
    in_folder(|folder| {
        write(&folder.join(SEGMENT), input)?;
        let mut reader = SpoolReader::new(folder, 9, 0, SpoolLevel::at(input.len() as u64, true));
        while let Ok(Some(_)) = reader.read() {}
        drop(SpoolWriter::go_on(folder, 9, 1 << 20, SpoolLevel::default()));
        Ok(())
    })
}

/// The first segment of a spool.
const SEGMENT: &str = "00000000000000000000.seg";

fn in_folder(work: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    work(folder.path())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn replies() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 6] = [
        b"+OK\r\n:12\r\n$3\r\nabc\r\n$-1\r\n*-1\r\n",
        b"*3\r\n*2\r\n:1\r\n$0\r\n\r\n-ERR no\r\n+QUEUED\r\n",
        b"-NOPERM this user has no permissions to run the 'time' command\r\n",
        b"$20\r\nredis_version:7.0.15\r\n*0\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

fn commands() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 4] = [
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nxyz\r\n",
        b"*1\r\n$4\r\nPING\r\n\n*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nEXEC\r\n",
        b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n",
        b"PING\r\n*0\r\n*-1\r\n",
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

fn sessions() -> Vec<Vec<u8>> {
    let ready = "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n";
    let id = "8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";
    let mark = "0123456789abcdef0123456789abcdef01234567";
    [
        format!("{ready}+FULLRESYNC {id} 41\r\n\n\n$EOF:{mark}\r\nREDIS0011\u{0}rest{mark}"),
        format!("{ready}+FULLRESYNC {id} 41\r\n\n$12\r\nREDIS0011abc*1\r\n$4\r\nPING\r\n"),
        format!("{ready}+CONTINUE {id}\r\n"),
        format!("{ready}-NOMASTERLINK Can't SYNC while not connected with my master\r\n"),
        "+PONG\r\n-ERR unknown command 'REPLCONF'\r\n-ERR unknown command 'PSYNC'\r\n$3\r\nabc".to_owned(),
        "-NOAUTH Authentication required.\r\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn compressed() -> Vec<Vec<u8>> {
    // 1 literal byte and copies of it; 8 literal bytes; a long copy over itself.
    let texts: [&[u8]; 3] = [
        &[1, 0, 0, b'a', 0xe0, 6, 0],
        &[0, 0, 7, b'a', b'b', b'c', b'd', b'e', b'f', b'g', b'h'],
        &[17, 0, 0, 1, 0xe0, 255, 0],
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

fn journals() -> Vec<Vec<u8>> {
    let at = UnixMillis(1_700_000_000_000);
    let run = Record::Run { format: 1, run: "r".to_owned(), plan: "move".to_owned(), digest: "d".to_owned(), at };
    let mut decoder = Decoder::new(rdb::DumpLimits::default());
    decoder.feed(b"REDIS0011\xfe\x00");
    while let Ok(Some(_)) = decoder.next() {}
    let id = ReplId::parse(b"8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e");
    let records = [
        Record::Attempt { number: 1, owner: "me".to_owned(), at },
        Record::StepDone { step: StepId::Precheck, position: None },
        Record::SettingWas {
            name: "min-slaves-to-write".to_owned(),
            was: "0".to_owned(),
            set_to: "1000000".to_owned(),
        },
        Record::DumpStarted { generation: 1 },
        Record::History { generation: 1, replid: id.expect("an id"), offset: Offset(41) },
        Record::StreamDb { generation: 1, db: Db(3) },
        Record::SafePoint { generation: 1, point: Box::new(decoder.safe_point()), keys: 7 },
        Record::DumpReceived { generation: 1, bytes: 100 },
        Record::FollowBegan { at },
        Record::KeyLeft { generation: 1, key: "k".to_owned() },
        Record::DumpLost { generation: 1 },
        Record::Ended { outcome: Outcome::Done, at },
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::create(folder.path(), &run).expect("a journal");
    let mut seeds = vec![];
    for record in &records {
        journal.append(record).expect("a record");
        seeds.push(fs::read(folder.path().join("journal")).expect("the journal"));
    }
    seeds
}

fn segments() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = SpoolWriter::create(folder.path(), 9, 0, 1 << 20, SpoolLevel::default()).expect("a spool");
    let mut seeds = vec![];
    for len in [1, 10, 1000] {
        writer.append(&vec![b'x'; len], UnixMillis(5)).expect("a frame");
        writer.sync().expect("synced");
        seeds.push(fs::read(folder.path().join(SEGMENT)).expect("the segment"));
    }
    seeds
}
