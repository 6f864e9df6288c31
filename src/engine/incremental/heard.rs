//! Up to where the destination's answers were read, for the process that comes next.
//!
//! The checkpoint at the destination says what was carried out, and nothing of how it was answered: a process that dies
//! between the two leaves commands behind of which nobody knows whether one was refused. The next process tells so.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use super::setup::DestinationState;
use crate::{
    engine::{ending::Ending, run::Run, teller::Teller},
    store::{
        own::{self, OpenMode},
        read_bounded,
    },
    unit::Offset,
};

/// The file's name in the state directory.
const NAME: &str = "heard";
/// The file's length: two numbers of a fixed width, so that writing it anew needs no other file.
const LENGTH: usize = 10 + 1 + 20 + 1;

/// Where the answers are read up to. What a power loss takes back makes the next process tell of more than there was.
#[derive(Debug)]
pub(super) struct AckLog {
    file: File,
    generation: u32,
    noted: Offset,
}

impl AckLog {
    /// Goes on where the destination stands, and answers why it is not known whether a command was refused, where answers were
    /// read by nobody.
    pub(super) fn take_up(
        run: &Run,
        there: &DestinationState,
        teller: &mut Teller<'_>,
    ) -> Result<(Self, Option<String>), Ending> {
        let (record, applied) = (&there.record, there.checkpoint.offset);
        let known = (record.generation, record.heard);
        let (heard, unheard) = Self::go_on(&run.request.state_dir, known, applied).map_err(|error| unnoted(&error))?;
        let why = unheard.map(|from| {
            format!(
                "the destination carried out the stream from offset {from} to {applied} for a process that ended before it \
                 had noted the answers, so whether a command in between was refused is not known"
            )
        });
        if let Some(why) = &why {
            teller.notice(format!("While the source was followed before, {why}."));
        }
        Ok((heard, why))
    }

    /// Goes on behind `applied`, where the destination stands, and answers from where on an earlier process had not read
    /// its answers, if there is such a place: here, or at the destination, which `noted` that, for one from elsewhere.
    fn go_on(
        folder: &Path,
        (generation, noted): (u32, Option<Offset>),
        applied: Offset,
    ) -> io::Result<(Self, Option<Offset>)> {
        let path = folder.join(NAME);
        let before = read_bounded(&path, LENGTH as u64).ok().flatten().and_then(|text| read(&text));
        let here = before.filter(|(of, _)| *of == generation).map(|(_, upto)| upto);
        let unheard = here.or(noted).filter(|upto| *upto < applied);
        let file = own::open(&path, OpenMode::Write)?;
        let heard = Self { file, generation, noted: applied };
        heard.write()?;
        Ok((heard, unheard))
    }

    /// Notes that everything up to `offset` is answered, and that what the answers said is noted.
    pub(super) fn note(&mut self, offset: Offset) -> Result<(), Ending> {
        if offset == self.noted {
            return Ok(());
        }
        self.noted = offset;
        self.write().map_err(|error| unnoted(&error))
    }

    fn write(&self) -> io::Result<()> {
        self.file.write_all_at(format!("{:010} {:020}\n", self.generation, self.noted.0).as_bytes(), 0)
    }
}

fn unnoted(error: &io::Error) -> Ending {
    Ending::failed(format!(
        "How far the destination's answers are read cannot be noted in the state directory: {error}."
    ))
}

fn read(text: &[u8]) -> Option<(u32, Offset)> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == LENGTH)?.strip_suffix('\n')?;
    let (generation, upto) = text.split_once(' ')?;
    Some((generation.parse().ok()?, Offset(upto.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_heard_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let go_on = |generation, at| AckLog::go_on(folder.path(), (generation, None), Offset(at)).unwrap();
        let (mut heard, unheard) = go_on(1, 50);
        assert_eq!(unheard, None, "there was no process before");
        heard.note(Offset(70)).unwrap();
        assert_eq!(go_on(1, 70).1, None);
        assert_eq!(go_on(1, 90).1, Some(Offset(70)));
        assert_eq!(go_on(1, 90).1, None, "it was told");
        assert_eq!(go_on(1, 20).1, None, "the destination forgot: it is applied again");
        assert_eq!(go_on(2, 30).1, None, "another copy");
        let elsewhere = |noted| AckLog::go_on(folder.path(), (3, Some(Offset(noted))), Offset(30)).unwrap().1;
        assert_eq!(elsewhere(29), Some(Offset(29)), "a process elsewhere died");
        drop(std::fs::remove_file(folder.path().join(NAME)));
        assert_eq!(elsewhere(30), None, "it ended well");
        for damaged in [&b"x"[..], b"0000000002 0000000000000000001x", &[0xff; LENGTH], &[b'9'; 100]] {
            std::fs::write(folder.path().join(NAME), damaged).unwrap();
            assert_eq!(go_on(2, 30).1, None, "{damaged:?}");
            std::fs::remove_file(folder.path().join(NAME)).unwrap();
        }
    }
}
