//! The journal's file.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{JournalError, Record, RunState};
use crate::{
    step::without_secrets,
    store::{
        self,
        own::{self, OpenMode},
    },
};

/// The most a journal may hold: beyond it something else wrote the file.
const MAX_BYTES: u64 = 256 << 20;

/// An open journal and the state it stands for.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes of the whole lines.
    length: u64,
    state: RunState,
}

impl Journal {
    /// Begins the journal of a new run in `folder`.
    pub fn create(folder: &Path, first: &Record) -> Result<Self, JournalError> {
        let path = path_in(folder);
        let fail = |error| JournalError::Io { path: path.clone(), error };
        let line = line_of(first);
        store::write_whole(&path, line.as_bytes()).map_err(fail)?;
        let file = own::open(&path, OpenMode::Append).map_err(fail)?;
        let mut state = RunState::default();
        state.take(first);
        Ok(Self { file, path, length: line.len() as u64, state })
    }

    /// Opens the journal in `folder`; `None` when there is none. A torn last line is cut off. Refuses a journal of
    /// another plan or of another graph of this plan.
    pub fn open(folder: &Path, plan: &str, digest: &str) -> Result<Option<Self>, JournalError> {
        let path = path_in(folder);
        let fail = |error| JournalError::Io { path: path.clone(), error };
        let Some(content) = store::read_bounded(&path, MAX_BYTES).map_err(fail)? else { return Ok(None) };
        let (records, whole) = read(&path, &content)?;
        check_first(records.first(), &path, plan, digest)?;
        let file = own::open(&path, OpenMode::Append).map_err(fail)?;
        if whole < content.len() {
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(fail)?;
        }
        let mut state = RunState::default();
        for record in &records {
            state.take(record);
        }
        Ok(Some(Self { file, path, length: whole as u64, state }))
    }

    /// Adds a record; when this returns it is on disk. What a full disk took of a line is cut off again, now or before
    /// the next one: a torn line in the middle would make the journal unreadable.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let fail = |error: io::Error| JournalError::Io { path: self.path.clone(), error };
        let line = line_of(record);
        self.cut_off_the_torn().map_err(fail)?;
        if let Err(error) = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()) {
            // Where this fails too it is done before the next line, or when the journal is opened again.
            let _ = self.cut_off_the_torn();
            return Err(fail(error));
        }
        self.length += line.len() as u64;
        self.state.take(record);
        Ok(())
    }

    fn cut_off_the_torn(&self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.length { self.file.set_len(self.length) } else { Ok(()) }
    }

    /// What the records add up to.
    #[must_use]
    pub const fn state(&self) -> &RunState {
        &self.state
    }
}

/// Where the journal of the state directory `folder` is.
fn path_in(folder: &Path) -> PathBuf {
    folder.join("journal")
}

fn line_of(record: &Record) -> String {
    // A key's name may be anything; what else is noted is ours, a number, or was masked where it came in.
    let masked = matches!(record, Record::KeyLeft { .. }).then(|| without_secrets(record.clone()));
    // A record is plain data: strings, numbers and maps with text keys always have a JSON form.
    let json = serde_json::to_string(masked.as_ref().unwrap_or(record)).unwrap_or_default();
    format!("{:016x} {json}\n", checksum(json.as_bytes()))
}

fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes)
}

/// Reads all records; answers them and the length of the whole lines.
fn read(path: &Path, content: &[u8]) -> Result<(Vec<Record>, usize), JournalError> {
    let mut records = vec![];
    let mut at = 0;
    for (index, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(line_without_end) = line.strip_suffix(b"\n") else { break };
        let damaged = |what| JournalError::Damaged { path: path.to_owned(), at, line: index + 1, what };
        records.push(record_of(line_without_end).map_err(damaged)?);
        at += line.len();
    }
    Ok((records, at))
}

fn record_of(line: &[u8]) -> Result<Record, String> {
    let (sum, json) = line.split_at_checked(16).ok_or("it is too short")?;
    let sum = std::str::from_utf8(sum).ok().and_then(|sum| u64::from_str_radix(sum, 16).ok());
    let json = json.strip_prefix(b" ").ok_or("it has no checksum")?;
    if sum != Some(checksum(json)) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| format!("another version wrote it: {error}"))
}

fn check_first(first: Option<&Record>, path: &Path, plan: &str, digest: &str) -> Result<(), JournalError> {
    match first {
        Some(Record::Run { format: 2, plan: found, .. }) if found != plan => {
            Err(JournalError::Foreign { found: found.clone(), wanted: plan.to_owned() })
        }
        Some(Record::Run { format: 2, digest: found, .. }) if found != digest => {
            Err(JournalError::Changed { found: found.clone(), wanted: digest.to_owned() })
        }
        Some(Record::Run { format: 2, .. }) => Ok(()),
        _ => {
            let what = "the first record does not name a run of format 2".to_owned();
            Err(JournalError::Damaged { path: path.to_owned(), at: 0, line: 1, what })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        step::{Outcome, StepId},
        unit::UnixMillis,
    };

    fn first() -> Record {
        let at = UnixMillis(1);
        Record::Run { format: 2, run: "r1".into(), plan: "p".into(), digest: "d".into(), at }
    }

    fn written(folder: &Path) -> Vec<u8> {
        let mut journal = Journal::create(folder, &first()).unwrap();
        journal.append(&Record::Attempt { number: 1, owner: "me".into(), at: UnixMillis(2) }).unwrap();
        journal.append(&Record::StepDone { step: StepId::Precheck, position: None }).unwrap();
        journal.append(&Record::DumpStarted { generation: 1 }).unwrap();
        journal.append(&Record::DumpReceived { generation: 1, bytes: 9 }).unwrap();
        journal.append(&Record::Ended { outcome: Outcome::Stopped, at: UnixMillis(3) }).unwrap();
        fs::read(path_in(folder)).unwrap()
    }

    #[test]
    fn a_reopened_journal_stands_for_the_same_state() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Journal::open(folder.path(), "p", "d").unwrap().is_none());
        written(folder.path());
        let journal = Journal::open(folder.path(), "p", "d").unwrap().unwrap();
        assert_eq!(journal.state().run, "r1");
        assert_eq!(journal.state().dump.as_ref().unwrap().received, Some(9));
        assert_eq!(journal.state().ended, Some(Outcome::Stopped));
    }

    #[test]
    fn a_key_that_is_called_like_a_password_is_masked() {
        crate::unit::mask(&crate::unit::Secret::from("hunter2"));
        let line = line_of(&Record::KeyLeft { generation: 1, key: "a hunter2 key".to_owned() });
        assert!(line.contains("\"a *** key\""), "{line}");
        assert!(record_of(line.trim_end().as_bytes()).is_ok());
    }

    #[test]
    fn another_plan_and_a_changed_plan_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        assert!(matches!(Journal::open(folder.path(), "q", "d"), Err(JournalError::Foreign { .. })));
        assert!(matches!(Journal::open(folder.path(), "p", "e"), Err(JournalError::Changed { .. })));
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_the_journal_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let content = written(folder.path());
        let first_line = content.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for len in first_line..content.len() {
            fs::write(path_in(folder.path()), &content[..len]).unwrap();
            let mut journal = Journal::open(folder.path(), "p", "d").unwrap().unwrap();
            journal.append(&Record::DumpStarted { generation: 1 }).unwrap();
            assert!(Journal::open(folder.path(), "p", "d").unwrap().is_some(), "cut at {len}");
        }
        for len in 0..first_line {
            fs::write(path_in(folder.path()), &content[..len]).unwrap();
            assert!(matches!(Journal::open(folder.path(), "p", "d"), Err(JournalError::Damaged { .. })));
        }
    }

    #[test]
    fn any_flipped_byte_refuses_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let content = written(folder.path());
        // The very last byte is the last line's end: without it that line is torn, which is allowed.
        for at in 0..content.len() - 1 {
            let mut bad = content.clone();
            bad[at] ^= 0x08;
            fs::write(path_in(folder.path()), &bad).unwrap();
            assert!(Journal::open(folder.path(), "p", "d").is_err(), "byte {at}");
        }
    }
}
