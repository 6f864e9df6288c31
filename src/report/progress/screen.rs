//! The board on a terminal: drawn over itself below everything else, which is printed once and stays. Needs nothing of a
//! terminal but moving up, erasing and not wrapping lines.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::board::Board;
use super::lines::change;
use crate::step::{Event, Stamped, StepId, Verdict};
use crate::unit::UnixMillis;

/// How long a picture that is being drawn is waited for.
const DRAWING: Duration = Duration::from_millis(200);

/// The terminal. Clones share it.
#[derive(Clone)]
pub(super) struct Screen {
    drawn: Arc<Mutex<Drawn>>,
    /// Nothing is drawn any more: somebody else has the terminal.
    frozen: Arc<AtomicBool>,
}

struct Drawn {
    out: Box<dyn Write + Send>,
    board: Board,
    /// Its width in characters.
    width: fn() -> usize,
    /// Lines of the board on the terminal.
    lines: Vec<String>,
    /// The moment that they show.
    now: UnixMillis,
}

impl Screen {
    pub(super) fn new(out: Box<dyn Write + Send>, width: fn() -> usize) -> Self {
        let drawn = Drawn { out, board: Board::default(), width, lines: vec![], now: UnixMillis(0) };
        Self { drawn: Arc::new(Mutex::new(drawn)), frozen: Arc::default() }
    }

    pub(super) fn expect(&self, steps: impl IntoIterator<Item = StepId>) {
        self.lock().board.expect(steps);
    }

    /// Shows one event.
    pub(super) fn show(&self, event: &Stamped) {
        let mut drawn = self.lock();
        drawn.board.take(event);
        drawn.now = event.at;
        let news = if is_news(&event.event) { change(&event.event) } else { None };
        // The last word comes below the board, and the board stays.
        let ends = matches!(event.event, Event::RunFinished { .. });
        let (above, below) = if ends { (None, news) } else { (news, None) };
        if !self.is_frozen() {
            drawn.draw(above.map(|line| line + "\n").unwrap_or_default().as_bytes());
        }
        if let Some(line) = below {
            drawn.lines.clear();
            _ = writeln!(drawn.out, "{line}");
        }
    }

    /// Draws what has changed by `now` without an event. Answers whether there is still something to draw.
    pub(super) fn tick(&self, now: UnixMillis) -> bool {
        let mut drawn = self.lock();
        if self.is_frozen() || drawn.board.has_ended() {
            return false;
        }
        if !drawn.lines.is_empty() {
            drawn.now = now;
            drawn.draw(b"");
        }
        // The renderer may be gone without an ending.
        Arc::strong_count(&self.drawn) > 1
    }

    /// Prints whole lines above the board, or below it once it is not drawn any more.
    pub(super) fn above(&self, lines: &[u8]) {
        let mut drawn = self.lock();
        if self.is_frozen() || drawn.board.has_ended() {
            _ = drawn.out.write_all(lines);
        } else {
            drawn.draw(lines);
        }
    }

    /// Draws nothing from now on: what others print stays. Never blocks for good, whoever calls it.
    pub(super) fn freeze(&self) {
        self.frozen.store(true, SeqCst);
        let begun = Instant::now();
        while self.drawn.try_lock().is_err() && begun.elapsed() < DRAWING {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_frozen(&self) -> bool {
        self.frozen.load(SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drawn {
    /// Prints `above` where the board was, and the board below it, in one go. Nothing is written when that changes nothing.
    fn draw(&mut self, above: &[u8]) {
        let lines = self.board.lines(self.now, (self.width)());
        if above.is_empty() && lines == self.lines {
            return;
        }
        let mut bytes = vec![];
        if !self.lines.is_empty() {
            bytes.extend_from_slice(format!("\x1b[{}A\r", self.lines.len()).as_bytes());
        }
        if !above.is_empty() {
            bytes.extend_from_slice(b"\x1b[J");
            bytes.extend_from_slice(above);
        }
        // A line that is wider than the terminal is cut there: wrapped, it would take more lines than are counted.
        bytes.extend_from_slice(b"\x1b[?7l");
        for line in &lines {
            // Over what is there, and not after erasing it: that would flicker.
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\x1b[K\n");
        }
        bytes.extend_from_slice(b"\x1b[J\x1b[?7h");
        self.lines = lines;
        _ = self.out.write_all(&bytes).and_then(|()| self.out.flush());
    }
}

/// Whether an event is told in a line of its own: the board shows the states of steps and why they wait.
fn is_news(event: &Event) -> bool {
    match event {
        Event::StepStarted { .. } | Event::StepDone { .. } | Event::StepSkipped { .. } | Event::Waiting { .. } => false,
        Event::Checked { check } => check.verdict != Verdict::Pass,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// A terminal without an end: what is on it after these bytes.
    fn seen(bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (mut lines, mut row, mut column) = (vec![vec![]], 0, 0);
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\n' => {
                    (row, column) = (row + 1, 0);
                    if row == lines.len() {
                        lines.push(vec![]);
                    }
                }
                '\r' => column = 0,
                '\x1b' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    match rest.split_at(end + 1).0 {
                        "[J" => {
                            lines.truncate(row + 1);
                            lines[row].truncate(column);
                        }
                        "[K" => lines[row].truncate(column),
                        "[?7l" | "[?7h" => {}
                        up if up.ends_with('A') => row -= up[1..end].parse::<usize>().unwrap(),
                        other => panic!("{other:?}"),
                    }
                    rest = &rest[end + 1..];
                }
                c => {
                    let over = column..lines[row].len().min(column + 1);
                    lines[row].splice(over, [c]);
                    column += 1;
                }
            }
        }
        lines.into_iter().map(String::from_iter).collect()
    }

    #[derive(Clone, Default)]
    struct Tape(Arc<Mutex<Vec<u8>>>);

    impl Write for Tape {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_printed_once_stays_and_the_board_is_there_once() {
        let tape = Tape::default();
        let screen = Screen::new(Box::new(tape.clone()), || 200);
        screen.expect(sample::rich().steps.iter().map(|step| step.id));
        for (index, event) in sample::events().iter().enumerate() {
            screen.show(event);
            screen.above(format!("ERROR of the log, number {index}\n").as_bytes());
        }
        let failed = Event::StepFailed { step: StepId::Cleanup, reason: "the disk is full".to_owned() };
        screen.show(&Stamped { at: sample::at(80_000), event: failed });
        let seen = seen(&tape.0.lock().unwrap());
        for index in 0..sample::events().len() {
            let line = format!("ERROR of the log, number {index}");
            assert_eq!(seen.iter().filter(|seen| **seen == line).count(), 1, "{line}: {seen:#?}");
        }
        assert!(seen.iter().any(|line| line == "cleanup: failed: the disk is full"), "{seen:#?}");
        insta::assert_snapshot!("screen", seen.join("\n"));
    }

    /// A screen whose full copy began at 0.
    fn copying() -> (Screen, Tape) {
        let tape = Tape::default();
        let screen = Screen::new(Box::new(tape.clone()), || 200);
        screen.show(&Stamped { at: sample::at(0), event: Event::StepStarted { step: StepId::Full } });
        (screen, tape)
    }

    impl Tape {
        fn seen(&self) -> Vec<String> {
            seen(&self.0.lock().unwrap())
        }

        fn len(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }

    #[test]
    fn time_is_drawn_without_an_event_and_nothing_is_drawn_twice() {
        let (screen, tape) = copying();
        let _renderer = screen.clone();
        assert!(screen.tick(sample::at(2_000)));
        assert_eq!(tape.seen(), ["  ▶ full         2.0 s", ""]);
        let length = tape.len();
        assert!(screen.tick(sample::at(2_000)));
        assert_eq!(tape.len(), length, "nothing has changed");
        assert!(screen.tick(sample::at(9_000)));
        assert_eq!(tape.seen(), ["  ▶ full         9.0 s", "    nothing new for 9.0 s", ""]);
        screen.above(b"WARN something\n");
        assert_eq!(tape.seen(), ["WARN something", "  ▶ full         9.0 s", "    nothing new for 9.0 s", ""]);
    }

    #[test]
    fn nothing_is_drawn_over_what_comes_after_the_end() {
        let (screen, tape) = copying();
        let ended = |outcome| Event::RunFinished {
            outcome,
            code: "R003".to_owned(),
            summary: "the disk is full".to_owned(),
            seconds: 3.0,
        };
        screen.show(&Stamped { at: sample::at(3_000), event: ended(crate::step::Outcome::Failed) });
        let length = tape.len();
        assert!(!screen.tick(sample::at(10_000)));
        assert_eq!(tape.len(), length);
        screen.above(b"ERROR of the log\n");
        assert!(tape.seen().iter().any(|line| line.contains("the disk is full")), "{:#?}", tape.seen());
        assert!(tape.seen().contains(&"ERROR of the log".to_owned()));
    }

    #[test]
    fn nothing_is_drawn_once_others_have_the_terminal() {
        let (screen, tape) = copying();
        let inside = screen.clone();
        // As in a panic while something is drawn: whoever holds the lock freezes the screen.
        let held = screen.lock();
        inside.freeze();
        drop(held);
        let length = tape.len();
        assert!(!screen.tick(sample::at(10_000)));
        screen.show(&Stamped { at: sample::at(11_000), event: Event::StepDone { step: StepId::Full, seconds: 11.0 } });
        assert_eq!(tape.len(), length);
    }
}
