//! `samples.jsonl`: the figures of a run over time, for the charts of its report. The first line names the run; every
//! other one is a sample. It has at most some 1,200 lines however long the run is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::watch::EventFile;
use crate::report::{Sample, Sampled, Sampler};
use crate::step::Stamped;
use crate::store::{read_bounded, write_whole};

const NAME: &str = "samples.jsonl";

/// The most that is read: beyond it something else wrote the file.
const MOST: u64 = 4 << 20;

/// The first line.
#[derive(Serialize, Deserialize)]
struct SamplesHead {
    run: String,
}

/// Keeps the samples of a run.
pub(super) struct SampleFile {
    path: PathBuf,
    run: String,
    file: Option<EventFile>,
    sampler: Sampler,
}

impl SampleFile {
    /// Goes on with the samples of this run; those of another one are dropped. Without the file there are no charts, and
    /// nothing else is missing.
    pub(super) fn open(folder: &Path, run: &str) -> Self {
        let path = folder.join(NAME);
        let kept = read(folder, run);
        let is_new = kept.is_none();
        let sampler = Sampler::behind(kept.unwrap_or_default());
        let mut kept = Self { path, run: run.to_owned(), file: None, sampler };
        if is_new {
            kept.rewrite(&[]);
        } else {
            kept.append_to();
        }
        kept
    }

    /// Takes one event.
    pub(super) fn take(&mut self, event: &Stamped) {
        match self.sampler.take(event) {
            Sampled::Nothing => {}
            Sampled::One(sample) => {
                if let Some(file) = &mut self.file {
                    file.append(&sample);
                }
            }
            Sampled::All(samples) => self.rewrite(&samples),
        }
    }

    fn rewrite(&mut self, samples: &[Sample]) {
        let head = serde_json::to_string(&SamplesHead { run: self.run.clone() });
        let lines = head.into_iter().chain(samples.iter().filter_map(|sample| serde_json::to_string(sample).ok()));
        let text: String = lines.map(|line| line + "\n").collect();
        self.file = None;
        match write_whole(&self.path, text.as_bytes()) {
            Ok(()) => self.append_to(),
            Err(error) => tracing::error!("the report will have no charts: {}: {error}", self.path.display()),
        }
    }

    fn append_to(&mut self) {
        match EventFile::own(&self.path) {
            Ok(file) => self.file = Some(file),
            Err(failure) => tracing::error!("the report will have no charts: {failure}"),
        }
    }
}

/// The samples of this run; `None` when there are none of it.
pub(super) fn read(folder: &Path, run: &str) -> Option<Vec<Sample>> {
    let bytes = read_bounded(&folder.join(NAME), MOST).ok().flatten()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let head: SamplesHead = serde_json::from_str(lines.next()?).ok()?;
    // A line that a crash cut off is left out.
    (head.run == run).then(|| lines.filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{Event, FollowProgress};
    use crate::unit::UnixMillis;

    fn following(file: &mut SampleFile, attempt: u32, from: i64, count: i64) {
        let started = Event::RunStarted { run: String::new(), plan: String::new(), digest: String::new(), attempt };
        file.take(&Stamped { at: UnixMillis(from), event: started });
        for index in 0..count {
            let event = Event::Following { progress: FollowProgress::default() };
            file.take(&Stamped { at: UnixMillis(from + index * 500), event });
        }
    }

    #[test]
    fn a_run_goes_on_with_its_samples_and_another_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        following(&mut SampleFile::open(folder.path(), "one"), 1, 0, 5000);
        let before = read(folder.path(), "one").unwrap();
        assert!((600..=1200).contains(&before.len()), "{}", before.len());
        following(&mut SampleFile::open(folder.path(), "one"), 2, 10_000_000, 100);
        let after = read(folder.path(), "one").unwrap();
        assert_eq!(after.first().map(|sample| sample.from), Some(0));
        assert_eq!(after.last().map(|sample| sample.attempt), Some(2));
        assert_eq!(read(folder.path(), "two"), None);
        SampleFile::open(folder.path(), "two");
        assert_eq!(read(folder.path(), "two"), Some(vec![]));
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        following(&mut SampleFile::open(folder.path(), "one"), 1, 0, 10);
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        following(&mut SampleFile::open(folder.path(), "one"), 2, 60_000, 10);
        assert_eq!(read(folder.path(), "one").unwrap().len(), 17);
    }
}
