//! The evidence of a run, from its events: Markdown for people, JSON for programs.

mod collect;
mod facts;
mod markdown;
mod result;
mod samples;
mod summary;
mod verified;

pub(super) use collect::between;
pub(super) use facts::{Cutover, CutoverEnd};
pub use markdown::run_markdown;
pub(super) use markdown::{cell, outcome_word};
pub use result::run_result;
pub use samples::{Sample, Sampled, Sampler};
pub use summary::{Attempt, RunSummary, StepRun, StepState, run_json};
pub(super) use verified::{mode, word};
pub use verified::{verify_json, verify_text};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::step::{Outcome, StepId};

    #[test]
    fn markdown_tells_the_whole_run() {
        insta::assert_snapshot!("markdown", run_markdown(&sample::events(), &sample::rich()));
    }

    #[test]
    fn markdown_of_an_unfinished_run_says_so() {
        let events = sample::events();
        let text = run_markdown(&events[..11], &sample::rich());
        assert!(text.contains("**unfinished**"), "{text}");
        assert!(run_markdown(&[], &sample::minimal()).contains("**not started**"));
    }

    #[test]
    fn a_result_is_a_few_lines() {
        insta::assert_snapshot!("result", run_result(&RunSummary::of(&sample::events())));
    }

    #[test]
    fn json_holds_the_same() {
        insta::assert_snapshot!("json", run_json(&sample::events(), &sample::minimal()));
    }

    #[test]
    fn a_summary_joins_the_attempts() {
        let summary = RunSummary::of(&sample::events());
        assert_eq!(summary.attempts.len(), 2);
        assert_eq!(summary.outcome(), Some(Outcome::Done));
        let steps: Vec<(StepId, &StepState)> =
            summary.attempts[0].steps.iter().map(|step| (step.step, &step.state)).collect();
        assert_eq!(steps[2], (StepId::Full, &StepState::Interrupted));
    }

    #[test]
    fn a_key_that_failed_in_two_attempts_is_listed_once() {
        let mut events = sample::events();
        events.extend(sample::events());
        assert_eq!(RunSummary::of(&events).failures.len(), 1);
    }
}
