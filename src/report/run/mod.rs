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
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::report::sample;
    use crate::step::{Outcome, Stamped, StepId};

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

    /// The places of all values that are no objects or lists.
    fn leaves(value: &Value, place: &str, found: &mut Vec<String>) {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
            _ => return found.push(place.to_owned()),
        };
        for (name, inner) in inner {
            leaves(inner, &format!("{place}/{name}"), found);
        }
    }

    fn strange() -> impl Strategy<Value = Value> {
        prop_oneof![
            prop::sample::select(vec![
                json!(0),
                json!(1),
                json!(-1),
                json!(i64::MAX),
                json!(i64::MIN),
                json!(u64::MAX),
                json!(u32::MAX),
                json!(1e308),
                json!(-1e308),
                json!(1e-308),
                json!(null),
                json!(""),
            ]),
            any::<i64>().prop_map(|number| json!(number)),
            ".{0,8}".prop_map(|text| json!(text)),
        ]
    }

    proptest! {
        /// A line of the event log that something else wrote may hold any number, and lines may be missing.
        #[test]
        fn no_event_that_can_be_read_ends_a_report_with_a_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), strange()), 1..6),
            missing in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let mut events: Vec<Value> = sample::events().iter().map(|event| json!(event)).collect();
            for (line, leaf, strange) in changes {
                let line = line.index(events.len());
                let event = &mut events[line];
                let mut places = vec![];
                leaves(event, "", &mut places);
                *event.pointer_mut(&places[leaf.index(places.len())]).unwrap() = strange;
            }
            for line in missing {
                events.remove(line.index(events.len()));
            }
            let read: Vec<Stamped> = events.into_iter().filter_map(|event| serde_json::from_value(event).ok()).collect();
            prop_assert!(!run_markdown(&read, &sample::rich()).is_empty());
            prop_assert!(serde_json::from_str::<Value>(&run_json(&read, &sample::rich())).is_ok());
            prop_assert!(!crate::report::run_html(&read, &[], &sample::rich()).is_empty());
            drop(run_result(&RunSummary::of(&read)));
        }
    }
}
