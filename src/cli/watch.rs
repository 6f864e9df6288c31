//! What looks at a run's events as they come: the progress on standard error, the file of `--events`, and the evidence
//! in the state directory. None of them can fail a run; each says once when it cannot write.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::exit::Failure;
use super::output::Output;
use crate::report::{Above, Progress, ProgressStyle};
use crate::step::Stamped;
use crate::store::own::{self, OpenMode, open_regular};

/// How to show a run as it happens.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProgressArg {
    /// Steps on a terminal, lines elsewhere and with -v
    Auto,
    /// Steps with their state, rate, lag and why they wait, drawn over themselves; lines where there is no terminal
    Tty,
    /// A line for each change, figures every ten seconds
    Plain,
    /// Every event as a line of JSON
    Json,
    /// Nothing
    None,
}

impl ProgressArg {
    /// Whether what is shown is for people, so that a line between is no harm.
    pub(super) const fn is_for_people(self) -> bool {
        matches!(self, Self::Auto | Self::Tty | Self::Plain)
    }

    /// The renderer on standard error. `alone`: nothing else writes there.
    pub(super) fn renderer(self, alone: bool) -> Progress {
        let stderr = std::io::stderr();
        let style = match self {
            Self::Auto if alone && stderr.is_terminal() => ProgressStyle::Tty,
            Self::Tty if stderr.is_terminal() => ProgressStyle::Tty,
            Self::Auto | Self::Plain | Self::Tty => ProgressStyle::Plain,
            Self::Json => ProgressStyle::Json,
            Self::None => ProgressStyle::None,
        };
        let progress = Progress::new(style, Box::new(stderr), || Output::stderr().style().width);
        if let Some(above) = progress.above() {
            std::thread::spawn(move || while redraws(&above) {});
        }
        progress
    }
}

/// What is drawn is drawn again this often, so that time goes on where nothing else does.
const REDRAW: Duration = Duration::from_secs(1);

fn redraws(above: &Above) -> bool {
    std::thread::sleep(REDRAW);
    above.tick()
}

/// A file that gets every event as a line of JSON, whole lines only. Only its owner may read it: keys have names.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    broken: bool,
}

impl EventFile {
    /// Opens the file that an operator names to append to it; makes it when it is not there. A line that a crash cut off is
    /// closed first.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        Self::of(path, open_regular(path, OpenMode::Append))
    }

    /// Opens a file of the state directory in the same way.
    pub(super) fn own(path: &Path) -> Result<Self, Failure> {
        Self::of(path, own::open(path, OpenMode::Append))
    }

    fn of(path: &Path, file: std::io::Result<File>) -> Result<Self, Failure> {
        let file = file.and_then(whole_lines).map_err(|source| Failure::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, broken: false })
    }

    /// Appends one event.
    pub(super) fn write(&mut self, event: &Stamped) {
        self.append(event);
    }

    /// Appends a line. After a failure nothing more is written: a file with holes would be no evidence.
    pub(super) fn append(&mut self, line: &impl Serialize) {
        if self.broken {
            return;
        }
        let line = serde_json::to_string(line).map_err(std::io::Error::from);
        let written = line.and_then(|line| self.file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            self.broken = true;
            tracing::error!("{} ends here, the run continues: {error}", self.path.display());
        }
    }
}

/// The file with its last line ended.
fn whole_lines(mut file: File) -> std::io::Result<File> {
    let mut last = *b"\n";
    if let Some(at) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::step::Event;
    use crate::unit::UnixMillis;

    #[test]
    fn events_are_lines_that_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let event = Stamped { at: UnixMillis(1), event: Event::Notice { text: "a\nb".to_owned() } };
        EventFile::open(&path).unwrap().write(&event);
        EventFile::open(&path).unwrap().write(&event);
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Stamped> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [event.clone(), event]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_a_crash_cut_off_does_not_take_the_next_one_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"at\":1,\"ev").unwrap();
        EventFile::open(&path)
            .unwrap()
            .write(&Stamped { at: UnixMillis(1), event: Event::Notice { text: String::new() } });
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter_map(|line| serde_json::from_str::<Stamped>(line).ok()).count(), 1);
    }

    #[test]
    fn a_full_disk_does_not_stop_the_run() {
        let path = std::path::PathBuf::from("/dev/full");
        let file = File::options().write(true).open(&path).unwrap();
        let mut full = EventFile { path, file, broken: false };
        full.write(&Stamped { at: UnixMillis(1), event: Event::Notice { text: String::new() } });
        assert!(full.broken);
    }
}
