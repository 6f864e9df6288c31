//! The board on a terminal: drawn over itself below everything else, which is printed once and stays. Needs nothing of a
//! terminal but moving up, erasing and not wrapping lines.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::board::Board;
use super::lines::change;
use crate::step::{Event, Stamped, StepId, Verdict};

/// The terminal. Clones share it.
#[derive(Clone)]
pub(super) struct Screen(Arc<Mutex<Drawn>>);

struct Drawn {
    out: Box<dyn Write + Send>,
    board: Board,
    /// Lines of the board on the terminal.
    lines: usize,
}

impl Screen {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(Drawn { out, board: Board::default(), lines: 0 })))
    }

    pub(super) fn expect(&self, steps: impl IntoIterator<Item = StepId>) {
        self.lock().board.expect(steps);
    }

    /// Shows one event.
    pub(super) fn show(&self, event: &Stamped) {
        let mut drawn = self.lock();
        drawn.board.take(event);
        let news = if is_news(&event.event) { change(&event.event) } else { None };
        let ends = matches!(event.event, Event::RunFinished { .. });
        // The last word comes below the board, and the board stays.
        let (above, below) = if ends { (None, news) } else { (news, None) };
        drawn.draw(above.map(|line| line + "\n").unwrap_or_default().as_bytes());
        if let Some(line) = below {
            drawn.lines = 0;
            _ = writeln!(drawn.out, "{line}");
        }
    }

    /// Prints whole lines above the board.
    pub(super) fn above(&self, lines: &[u8]) {
        self.lock().draw(lines);
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drawn {
    /// Prints `above` where the board was, and the board below it, in one go.
    fn draw(&mut self, above: &[u8]) {
        let mut bytes = vec![];
        if self.lines > 0 {
            bytes.extend_from_slice(format!("\x1b[{}A\r\x1b[J", self.lines).as_bytes());
        }
        bytes.extend_from_slice(above);
        let lines = self.board.lines();
        self.lines = lines.len();
        // A line that is wider than the terminal is cut there: wrapped, it would take more lines than are counted.
        bytes.extend_from_slice(b"\x1b[?7l");
        for line in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(b"\x1b[?7h");
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
        let (mut lines, mut row) = (vec![String::new()], 0);
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\n' => {
                    row += 1;
                    if row == lines.len() {
                        lines.push(String::new());
                    }
                }
                '\r' => {}
                '\x1b' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    match rest.split_at(end + 1).0 {
                        "[J" => {
                            lines.truncate(row + 1);
                            lines[row].clear();
                        }
                        "[?7l" | "[?7h" => {}
                        up if up.ends_with('A') => row -= up[1..end].parse::<usize>().unwrap(),
                        other => panic!("{other:?}"),
                    }
                    rest = &rest[end + 1..];
                }
                c => lines[row].push(c),
            }
        }
        lines
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
        let screen = Screen::new(Box::new(tape.clone()));
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
}
