//! Asking the source where it stands, once a second and when it matters.

use std::time::Duration;

use async_channel::Sender;
use async_std::task::{JoinHandle, sleep, spawn};

use super::{deadlines::OffsetSamples, signal::Signal};
use crate::{engine::run::Run, net::Control, unit::UnixMillis};

/// How often.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Asks until the source answers, for the first time after `pause`.
pub(super) fn stands(run: &Run, signals: Sender<Signal>, pause: Duration) -> JoinHandle<()> {
    let source = run.request.servers.source.clone();
    spawn(async move {
        sleep(pause).await;
        while !signals.is_closed() {
            if let Ok(mut control) = source.control().await
                && let Ok(facts) = crate::source::survey(&mut control).await
                && let Some(offset) = facts.repl_offset
            {
                let _ = signals.send(Signal::Stands(facts.replid, offset)).await;
                return;
            }
            sleep(EVERY).await;
        }
    })
}

/// Asks for as long as somebody listens.
pub(super) fn poll(run: &Run, signals: Sender<Signal>, told: OffsetSamples) -> JoinHandle<()> {
    let source = run.request.servers.source.clone();
    spawn(async move {
        let mut control: Option<Control> = None;
        while !signals.is_closed() {
            if control.is_none() {
                control = source.control().await.ok();
            }
            if let Some(open) = &mut control {
                let asked = UnixMillis::now();
                // All of it: before 4.0 a history goes by the id of the process.
                match crate::source::survey(open).await {
                    Ok(facts) => {
                        if let Some(offset) = facts.repl_offset {
                            told.note(asked, offset);
                        }
                        let _ = signals.send(Signal::Source(Box::new(facts), asked)).await;
                    }
                    Err(_) => control = None,
                }
            }
            sleep(EVERY).await;
        }
    })
}
