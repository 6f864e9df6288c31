//! Scripts of the stream that set or read expiries. A source up to 4.0 sends them as they were said, and at the destination they
//! meet deadlines that are deferred: what they wrote there is compared before success is said.

use super::follow::{Follow, FollowPhase};
use crate::{
    engine::teller::Teller,
    sink::DeadlineMode,
    step::{Selection, VerifyMode, VerifyWork},
};

/// Such scripts, as far as this run has met them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scripted {
    /// How often one was carried out, as this process knows.
    pub(super) calls: u64,
    /// Whether an earlier process has met one.
    before: bool,
}

impl Scripted {
    /// Where the run record names so many.
    pub(super) fn known(scripts: usize) -> Self {
        Self { calls: 0, before: scripts > 0 }
    }

    pub(super) const fn were_met(self) -> bool {
        self.before || self.calls > 0
    }
}

impl Follow {
    /// Takes in that some came.
    pub(super) fn take_scripts(&mut self, count: u64, names: Vec<String>, teller: &mut Teller<'_>) {
        self.scripts.calls += count;
        for name in names {
            teller.notice(format!(
                "The source sends a script that sets or reads expiries: {name}. At the destination it meets deadlines that are \
                 deferred, so what it does there may differ: both sides are compared before the run says that it is done."
            ));
        }
        if let FollowPhase::Cutting(cutting) = &mut self.phase {
            // What was compared before it is compared again.
            cutting.compared = false;
        }
    }

    /// Whether both sides are compared before the run says that it is done, whatever the plan says.
    pub(super) fn must_compare(&self) -> bool {
        self.doubts.is_any()
            || self.deadlines == DeadlineMode::Doubtful
            || (self.deadlines.defers() && self.scripts.were_met())
    }

    /// Whether such a comparison is enough for what is doubtful.
    pub(super) fn is_enough(&self, work: &VerifyWork) -> bool {
        match work.mode {
            VerifyMode::Full => true,
            // A script may have written another value, and what is in doubt may be one.
            VerifyMode::Keys => !self.scripts.were_met() && !self.doubts.is_any(),
            // What a doubt is about may be any key.
            VerifyMode::Sample { .. } => !self.must_compare(),
        }
    }

    /// How both sides are compared where deadlines were exact for too long, or scripts met deferred ones.
    pub(super) fn doubtful_work(&self, selection: &Selection) -> VerifyWork {
        let is_of_values = self.scripts.were_met() || self.doubts.is_any();
        let mode = if is_of_values { VerifyMode::Full } else { VerifyMode::Keys };
        VerifyWork { selection: selection.clone(), mode, rate: None }
    }
}
