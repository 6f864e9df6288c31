//! Reading one key on one side, in rounds of questions and answers. Pure.

use super::{
    batch::Ask,
    caps::ReadFeatures,
    reading::{KeyReading, KeyType, SeenKey, ServerTime, What, kind},
    stream::{Clock, StreamWindow},
    windows::{ReadFault, ValueWindows, text, unexpected},
};
use crate::{
    resp::{Refusal, Reply, command},
    unit::UnixMillis,
};

/// How much of a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its type.
    Type,
    /// Its type and when it ends.
    Head,
    /// All of it.
    Whole,
}

/// A key being read.
#[derive(Debug)]
pub(super) struct KeyReader<'a> {
    key: &'a [u8],
    depth: Depth,
    caps: ReadFeatures,
    reading: KeyReading,
    state: State,
    guess: Guess,
    /// Questions of this round, and how many of them are answered.
    asked: usize,
    answered: usize,
}

#[derive(Debug)]
enum State {
    Head,
    Value(ValueWindows),
    Stream(Box<StreamWindow>),
    Done(SeenKey),
    Refused(Refusal),
}

/// The type that a key has on the other side is the one that it has on this, nearly always: it is not asked for, and the
/// first window goes out together with the question when the key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    /// None was made, or it was right.
    None,
    /// This round shows whether it is right.
    Open,
    /// It was wrong: the rest of this round's answers say nothing, and all is asked from the beginning.
    Wrong,
}

impl<'a> KeyReader<'a> {
    pub(super) fn new(ask: &Ask<'a>, caps: ReadFeatures) -> Self {
        let expected = ask.expects.filter(|_| ask.depth == Depth::Whole);
        let guessed = expected.and_then(|kind| Some((kind, ValueWindows::of_elements(kind, caps)?)));
        let (kind, state, guess) = match guessed {
            Some((kind, windows)) => (kind.clone(), State::Value(windows), Guess::Open),
            None => (KeyType::default(), State::Head, Guess::None),
        };
        let reading = KeyReading { kind, ..KeyReading::default() };
        Self { key: ask.key, depth: ask.depth, caps, reading, state, guess, asked: 0, answered: 0 }
    }

    /// Appends the questions of the next round; answers how many.
    pub(super) fn ask(&mut self, out: &mut Vec<u8>) -> usize {
        if self.asked > 0 {
            self.guess = Guess::None;
        }
        self.answered = 0;
        self.asked = match &self.state {
            State::Head => {
                command(out, &[b"TYPE", self.key]);
                1 + if self.depth == Depth::Type { 0 } else { self.ask_ending(out) }
            }
            State::Value(windows) => {
                let ending = if self.guess == Guess::Open { self.ask_ending(out) } else { 0 };
                ending + windows.ask(self.key, out)
            }
            State::Stream(stream) => stream.ask(self.key, out),
            State::Done(_) | State::Refused(_) => 0,
        };
        self.asked
    }

    fn ask_ending(&self, out: &mut Vec<u8>) -> usize {
        let ending: &[u8] = if self.caps.end_of_key { b"PEXPIRETIME" } else { b"PTTL" };
        command(out, &[ending, self.key]);
        1
    }

    /// What its next round costs, an average small key's being 1.
    pub(super) fn weight(&self) -> usize {
        let large = match &self.state {
            State::Value(windows) => windows.is_large(),
            State::Stream(stream) => stream.is_large(),
            _ => false,
        };
        if large { 16 } else { 1 }
    }

    /// Takes in the next answer of this round. `clock` is the server's.
    pub(super) fn take(&mut self, reply: &Reply<'_>, clock: Clock) {
        let index = self.answered;
        self.answered = self.answered.saturating_add(1);
        let last = self.answered == self.asked;
        let ended = usize::from(self.guess == Guess::Open);
        let taken = match &mut self.state {
            _ if self.guess == Guess::Wrong => return,
            State::Head if index == 0 => self.take_kind(reply),
            State::Head => self.take_ending(reply, clock),
            State::Value(_) if index < ended => self.take_ending(reply, clock),
            State::Value(windows) if windows.asks_one() => windows.take_only(reply),
            State::Value(windows) => windows
                .take(index - ended, reply, clock.to)
                .and_then(|()| if last { windows.is_whole() } else { Ok(false) }),
            State::Stream(stream) => stream.take(index, reply, clock).map(|()| last && stream.is_whole()),
            // The rest of the answers of a round in which it turned out to have moved.
            State::Done(_) | State::Refused(_) => return,
        };
        match taken {
            Ok(_) if matches!(self.state, State::Head) => {
                if last {
                    self.begin_value(clock);
                }
            }
            Ok(true) => self.finish(clock),
            Ok(false) => {}
            Err(ReadFault::Moved) if self.guess == Guess::Open => {
                self.guess = Guess::Wrong;
                self.reading = KeyReading::default();
                self.state = State::Head;
            }
            Err(ReadFault::Moved) => self.state = State::Done(SeenKey { at: clock.to, what: What::Moved }),
            Err(ReadFault::Refused(refusal)) => self.state = State::Refused(refusal),
        }
    }

    /// Whether nothing is to be asked any more.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_) | State::Refused(_))
    }

    /// What was seen, or that the server refused; `None` before the end.
    pub(super) fn seen(self) -> Result<Option<SeenKey>, Refusal> {
        match self.state {
            State::Done(seen) => Ok(Some(seen)),
            State::Refused(refusal) => Err(refusal),
            _ => Ok(None),
        }
    }

    fn take_kind(&mut self, reply: &Reply<'_>) -> Result<bool, ReadFault> {
        self.reading.kind = kind(text(reply)?);
        Ok(false)
    }

    fn take_ending(&mut self, reply: &Reply<'_>, clock: Clock) -> Result<bool, ReadFault> {
        let Reply::Int(number) = reply else { return Err(unexpected(reply)) };
        if *number >= 0 {
            let known = ServerTime { at: *number, give: 0 };
            let moment = if self.caps.end_of_key { known } else { clock.moment(*number) };
            let at = if self.caps.deferred { UnixMillis(moment.at).exact().0 } else { moment.at };
            self.reading.ends = Some(ServerTime { at, ..moment });
        }
        if *number == -2 && self.reading.kind != "none" { Err(ReadFault::Moved) } else { Ok(false) }
    }

    fn begin_value(&mut self, clock: Clock) {
        let kind = self.reading.kind.as_ref();
        if kind == "none" {
            self.state = State::Done(SeenKey { at: clock.to, what: What::Absent });
        } else if self.depth != Depth::Whole {
            self.finish(clock);
        } else if kind == "stream" {
            self.state = State::Stream(Box::new(StreamWindow::new()));
        } else {
            self.state = State::Value(ValueWindows::of(kind, self.caps));
        }
    }

    fn finish(&mut self, clock: Clock) {
        let mut reading = std::mem::take(&mut self.reading);
        match &mut self.state {
            State::Value(windows) => windows.finish(&mut reading),
            State::Stream(stream) => stream.finish(&mut reading),
            _ => {}
        }
        self.state = State::Done(SeenKey { at: clock.to, what: What::Present(Box::new(reading)) });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        resp::RefusalKind,
        resp::ReplyReader,
        step::DifferenceKind,
        unit::{Db, ServerVersion},
    };

    const CLOCK: Clock = Clock { from: 1000, to: 1010 };
    const ASK: Ask<'_> = Ask { db: Db(0), key: b"k", depth: Depth::Whole, expects: None };

    /// What a reader makes of these answers, given in RESP2 one round after another; `None` when it wants more.
    fn read(version: ServerVersion, answers: &str) -> Option<Result<SeenKey, Refusal>> {
        read_expecting(None, version, answers)
    }

    fn read_expecting(
        expects: Option<&KeyType>,
        version: ServerVersion,
        answers: &str,
    ) -> Option<Result<SeenKey, Refusal>> {
        let mut replies = ReplyReader::default();
        replies.feed(answers.replace(' ', "\r\n").as_bytes());
        let mut reader = KeyReader::new(&Ask { expects, ..ASK }, ReadFeatures::of(version));
        while !reader.is_done() {
            for _ in 0..reader.ask(&mut vec![]) {
                reader.take(&replies.next().ok()??, CLOCK);
            }
        }
        reader.seen().transpose()
    }

    fn seen(version: ServerVersion, answers: &str) -> SeenKey {
        read(version, answers).unwrap().unwrap()
    }

    const OLD: ServerVersion = ServerVersion::redis(2, 8, 17);
    const NEW: ServerVersion = ServerVersion::redis(7, 4, 0);

    #[test]
    fn old_and_new_words_for_the_same_are_the_same() {
        let old = seen(OLD, "+zset :5000 *4 $1 a $19 0.10000000000000001 $1 b $2 -0 ");
        let new = seen(NEW, "+zset :6005 *4 $1 b $1 0 $1 a $3 0.1 ");
        assert_eq!(super::super::judge::judge(&old, &new), super::super::judge::Judged::Equal);
        let off = seen(NEW, "+zset :9005 *4 $1 b $1 1 $1 a $3 0.1 ");
        let kinds = vec![DifferenceKind::Score, DifferenceKind::TtlOff];
        assert_eq!(super::super::judge::judge(&old, &off), super::super::judge::Judged::Different(kinds));
    }

    #[test]
    fn a_set_that_is_walked_in_parts_is_its_members_in_any_order() {
        let whole = seen(OLD, "+set :-1 *2 $1 0 *3 $1 a $1 b $1 c ");
        let parts = seen(OLD, "+set :-1 *2 $1 7 *2 $1 c $1 a :3 *2 $1 0 *1 $1 b ");
        assert_eq!(whole.reading().unwrap().parts, parts.reading().unwrap().parts);
        // One that is given twice says nothing.
        assert_eq!(seen(OLD, "+set :-1 *2 $1 7 *2 $1 c $1 a :2 *2 $1 0 *1 $1 a ").what, What::Moved);
    }

    #[test]
    fn ends_of_fields_are_asked_for_window_by_window() {
        let hash = "+hash :-1 *2 $1 7 *2 $1 f $1 v ";
        let with = format!("{hash}*1 :99 :2 *2 $1 0 *2 $1 g $1 w *1 :-1 ");
        let without = format!("{hash}*1 :-1 :2 *2 $1 0 *2 $1 g $1 w *1 :-1 ");
        let (with, without) = (seen(NEW, &with), seen(NEW, &without));
        let found = super::super::judge::judge(&with, &without);
        assert_eq!(found, super::super::judge::Judged::Different(vec![DifferenceKind::FieldExpiry]));
    }

    #[test]
    fn what_is_gone_or_another_type_meanwhile_has_moved_and_what_is_refused_is_told() {
        assert_eq!(seen(OLD, "+none :-2 ").what, What::Absent);
        assert_eq!(seen(OLD, "+string :-2 ").what, What::Moved);
        let text = |answers: &str| read(OLD, &answers.replace('_', " ")).unwrap();
        let mut replies = ReplyReader::default();
        replies.feed(b"+list\r\n:-1\r\n-WRONGTYPE Operation against a key\r\n");
        let mut reader = KeyReader::new(&ASK, ReadFeatures::of(OLD));
        for _ in 0..2 {
            for _ in 0..reader.ask(&mut vec![]) {
                reader.take(&replies.next().unwrap().unwrap(), CLOCK);
            }
        }
        assert_eq!(reader.seen().unwrap().unwrap().what, What::Moved);
        assert_eq!(text("+list :-1 *0 ").unwrap().what, What::Moved);
        assert!(text("-NOPERM :-1 ").unwrap_err().kind == RefusalKind::NoPermission);
    }

    #[test]
    fn a_type_that_is_expected_is_not_asked_for() {
        let expecting = |kind: &'static str, answers: &str| {
            let found = read_expecting(Some(&kind.into()), OLD, answers).map(Result::unwrap);
            found.unwrap_or_else(|| panic!("{kind}: {answers} is not all")).what
        };
        let asked = |answers: &str| seen(OLD, answers).what;
        assert_eq!(expecting("string", ":-1 $1 v "), asked("+string :-1 $1 v "));
        assert_eq!(expecting("hash", ":900 *2 $1 0 *2 $1 f $1 v "), asked("+hash :900 *2 $1 0 *2 $1 f $1 v "));
        assert_eq!(expecting("list", ":-1 *1 $1 v "), asked("+list :-1 *1 $1 v "));
        // Another type, none at all, one that comes to be or goes meanwhile: the type is asked for after all.
        assert_eq!(expecting("string", ":-1 -WRONGTYPE +list :-1 *1 $1 v "), asked("+list :-1 *1 $1 v "));
        assert_eq!(expecting("set", ":-1 -WRONGTYPE +string :5 $1 v "), asked("+string :5 $1 v "));
        assert_eq!(expecting("string", ":-2 $0  +none :-2 "), What::Absent);
        assert_eq!(expecting("string", ":-2 $1 v +string :-1 $1 v "), asked("+string :-1 $1 v "));
        assert_eq!(expecting("zset", ":-1 *0 +none :-2 "), What::Absent);
        // What a stream or a module has is not guessed.
        assert_eq!(expecting("vectorset", "+vectorset :-1 $1 v "), asked("+vectorset :-1 $1 v "));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_never_panic(answers in prop::collection::vec(prop_oneof![
            Just("+string"), Just("+hash"), Just("+set"), Just("+zset"), Just("+list"), Just("+stream"), Just("+vectorset"),
            Just(":-1"), Just(":7"), Just(":-2"), Just("*0"), Just("*-1"), Just("$-1"), Just("$1 0"), Just("*2"), Just("*4"),
            Just("$3 1-1"), Just("-ERR"), Just("$4 name"),
        ], 0..40)) {
            let mut text = answers.join(" ");
            text.push(' ');
            let _ = read(NEW, &text);
            let _ = read_expecting(Some(&"hash".into()), NEW, &text);
        }
    }
}
