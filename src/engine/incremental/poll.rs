//! Asking the source where it stands, once a second and when it matters.

use std::time::Duration;

use async_channel::Sender;
use async_std::task::{JoinHandle, sleep, spawn};

use super::{deadlines::Told, follow::Signal};
use crate::{
    engine::{run::Run, servers},
    net::Control,
    source::SourceFacts,
    unit::UnixMillis,
};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Asks until the source answers.
pub(super) fn stands(run: &Run, signals: Sender<Signal>) -> JoinHandle<()> {
    let (endpoint, secret) = (run.request.graph.source.clone(), run.request.passwords.source.clone());
    spawn(async move {
        while !signals.is_closed() {
            if let Ok(mut control) = servers::connect(&endpoint, secret.as_ref()).await
                && let Ok(facts) = crate::source::survey(&mut control).await
                && let Some(offset) = facts.repl_offset
            {
                let _ = signals.send(Signal::Stands(offset)).await;
                return;
            }
            sleep(EVERY).await;
        }
    })
}

/// Asks for as long as somebody listens.
pub(super) fn poll(run: &Run, signals: Sender<Signal>, told: Told) -> JoinHandle<()> {
    let (endpoint, secret) = (run.request.graph.source.clone(), run.request.passwords.source.clone());
    spawn(async move {
        let mut control: Option<Control> = None;
        while !signals.is_closed() {
            if control.is_none() {
                control = servers::connect(&endpoint, secret.as_ref()).await.ok();
            }
            if let Some(open) = &mut control {
                let asked = UnixMillis::now();
                match open.info(Some("replication")).await {
                    Ok(info) => {
                        let facts = SourceFacts::of(crate::command::Info::parse(&info));
                        if let Some(offset) = facts.repl_offset {
                            told.note(asked, offset);
                        }
                        let _ = signals.send(Signal::Source(Box::new(facts))).await;
                    }
                    Err(_) => control = None,
                }
            }
            sleep(EVERY).await;
        }
    })
}
