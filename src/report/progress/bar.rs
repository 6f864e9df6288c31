//! A bar on the terminal. Changes are printed above it; the figures redraw it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{change, figures, follow_figures, verify_figures};
use crate::step::{Event, Stamped};

/// Redraws a second, at most.
const HERTZ: u8 = 10;

/// The bar.
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Default for Bar {
    fn default() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(HERTZ));
        bar.set_style(spinning());
        Self { bar }
    }
}

impl Bar {
    /// Shows one event.
    pub(super) fn show(&mut self, Stamped { event, .. }: &Stamped) {
        if let Event::Progress { progress } = event {
            if let (Some(total), None) = (progress.total, self.bar.length()) {
                self.bar.set_length(total);
                self.bar.set_style(measured());
            }
            self.bar.set_position(progress.applied);
            self.bar.set_message(figures(progress));
        }
        if let Event::FollowStarted { .. } = event {
            self.bar.unset_length();
            self.bar.set_style(spinning());
        }
        if let Event::Following { progress } = event {
            self.bar.tick();
            self.bar.set_message(follow_figures(progress));
        }
        if let Event::VerifyProgress { progress } = event {
            self.bar.tick();
            self.bar.set_message(verify_figures(progress));
        }
        if let Event::Waiting { .. } = event {
            self.bar.set_message(change(event).unwrap_or_default());
            return;
        }
        if let Event::StepStarted { step } = event {
            self.bar.set_message(step.name());
        }
        if let Event::RunFinished { .. } = event {
            self.bar.finish_and_clear();
        }
        if let Some(line) = change(event) {
            self.bar.println(line);
        }
    }
}

fn spinning() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn measured() -> ProgressStyle {
    ProgressStyle::with_template("{bar:24} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}
