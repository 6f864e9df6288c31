//! A run as a few lines that are drawn again and again: each step and its state, and of the one under way how far it is,
//! how fast, how far behind, and why it waits.

use std::collections::VecDeque;

use super::lines::verify_figures;
use crate::report::run::between;
use crate::report::text::{Clean, grouped, per_second, percentage, spoken};
use crate::step::{CutoverPart, Event, FollowProgress, FullProgress, Stamped, StepId, VerifyProgress};
use crate::unit::{ByteSize, UnixMillis};

/// Lags that are drawn.
const LAGS: usize = 30;

/// Cells of the bar.
const CELLS: u64 = 20;

/// A run that tells nothing for so long is said to be silent, in seconds.
const SILENT: f64 = 5.0;

/// A lag of less than this is drawn as none, in seconds.
const NO_LAG: f64 = 0.05;

/// A step and how it stands.
#[derive(Debug)]
struct Row {
    step: StepId,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Running(UnixMillis),
    Done(f64),
    Skipped,
    Failed,
}

/// What is drawn.
#[derive(Debug, Default)]
pub(super) struct Board {
    rows: Vec<Row>,
    full: Option<FullProgress>,
    following: Option<FollowProgress>,
    comparing: Option<VerifyProgress>,
    lags: VecDeque<f64>,
    waits: Option<(UnixMillis, String)>,
    cutover: Option<CutoverPart>,
    /// When the last event came.
    heard: Option<UnixMillis>,
    ended: bool,
}

impl Board {
    /// The steps that are to come.
    pub(super) fn expect(&mut self, steps: impl IntoIterator<Item = StepId>) {
        for step in steps {
            self.row(step);
        }
    }

    fn row(&mut self, step: StepId) -> &mut Row {
        let at = self.rows.iter().position(|row| row.step == step).unwrap_or(self.rows.len());
        if at == self.rows.len() {
            self.rows.push(Row { step, state: State::Waiting });
        }
        &mut self.rows[at]
    }

    /// Takes one event.
    pub(super) fn take(&mut self, Stamped { at, event }: &Stamped) {
        self.heard = Some(*at);
        match event {
            Event::Waiting { reason, .. } => {
                let since = self.waits.as_ref().map_or(*at, |(since, _)| *since);
                self.waits = Some((since, reason.clone()));
                return;
            }
            // These come while it waits, too.
            Event::Traffic { .. } => return,
            Event::Progress { progress } => {
                let moved = self.full.replace(progress.clone()).is_none_or(|last| last.applied < progress.applied);
                if !moved {
                    return;
                }
            }
            Event::Following { progress } => {
                self.follow(progress);
                let last = self.following.replace(progress.clone());
                if last.is_some_and(|last| last.applied >= progress.applied) {
                    return;
                }
            }
            Event::VerifyProgress { progress } => self.comparing = Some(*progress),
            Event::Verified { .. } => self.comparing = None,
            Event::StepStarted { step } => self.row(*step).state = State::Running(*at),
            Event::StepSkipped { step, .. } => self.row(*step).state = State::Skipped,
            Event::StepDone { step, seconds } => self.row(*step).state = State::Done(*seconds),
            Event::StepFailed { step, .. } => self.row(*step).state = State::Failed,
            Event::CutoverPart { part, .. } => self.cutover = Some(*part),
            Event::CutoverUndone { .. } | Event::Sealed { .. } => self.cutover = None,
            Event::RunFinished { .. } => self.ended = true,
            _ => {}
        }
        self.waits = None;
    }

    fn follow(&mut self, progress: &FollowProgress) {
        if let Some(lag) = progress.lag {
            self.lags.push_back(lag.seconds);
            if self.lags.len() > LAGS {
                self.lags.pop_front();
            }
        }
    }

    /// Whether the run has ended.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The lines as they are at `now`, none of them with a line break in it or longer than `width`.
    pub(super) fn lines(&self, now: UnixMillis, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.rows.iter().map(|row| self.line(row, now)).collect();
        if let (Some(comparing), false) = (&self.comparing, self.ended) {
            lines.push(format!("    {}", verify_figures(comparing)));
        }
        lines.extend(self.stands_still(now));
        for line in &mut lines {
            cut(line, width);
        }
        lines
    }

    /// Why nothing moves, and since when.
    fn stands_still(&self, now: UnixMillis) -> Option<String> {
        if self.ended {
            return None;
        }
        if let Some((since, reason)) = &self.waits {
            return Some(format!("    waits {}: {}", spoken(between(*since, now)), Clean(reason)));
        }
        let silent = between(self.heard?, now);
        (silent >= SILENT).then(|| format!("    nothing new for {}", spoken(silent)))
    }

    fn line(&self, Row { step, state }: &Row, now: UnixMillis) -> String {
        let name = step.name();
        let text = match state {
            State::Waiting => format!("  · {name}"),
            State::Skipped => format!("  – {name:<12} nothing to do"),
            State::Failed => format!("  ✕ {name:<12} failed"),
            State::Done(seconds) => format!("  ✓ {name:<12} {}", spoken(*seconds)),
            State::Running(_) if self.ended => format!("  ! {name:<12} stopped"),
            State::Running(since) => {
                format!("  ▶ {name:<12} {:<8} {}", spoken(between(*since, now)), self.figures(*step))
            }
        };
        text.trim_end().to_owned()
    }

    fn figures(&self, step: StepId) -> String {
        match (step, &self.full, &self.following) {
            (StepId::Full, Some(full), _) => copying(full),
            (StepId::Incremental, _, Some(following)) => self.following(following),
            _ => String::new(),
        }
    }

    fn following(&self, progress: &FollowProgress) -> String {
        let lag = progress.lag.map_or_else(|| "lag not known".to_owned(), |lag| format!("lag {}", spoken(lag.seconds)));
        let rate = per_second(progress.commands_per_second, "commands");
        let failed =
            if progress.failed > 0 { format!(", {} reported", grouped(progress.failed)) } else { String::new() };
        let cutover = self.cutover.map_or_else(String::new, |part| format!(", cutting over: {}", part.name()));
        format!("{lag} {}  {rate}{failed}{cutover}", spark(&self.lags))
    }
}

/// Shortens a line that is longer than `width` characters.
fn cut(line: &mut String, width: usize) {
    if let Some((at, _)) = line.char_indices().nth(width) {
        line.truncate(line.char_indices().nth(width.saturating_sub(1)).map_or(at, |(last, _)| last));
        line.push('…');
    }
}

fn copying(progress: &FullProgress) -> String {
    let mut parts = vec![];
    if let (Some(total), Some(share)) = (progress.total, percentage(progress.applied, progress.total)) {
        parts.push(format!("{} {share} of {}", bar(progress.applied, total), ByteSize(total)));
    } else {
        parts.push(ByteSize(progress.applied).to_string());
    }
    parts.push(per_second(progress.keys_per_second, "keys"));
    parts.extend(progress.eta.map(|eta| format!("{} left", spoken(eta))));
    if progress.failed > 0 {
        parts.push(format!("{} failed", grouped(progress.failed)));
    }
    parts.join(", ")
}

fn bar(part: u64, total: u64) -> String {
    let full = u128::from(part.min(total)) * u128::from(CELLS) / u128::from(total.max(1));
    (0..u128::from(CELLS)).map(|cell| if cell < full { '█' } else { '░' }).collect()
}

/// The lags of the last seconds, the greatest as high as it gets.
fn spark(lags: &VecDeque<f64>) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = lags.iter().copied().fold(NO_LAG, f64::max);
    let level = |lag: &f64| {
        let reached = LEVELS.iter().zip(1_u8..=8).rev().find(|(_, step)| lag / most >= f64::from(*step) / 8.0);
        reached.map_or(LEVELS[0], |(level, _)| *level)
    };
    lags.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::step::Lag;

    /// The board at its last event.
    fn shown(board: &Board) -> String {
        board.lines(board.heard.unwrap(), 200).join("\n")
    }

    fn board(count: usize) -> Board {
        let mut board = Board::default();
        board.expect(sample::rich().steps.iter().map(|step| step.id));
        sample::events().iter().take(count).for_each(|event| board.take(event));
        board
    }

    #[test]
    fn a_copy_under_way() {
        insta::assert_snapshot!("waiting", shown(&board(9)));
        insta::assert_snapshot!("copying", shown(&board(11)));
        insta::assert_snapshot!("ended", shown(&board(sample::events().len())));
    }

    #[test]
    fn following_shows_the_lag_of_the_last_seconds() {
        let mut board = Board::default();
        let stamped = |millis, event| Stamped { at: sample::at(millis), event };
        board.take(&stamped(0, Event::StepStarted { step: StepId::Incremental }));
        for (half_second, lag) in [0.0, 0.2, 0.9, 4.0, 2.0, 1.0, 0.5, 0.0].into_iter().enumerate() {
            let progress = FollowProgress {
                lag: Some(Lag { bytes: 0, seconds: lag }),
                commands_per_second: 8123.4,
                ..FollowProgress::default()
            };
            board.take(&stamped(i64::try_from(half_second).unwrap() * 500, Event::Following { progress }));
        }
        insta::assert_snapshot!(shown(&board), @"  ▶ incremental  3.5 s    lag 0.00 s ▁▁▁█▄▂▁▁  8 123 commands/s");
        let reason = "the source\nis not connected".to_owned();
        board.take(&stamped(4000, Event::Waiting { step: StepId::Incremental, reason }));
        assert!(shown(&board).ends_with("    waits 0.00 s: the source\\u{a}is not connected"), "{}", shown(&board));
    }

    #[test]
    fn what_takes_time_grows_without_an_event() {
        let mut board = Board::default();
        let stamped = |millis, event| Stamped { at: sample::at(millis), event };
        let at = |board: &Board, millis| board.lines(sample::at(millis), 200).join("\n");
        board.take(&stamped(0, Event::StepStarted { step: StepId::Full }));
        assert_eq!(at(&board, 0), "  ▶ full         0.00 s");
        assert_eq!(at(&board, 4_900), "  ▶ full         4.9 s");
        assert_eq!(at(&board, 65_000), "  ▶ full         1m05s\n    nothing new for 1m05s");
        let waits = || Event::Waiting { step: StepId::Full, reason: "the source prepares its dump".to_owned() };
        board.take(&stamped(66_000, waits()));
        board.take(&stamped(70_000, waits()));
        assert_eq!(at(&board, 78_000), "  ▶ full         1m18s\n    waits 12.0 s: the source prepares its dump");
        // A clock that went back is no reason for a negative time.
        assert_eq!(at(&board, -5), "  ▶ full         0.00 s\n    waits 0.00 s: the source prepares its dump");
        let ended = Event::StepDone { step: StepId::Full, seconds: 80.0 };
        board.take(&stamped(80_000, ended));
        board.ended = true;
        assert_eq!(at(&board, 200_000), "  ✓ full         1m20s");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let board = board(11);
        for width in 1..80 {
            let lines = board.lines(board.heard.unwrap(), width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
        }
        let lines = board.lines(board.heard.unwrap(), 12);
        assert!(lines.contains(&"  ▶ full    …".chars().take(11).chain(['…']).collect()), "{lines:#?}");
    }

    #[test]
    fn a_lag_of_nothing_is_flat() {
        assert_eq!(spark(&[0.001, 0.002, 0.0].into()), "▁▁▁");
    }
}
