//! What a user needs at each side. The page of permissions has the same lists, and a test applies them literally.

use super::scene::{self, CheckInput};
use crate::step::{Fence, StepId};

/// At the source, whatever the plan says.
const COPY: &str = "+ping +info +time +psync +replconf";
/// To raise the replica output-buffer limit, or to fence by `min_replicas`, and to put it back.
const SETTINGS: &str = " +config|get +config|set";
/// To fence and read the offset at once.
const FENCE: &str = " +multi +exec";
/// To fence by `client_pause`.
const PAUSE: &str = " +client|pause +client|unpause";
/// To compare: every key is read.
const COMPARE: &str = " +select +client|setname +watch +unwatch ~* +@read";

/// At the destination: what a copy and the stream write, and what the run record needs. `MIGRATE`, which sends keys to another
/// server, is in no stream.
const DESTINATION: &str = "~* &* +@read +@write -migrate +@scripting +publish +watch +unwatch +multi +exec +select \
                           +client|setname +ping +info +time +command +config|get +module|list +wait";

/// The rule that is enough for a user of the source with this plan.
pub(super) fn at_source(user: &str, scene: &CheckInput<'_>) -> String {
    let fence = scene::fence(scene.graph);
    let compares = scene.graph.steps.iter().any(|step| step.id == StepId::Verify);
    let parts = [
        (scene.raises_buffer() || fence == Some(&Fence::MinReplicas), SETTINGS),
        (compares || matches!(fence, Some(Fence::ClientPause | Fence::MinReplicas)), FENCE),
        (fence == Some(&Fence::ClientPause), PAUSE),
        (compares, COMPARE),
    ];
    let parts: String = parts.iter().filter(|(needed, _)| *needed).map(|(_, part)| *part).collect();
    format!("ACL SETUSER {user} {COPY}{parts}")
}

/// The rule that is enough for a user of the destination.
pub(super) fn at_destination(user: &str) -> String {
    format!("ACL SETUSER {user} {DESTINATION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_these_lists() {
        let page = include_str!("../../../book/src/reference/permissions.md");
        let lists: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix("ACL SETUSER mover on >PASSWORD ")).collect();
        assert_eq!(lists, [format!("{COPY}{SETTINGS}{FENCE}{PAUSE}{COMPARE}").as_str(), DESTINATION]);
        for part in [COPY, SETTINGS, FENCE, PAUSE, COMPARE] {
            let cell = format!("| `{}` |", part.trim().replace('|', "\\|"));
            assert!(page.contains(&cell), "the page says what `{part}` is for");
        }
    }
}
