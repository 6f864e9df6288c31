//! Sentinels that watch the source. Each of them listens at the servers that it watches to a channel of its own.

use redis::cmd;

use super::{run::Run, teller::Teller};
use crate::net::{Control, ControlError};

/// What to do about a Sentinel that has taken this host for a replica.
pub(super) const RESET: &str = "Where `SENTINEL REPLICAS <master>` lists this host as a replica, `SENTINEL RESET <master>` at \
                                each Sentinel removes it.";

/// How many Sentinels listen at this server; `None` where it does not tell.
pub(super) async fn listening(control: &mut Control) -> Result<Option<u64>, ControlError> {
    match control.query::<(String, u64)>(cmd("PUBSUB").arg("NUMSUB").arg("__sentinel__:hello")).await {
        Ok((_, count)) => Ok(Some(count)),
        Err(error) if error.refusal().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says at the end of a run what Sentinels of the source may still believe of it. A source that is gone has none to ask.
pub(super) async fn remind(run: &Run, teller: &mut Teller<'_>) {
    let Ok(mut control) = run.request.servers.source.control().await else { return };
    if let Ok(Some(count @ 1..)) = listening(&mut control).await {
        teller.notice(format!("Sentinels watch the source ({}). {RESET}", counted(count)));
    }
}

/// So many Sentinels.
pub(super) fn counted(count: u64) -> String {
    format!("{count} Sentinel{}", if count == 1 { "" } else { "s" })
}
