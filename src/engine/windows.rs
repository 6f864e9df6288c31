//! Waiting for a window.

use std::time::Duration;

use async_std::task::sleep;

use super::{ending::Ending, run::Run, teller::Teller};
use crate::{
    step::{Event, Outcome, StepId, Window, WindowState, Windows},
    unit::UnixMillis,
};

/// How often the time is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Run {
    /// How the plan's windows for something stand now.
    pub(super) fn window(&self, of: fn(&Windows) -> &[Window]) -> WindowState {
        let windows = self.request.graph.windows.as_ref();
        windows.map_or(WindowState::Open, |windows| windows.stand(of(windows), UnixMillis::now()))
    }

    /// Waits until the copy may run.
    pub(super) async fn await_window(&mut self, step: StepId, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let mut told = None;
        while let WindowState::Closed { opens } = self.window(|windows| &windows.full) {
            let reason = closed("full", opens);
            if self.request.no_wait {
                return Err(Ending::new(Outcome::Held, format!("Held: {reason}.")));
            }
            if told != Some(opens) {
                told = Some(opens);
                teller.tell(Event::Waiting { step, reason: reason.clone() });
            }
            self.attend(step, Some(&reason), "Stopped while waiting for a window.", teller)?;
            sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Says that a window is closed.
pub(super) fn closed(what: &str, opens: Option<UnixMillis>) -> String {
    let opens = opens.map_or_else(|| "it never opens".to_owned(), |at| format!("the next one opens at {at}"));
    format!("outside the plan's `windows.{what}`: {opens}")
}
