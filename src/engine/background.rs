//! What runs beside a step's loop and sends it signals: time, the heartbeat, the wish to stop.

use std::time::Duration;

use async_channel::Sender;
use async_std::task::{JoinHandle, block_on, sleep, spawn, spawn_blocking};

use super::run::Run;
use crate::{
    command::Info,
    net::Control,
    sink::{Lease, LeaseFault},
};

/// How often the heartbeat is renewed; it lasts for three of these.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// Runs `work`, which may hold its thread, on one where nothing else runs.
pub(super) fn own_thread<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) -> JoinHandle<()> {
    spawn_blocking(move || block_on(work()))
}

/// Sends a signal every so often.
pub(super) fn ticks<S: Send + 'static>(signals: Sender<S>, every: Duration, tick: fn() -> S) -> JoinHandle<()> {
    spawn(async move {
        while signals.send(tick()).await.is_ok() {
            sleep(every).await;
        }
    })
}

/// Sends a signal when somebody asks for a stop.
pub(super) fn stop<S: Send + 'static>(run: &Run, signals: Sender<S>, stopped: fn() -> S) -> JoinHandle<()> {
    let stop = run.request.stop.clone();
    spawn(async move {
        // Nothing is ever sent: the channel is closed when a stop is asked for.
        while stop.recv().await.is_ok() {}
        let _ = signals.send(stopped()).await;
    })
}

/// Ends such tasks at once: they have nothing to finish, and would end only when their time comes.
pub(super) async fn end(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.cancel().await;
    }
}

/// Keeps the lease; sends a signal when it is lost, and one each time it is kept where that is wanted, with what the
/// destination says of itself.
pub(super) fn heartbeat<S: Send + 'static>(
    run: &Run,
    lease: Lease,
    signals: Sender<S>,
    lost: fn(LeaseFault) -> S,
    kept: Option<fn(Info) -> S>,
) -> JoinHandle<()> {
    let destination = run.request.servers.destination.clone();
    spawn(async move {
        let mut control: Option<Control> = None;
        while !signals.is_closed() {
            if control.is_none() {
                control = destination.control().await.ok();
            }
            if let Some(open) = &mut control {
                // What the destination has lost is noticed long before the end.
                let renewed = match lease.renew(open).await {
                    Ok(()) => lease.look(open).await.map(|(_, info)| info),
                    Err(fault) => Err(fault),
                };
                match renewed {
                    Ok(info) => {
                        if let Some(kept) = kept {
                            let _ = signals.send(kept(info)).await;
                        }
                    }
                    // The lanes find out by themselves whether the destination is there.
                    Err(LeaseFault::Control(_)) => control = None,
                    Err(fault) => {
                        let _ = signals.send(lost(fault)).await;
                        return;
                    }
                }
            }
            sleep(HEARTBEAT_EVERY).await;
        }
    })
}
