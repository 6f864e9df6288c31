//! Keeping writers off the source during a cutover.
//!
//! `CLIENT PAUSE` and `INFO` in one transaction say at which offset writes stopped: nothing is carried out between them,
//! and replicas are not paused (networking.c, `pauseClients`; from 3.0). The pause ends by itself. From 6.2 on it stops
//! writes alone and can be ended; before, it stops every client, this one too, and lasts as long as was said.

use std::time::{Duration, Instant};

use async_std::future::timeout;
use futures_util::future;
use redis::{Value, cmd, pipe};

use super::{hooks::Program, settings::SourceSetting};
use crate::{
    command::Info,
    net::{Access, Control, ControlError, NetError, Timeouts},
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

/// How long the source may take to answer while it is fenced.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a source that holds up every question is given to answer one all the same.
const KNOCK: Duration = Duration::from_millis(100);

/// A source that is fenced.
#[derive(Debug)]
pub(super) struct Fenced {
    /// Everything that was written before is up to here.
    pub(super) offset: Offset,
    /// What the source said of itself then.
    pub(super) facts: SourceFacts,
    /// Since when writers are kept off.
    pub(super) since: Instant,
    control: Control,
    version: ServerVersion,
    plan: FenceMeans,
    timeout: Duration,
}

/// How a fence is put up.
#[derive(Clone, Debug)]
pub(super) enum FenceMeans {
    /// By the server.
    Server(Fence),
    /// By programs of the operator: one stops the writers, one lets them go on.
    Programs(Box<(Program, Program)>),
}

impl FenceMeans {
    /// Whether nothing can be written behind the offset at which the fence was put up.
    pub(super) fn is_proof(&self) -> bool {
        matches!(self, Self::Server(Fence::ClientPause))
    }
}

impl std::fmt::Display for FenceMeans {
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
pub(super) fn lets_read(plan: &FenceMeans, version: ServerVersion) -> bool {
    !matches!(plan, FenceMeans::Server(Fence::ClientPause)) || version.has_redis((6, 2))
}

/// Fences the source for at most `timeout`. On an error nothing is fenced, or ends by itself within `timeout`.
pub(super) async fn fence(mut control: Control, plan: FenceMeans, timeout: Duration) -> Result<Fenced, String> {
    let text = |error: ControlError| error.to_string();
    let facts = crate::source::survey(&mut control).await.map_err(text)?;
    let version = facts.version.unwrap_or(ServerVersion::redis(2, 8, 0));
    let since = Instant::now();
    let facts = match &plan {
        FenceMeans::Server(fence) => {
            if let Some(reason) = refusal(fence, version) {
                return Err(reason);
            }
            server_fence(&mut control, fence, version, timeout).await.map_err(text)?
        }
        FenceMeans::Programs(programs) => {
            let ran = programs.0.clone().run().await;
            if let Some(failure) = ran.failure {
                return Err(format!("`{}` failed: {failure}", programs.0.name()));
            }
            Some(crate::source::survey(&mut control).await.map_err(text)?)
        }
    };
    let said = facts.and_then(|facts| Some((facts.repl_offset?, facts)));
    let (offset, facts) = said.ok_or("the source does not say its offset")?;
    tracing::info!(fence = %plan, offset = offset.0, "the source's writers are fenced off");
    Ok(Fenced { offset, facts, since, control, version, plan, timeout })
}

async fn server_fence(
    control: &mut Control,
    fence: &Fence,
    version: ServerVersion,
    timeout: Duration,
) -> Result<Option<SourceFacts>, ControlError> {
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
            transaction.add_command(SourceSetting::MinReplicas.set(NO_REPLICAS));
        }
        Fence::None | Fence::Hook(_) => {}
    }
    // All of it: it says which process this is.
    transaction.add_command(cmd("INFO"));
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
    Ok(Some(SourceFacts::of(Info::parse(&info))))
}

/// Whether a source is still what it was when it was fenced.
fn same(then: &SourceFacts, now: &SourceFacts) -> Result<(), String> {
    if now.run_id != then.run_id {
        return Err("another server, or another process, answers at the source's address".to_owned());
    }
    if now.role != then.role {
        return Err("the source has another role than when it was fenced".to_owned());
    }
    if now.replid != then.replid {
        return Err("the source goes by another history than when it was fenced".to_owned());
    }
    Ok(())
}

/// Whether writes are paused, where the server says so (`paused_actions` in `INFO clients`: Valkey 8.1 and later).
fn is_paused(info: &Info) -> Option<bool> {
    info.get("paused_actions").map(|paused| matches!(paused, "write" | "all"))
}

/// A server that is paused takes a connection and answers nothing: one that answers is another server, or is not paused any
/// more.
async fn knock(source: &Access) -> Result<(), String> {
    let late = |_| "the source does not take a connection any more".to_owned();
    let dialled = timeout(PATIENCE, source.link(Timeouts::default())).await.map_err(late)?;
    let text = |error: NetError| format!("the source could not be asked again before the seal: {error}");
    let mut stream = dialled.map_err(text)?;
    stream.write_all(b"PING\r\n").await.map_err(text)?;
    match timeout(KNOCK, stream.read(&mut [0; 64])).await {
        Err(_) => Ok(()),
        Ok(Err(error)) => Err(text(error)),
        Ok(Ok(0)) => Err("the source closed a connection before the seal".to_owned()),
        Ok(Ok(_)) => {
            Err("the source answers although it was paused: it is another server, or not paused any more".to_owned())
        }
    }
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

    /// Whether the fence holds up whoever asks something, this process too.
    pub(super) fn is_mute(&self) -> bool {
        !lets_read(&self.plan, self.version)
    }

    /// The source's offset now, in the history of the fence; `None` when it does not say.
    pub(super) async fn offset_now(&mut self) -> Option<Offset> {
        let facts = timeout(PATIENCE, crate::source::survey(&mut self.control)).await.ok()?.ok()?;
        same(&self.facts, &facts).ok()?;
        facts.repl_offset
    }

    /// Proves that the source is still the server that was fenced, in the same role and history, and still fenced. Answers
    /// where it stands; `None` where the fence holds up every question.
    pub(super) async fn prove(&mut self, source: &Access) -> Result<Option<Offset>, String> {
        if self.has_lapsed() {
            return Err("the pause of the writers has run out".to_owned());
        }
        if self.is_mute() {
            return knock(source).await.map(|()| None);
        }
        let text = |error: ControlError| format!("the source could not be asked again before the seal: {error}");
        // A connection of this moment: the address may lead to another server by now.
        let anew = async {
            let mut control = source.control().await?;
            crate::source::survey(&mut control).await
        };
        let asked = future::join(crate::source::survey(&mut self.control), anew);
        let late = |_| "the source did not answer before the seal".to_owned();
        let (fenced, now) = timeout(PATIENCE, asked).await.map_err(late)?;
        let (fenced, now) = (fenced.map_err(text)?, now.map_err(text)?);
        same(&self.facts, &fenced)?;
        same(&self.facts, &now)?;
        if self.is_proof() && is_paused(&now.info) == Some(false) {
            return Err("somebody has ended the pause of the writers".to_owned());
        }
        fenced.repl_offset.max(now.repl_offset).map(Some).ok_or_else(|| "the source does not say its offset".to_owned())
    }

    /// Lets writers go on. Answers when they do: at once, or after this long.
    pub(super) async fn lift(mut self) -> Result<Duration, String> {
        tracing::info!(fence = %self.plan, after_ms = self.since.elapsed().as_millis(), "the fence is lifted");
        match &self.plan {
            FenceMeans::Server(Fence::ClientPause) if self.version.has_redis((6, 2)) => {
                self.control.command(cmd("CLIENT").arg("UNPAUSE")).await.map_err(|error| error.to_string())?;
                Ok(Duration::ZERO)
            }
            // A pause cannot be shortened before 6.2.
            FenceMeans::Server(Fence::ClientPause) => Ok((self.timeout + MARGIN).saturating_sub(self.since.elapsed())),
            // The setting is put back with the others.
            FenceMeans::Server(_) => Ok(Duration::ZERO),
            FenceMeans::Programs(programs) => {
                let ran = programs.1.clone().run().await;
                ran.failure
                    .map_or(Ok(Duration::ZERO), |failure| Err(format!("`{}` failed: {failure}", programs.1.name())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> SourceFacts {
        SourceFacts::of(Info::parse(text))
    }

    #[test]
    fn a_pause_that_was_ended_is_seen_where_the_server_says_so() {
        let paused = |text: &str| is_paused(&Info::parse(text));
        assert_eq!(paused("paused_actions:write\r\n"), Some(true));
        assert_eq!(paused("paused_actions:all\r\n"), Some(true));
        assert_eq!(paused("paused_actions:none\r\n"), Some(false));
        assert_eq!(paused("blocked_clients:0\r\n"), None);
    }

    #[test]
    fn another_process_role_or_history_is_not_the_source_that_was_fenced() {
        let id = |digit: &str| digit.repeat(40);
        let said = |run: &str, role: &str, replid: &str| {
            facts(&format!("run_id:{}\r\nrole:{role}\r\nmaster_replid:{}\r\n", id(run), id(replid)))
        };
        let then = said("a", "master", "b");
        assert!(same(&then, &said("a", "master", "b")).is_ok());
        for now in [said("c", "master", "b"), said("a", "slave", "b"), said("a", "master", "c")] {
            assert!(same(&then, &now).is_err(), "{now:?}");
        }
    }
}
