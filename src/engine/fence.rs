//! Keeping writers off the source during a cutover.
//!
//! `CLIENT PAUSE` and `INFO` in one transaction say at which offset writes stopped: nothing is carried out between them,
//! and replicas are not paused (networking.c, `pauseClients`; from 3.0). The pause ends by itself. From 6.2 on it stops
//! writes alone and can be ended; before, it stops every client, this one too, and lasts as long as was said.

use std::time::{Duration, Instant};

use redis::{Value, cmd, pipe};

use super::{hooks::Program, settings::Setting};
use crate::{
    command::Info,
    net::{Control, ControlError},
    source::SourceFacts,
    step::Fence,
    unit::{Offset, ServerVersion},
};

/// More replicas than any source has.
pub(super) const NO_REPLICAS: &str = "1000000";
/// A lag at which `min-slaves-to-write` is in force.
pub(super) const SOME_LAG: &str = "10";
/// How long a pause outlasts the time of the cutover: in it the seal is confirmed.
const MARGIN: Duration = Duration::from_secs(2);

/// A source that is fenced.
#[derive(Debug)]
pub(super) struct Fenced {
    /// Everything that was written before is up to here.
    pub(super) offset: Offset,
    /// Since when writers are kept off.
    pub(super) since: Instant,
    control: Control,
    version: ServerVersion,
    plan: Plan,
    timeout: Duration,
}

/// How a fence is put up.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// By the server.
    Server(Fence),
    /// By programs of the operator: one stops the writers, one lets them go on.
    Programs(Box<(Program, Program)>),
}

impl Plan {
    /// Whether nothing can be written behind the offset at which the fence was put up.
    pub(super) fn is_proof(&self) -> bool {
        matches!(self, Self::Server(Fence::ClientPause))
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(fence) => fence.fmt(f),
            Self::Programs(_) => f.write_str("hook"),
        }
    }
}

/// Whether a server can be paused, and what to do where it cannot.
pub(super) fn refusal(fence: &Fence, version: ServerVersion) -> Option<String> {
    (*fence == Fence::ClientPause && !version.has_redis((3, 0))).then(|| {
        format!(
            "{version} has no CLIENT PAUSE (3.0 and later do): write `fence: min_replicas`, which lets writes of scripts \
             through before Redis 7, or stop the writers yourself and write `fence: none`"
        )
    })
}

/// Whether others can read from the source while it is fenced so: up to 6.0, `CLIENT PAUSE` stops whoever asks anything.
pub(super) fn lets_read(plan: &Plan, version: ServerVersion) -> bool {
    !matches!(plan, Plan::Server(Fence::ClientPause)) || version.has_redis((6, 2))
}

/// Fences the source for at most `timeout`. On an error nothing is fenced, or ends by itself within `timeout`.
pub(super) async fn fence(mut control: Control, plan: Plan, timeout: Duration) -> Result<Fenced, String> {
    let text = |error: ControlError| error.to_string();
    let facts = crate::source::survey(&mut control).await.map_err(text)?;
    let version = facts.version.unwrap_or(ServerVersion::redis(2, 8, 0));
    let since = Instant::now();
    let offset = match &plan {
        Plan::Server(fence) => {
            if let Some(reason) = refusal(fence, version) {
                return Err(reason);
            }
            server_fence(&mut control, fence, version, timeout).await.map_err(text)?
        }
        Plan::Programs(programs) => {
            let ran = programs.0.clone().run().await;
            if let Some(failure) = ran.failure {
                return Err(format!("`{}` failed: {failure}", programs.0.name()));
            }
            crate::source::survey(&mut control).await.map_err(text)?.repl_offset
        }
    };
    let offset = offset.ok_or("the source does not say its offset")?;
    Ok(Fenced { offset, since, control, version, plan, timeout })
}

async fn server_fence(
    control: &mut Control,
    fence: &Fence,
    version: ServerVersion,
    timeout: Duration,
) -> Result<Option<Offset>, ControlError> {
    let mut transaction = pipe();
    transaction.atomic();
    match fence {
        Fence::ClientPause => {
            let millis = u64::try_from((timeout + MARGIN).as_millis()).unwrap_or(u64::MAX);
            let mut pause = cmd("CLIENT");
            pause.arg("PAUSE").arg(millis);
            if version.has_redis((6, 2)) {
                pause.arg("WRITE");
            }
            transaction.add_command(pause);
        }
        Fence::MinReplicas => {
            transaction.add_command(Setting::MinReplicas.set(NO_REPLICAS));
        }
        Fence::None | Fence::Hook(_) => {}
    }
    transaction.add_command(cmd("INFO").arg("replication").clone());
    let replies = control.pipeline(&transaction).await?;
    let Some(Value::Array(replies)) = replies.into_iter().next() else { return Ok(None) };
    for reply in &replies {
        if let Value::ServerError(error) = reply {
            return Err(control.refused("the fence", error.clone()));
        }
    }
    let info = match replies.last() {
        Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Ok(None),
    };
    Ok(SourceFacts::of(Info::parse(&info)).repl_offset)
}

impl Fenced {
    /// Whether nothing can have been written behind the offset.
    pub(super) fn is_proof(&self) -> bool {
        self.plan.is_proof()
    }

    /// Whether a pause has run out, so that writes may have come behind the offset.
    pub(super) fn has_lapsed(&self) -> bool {
        self.is_proof() && self.since.elapsed() >= self.timeout + MARGIN
    }

    /// The source's offset now; `None` when it does not say.
    pub(super) async fn offset_now(&mut self) -> Option<Offset> {
        crate::source::survey(&mut self.control).await.ok()?.repl_offset
    }

    /// Lets writers go on. Answers when they do: at once, or after this long.
    pub(super) async fn lift(mut self) -> Result<Duration, String> {
        match &self.plan {
            Plan::Server(Fence::ClientPause) if self.version.has_redis((6, 2)) => {
                self.control.command(cmd("CLIENT").arg("UNPAUSE")).await.map_err(|error| error.to_string())?;
                Ok(Duration::ZERO)
            }
            // A pause cannot be shortened before 6.2.
            Plan::Server(Fence::ClientPause) => Ok((self.timeout + MARGIN).saturating_sub(self.since.elapsed())),
            // The setting is put back with the others.
            Plan::Server(_) => Ok(Duration::ZERO),
            Plan::Programs(programs) => {
                let ran = programs.1.clone().run().await;
                ran.failure
                    .map_or(Ok(Duration::ZERO), |failure| Err(format!("`{}` failed: {failure}", programs.1.name())))
            }
        }
    }
}
