//! A batch that is being made.

use super::{Batch, Dealt, Job, Mark, encode::SetText};
use crate::{resp, unit::Db};

/// Strings of one MSET at most, and their bytes: more would save nothing and could not be refused one by one.
const STRINGS: usize = 64;
const STRING_BYTES: usize = 16 << 10;

/// What a lane is given next.
#[derive(Debug)]
pub(super) struct Building {
    pub(super) batch: Batch,
    /// The database selected at the end of the batch so far.
    db: Db,
    /// What earlier processes did.
    pub(super) mark: Mark,
    /// Keys and texts of an MSET whose count is not known yet.
    strings: Vec<u8>,
    /// How many strings these are.
    count: usize,
}

impl Building {
    /// The first batch behind `mark`.
    pub(super) fn new(mark: Mark) -> Self {
        Self { batch: Batch::default(), db: Db(0), mark, strings: vec![], count: 0 }
    }

    /// Bytes of the commands so far.
    pub(super) fn bytes(&self) -> usize {
        self.batch.bytes.len() + self.strings.len()
    }

    /// Sees to it that the next command is carried out in `db`.
    pub(super) fn select(&mut self, db: Db) {
        if self.db != db {
            self.end_strings();
            resp::command(&mut self.batch.bytes, &[b"SELECT", db.to_string().as_bytes()]);
            self.batch.commands += 1;
            self.db = db;
        }
    }

    /// Adds a string, which replaces what is there, to those that go in one MSET. Commands that are added meanwhile go before
    /// it: they are of other keys.
    pub(super) fn join(&mut self, db: Db, key: &[u8], text: SetText<'_>) {
        self.select(db);
        resp::bulk(&mut self.strings, key);
        text.append(&mut self.strings);
        self.count += 1;
        self.batch.keys += 1;
        if self.count >= STRINGS || self.strings.len() >= STRING_BYTES {
            self.end_strings();
        }
    }

    fn end_strings(&mut self) {
        if self.count > 0 {
            resp::array_header(&mut self.batch.bytes, 1 + 2 * self.count);
            resp::bulk(&mut self.batch.bytes, b"MSET");
            self.batch.bytes.extend_from_slice(&self.strings);
            self.batch.commands += 1;
            self.strings.clear();
            self.count = 0;
        }
    }

    /// Hands the batch over, which ends at `mark`, and begins the next.
    pub(super) fn send(&mut self, lane: usize, mark: Mark, dealt: &mut impl Dealt) {
        self.end_strings();
        self.batch.mark = mark;
        self.db = Db(0);
        // The next one will be about as long: growing to that would copy it several times over.
        let bytes = Vec::with_capacity(self.batch.bytes.len() + self.batch.bytes.len() / 8);
        let next = Batch { bytes, ..Batch::default() };
        dealt.job(lane, Job::Batch(Box::new(std::mem::replace(&mut self.batch, next))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::KeyFailure;

    #[derive(Default)]
    struct Given(Vec<Batch>);

    impl Dealt for Given {
        fn job(&mut self, _: usize, job: Job) {
            let Job::Batch(batch) = job else { panic!("{job:?}") };
            self.0.push(*batch);
        }

        fn failed(&mut self, failure: KeyFailure) {
            panic!("{failure:?}");
        }
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut reader = resp::CommandReader::starting_at(0, resp::RespLimits::default());
        reader.feed(bytes);
        let mut lines = vec![];
        while let Some(command) = reader.next().unwrap() {
            lines.push(
                command.args().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect::<Vec<_>>().join(" "),
            );
        }
        lines
    }

    #[test]
    fn strings_go_together_within_one_database_and_up_to_a_number() {
        let (mut building, mut given) = (Building::new(Mark::default()), Given::default());
        building.join(Db(0), b"a", SetText::Raw(b"1"));
        building.join(Db(0), b"b", SetText::Number(-2));
        building.join(Db(3), b"c", SetText::Raw(b""));
        building.send(0, Mark { at: 9, elements: 0 }, &mut given);
        for number in 0..=STRINGS {
            building.join(Db(0), number.to_string().as_bytes(), SetText::Raw(b"x"));
        }
        building.send(0, Mark { at: 99, elements: 0 }, &mut given);
        let [first, second] = &given.0[..] else { panic!("{given:?}", given = given.0) };
        assert_eq!(lines(&first.bytes), ["MSET a 1 b -2", "SELECT 3", "MSET c "]);
        assert_eq!((first.commands, first.keys, first.mark.at), (3, 3, 9));
        assert_eq!((second.commands, second.keys), (2, 65));
        assert_eq!(lines(&second.bytes)[1], "MSET 64 x");
    }
}
