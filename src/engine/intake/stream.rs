//! Receiving the stream, over as many connections as it takes.

use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};
use futures_util::future::{Either, select};

use super::{IntakeEvent, IntakeSetup, LinkState, StreamState, gather, getack::GetAck, room::Room};
use crate::{
    engine::ending::Ending,
    source::{Acks, Gap, Link, Resumed, SourceError},
    store::spool::{SpoolError, SpoolWriter},
    unit::UnixMillis,
};

/// The most of a segment.
pub(super) const SEGMENT: u64 = 16 << 20;
/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Buffers between the socket and the disk, 16 MiB: what a disk does not take at once need not wait at the source. They are
/// made as they are needed.
const BUFFERS: usize = 64;
/// How often the source hears how much was received.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// How often room in the spool is looked for.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(50);
/// Pauses before connecting again; the last one repeats.
const PAUSES: [Duration; 5] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500), ACK_EVERY];

/// Bytes that were received, how many of the buffer's, and when.
type StreamPiece = (Vec<u8>, usize, UnixMillis);

/// Where received bytes go.
struct Inlet<'a> {
    setup: &'a IntakeSetup,
    state: &'a StreamState,
    tell: &'a Sender<IntakeEvent>,
    full: Sender<StreamPiece>,
    to_fill: Receiver<Vec<u8>>,
}

/// Receives until the source cannot go on or something else fails; answers which.
pub(super) async fn follow(
    setup: &IntakeSetup,
    link: Option<Link>,
    writer: SpoolWriter,
    state: &StreamState,
    tell: &Sender<IntakeEvent>,
    written: Sender<()>,
) -> IntakeEvent {
    let (full, to_write) = bounded::<StreamPiece>(BUFFERS);
    let (empty, to_fill) = bounded::<Vec<u8>>(BUFFERS);
    let (failed, failure) = bounded(1);
    let place = setup.stream.as_ref().map(|place| place.folder.clone()).unwrap_or_default();
    let (level, telling) = (state.spool(), tell.clone());
    std::thread::spawn(move || {
        let room = Room { folder: &place, level: &level, tell: &telling, drains: true };
        if let Err(error) = write_all(writer, &room, &to_write, &empty) {
            let _ = failed.send_blocking(error);
        }
        // Dropped last: whoever waits for it finds everything written.
        drop(written);
    });
    let inlet = Inlet { setup, state, tell, full, to_fill };
    let ended = inlet.follow(link).await;
    state.set_link(LinkState::Down);
    match failure.recv().await {
        Ok(error) => IntakeEvent::Failed(Ending::from(error)),
        Err(_) => ended,
    }
}

impl Inlet<'_> {
    async fn follow(self, first: Option<Link>) -> IntakeEvent {
        let mut link = first;
        loop {
            let open = match link.take() {
                Some(open) => open,
                None => match self.reconnect().await {
                    Ok(open) => open,
                    Err(ended) => return ended,
                },
            };
            self.state.set_link(LinkState::Up);
            let lost = self.pump(open).await;
            self.state.set_link(LinkState::Down);
            let Some(lost) = lost else {
                return IntakeEvent::Failed(Ending::failed("the spool takes nothing any more"));
            };
            let _ = self.tell.send(IntakeEvent::LinkLost(lost)).await;
        }
    }

    /// Opens connections until the source goes on behind the last byte received, or says that it cannot.
    async fn reconnect(&self) -> Result<Link, IntakeEvent> {
        let mut last = String::new();
        for attempt in 0.. {
            let pause = PAUSES.get(attempt).or(PAUSES.last()).copied().unwrap_or(ACK_EVERY);
            async_std::task::sleep(pause).await;
            match self.resume().await {
                Ok(link) => return Ok(link),
                Err(ResumeFault::Told(told)) => return Err(told),
                Err(ResumeFault::NotNow(reason)) => {
                    if reason != last {
                        let _ = self.tell.send(IntakeEvent::Waiting(format!("source: {reason}"))).await;
                        last = reason;
                    }
                }
            }
        }
        Err(IntakeEvent::Failed(Ending::failed("the source was given up")))
    }

    async fn resume(&self) -> Result<Link, ResumeFault> {
        let Some((replid, offset)) = self.state.received() else {
            return Err(ResumeFault::Told(IntakeEvent::Failed(Ending::failed("there is no stream to continue"))));
        };
        let mut control = self.setup.source.control().await?;
        let facts = crate::source::survey(&mut control).await?;
        drop(control);
        let mut link = Link::open(&self.setup.source, &facts).await?;
        link.hold_thread();
        match link.resume(replid, offset).await? {
            Resumed::Continued { replid: renamed } => {
                let replid = renamed.unwrap_or(replid);
                let (noted, note) = bounded(1);
                let _ = self.tell.send(IntakeEvent::Following { replid, offset, noted }).await;
                // Under the old id the new history's bytes could not be gone on with after a crash.
                if note.recv().await.is_err() {
                    return Err(ResumeFault::Told(IntakeEvent::Failed(Ending::failed(
                        "the source's new id could not be noted",
                    ))));
                }
                self.state.rename(replid);
                Ok(link)
            }
            Resumed::Dump { replid: its, offset: at } => {
                Err(ResumeFault::Told(IntakeEvent::Gap(Gap::of(&facts, replid, offset, (its, at)))))
            }
        }
    }

    /// Reads one connection to its end; answers why it ended, `None` when nobody takes bytes any more.
    async fn pump(&self, mut link: Link) -> Option<String> {
        let acks = link.acks();
        let (nudge, nudged) = bounded(1);
        let reading = std::pin::pin!(self.read(&mut link, &nudge));
        let acknowledging = std::pin::pin!(self.acknowledge(acks, &nudged));
        match select(reading, acknowledging).await {
            Either::Left((ended, _)) => ended,
            Either::Right((error, _)) => Some(error.to_string()),
        }
    }

    async fn read(&self, link: &mut Link, nudge: &Sender<()>) -> Option<String> {
        let mut getack = GetAck::default();
        loop {
            // Bytes that are there already do not hold up what goes on beside this.
            async_std::task::yield_now().await;
            self.room().await;
            let mut buffer = self.to_fill.try_recv().unwrap_or_default();
            buffer.resize(CHUNK, 0);
            let count = match link.read_stream(&mut buffer).await {
                Ok(0) => return Some("the source closed the connection".to_owned()),
                Ok(count) => count,
                Err(error) => return Some(error.to_string()),
            };
            let asks = getack.seen(buffer.get(..count).unwrap_or_default());
            if self.full.send((buffer, count, UnixMillis::now())).await.is_err() {
                return None;
            }
            // Not before they are handed over: a connection that is given up while this waits leaves its bytes to be asked
            // for again.
            self.state.advance(count as u64);
            if asks {
                // One that is waiting will tell the newest offset as well.
                let _ = nudge.try_send(());
            } else {
                gather(count);
            }
            self.setup.bandwidth.pass(count as u64).await;
        }
    }

    /// Says how much was received, every second and when asked; ends only with the connection.
    async fn acknowledge(&self, mut acks: Acks, nudged: &Receiver<()>) -> SourceError {
        loop {
            if let Some((_, offset)) = self.state.received()
                && let Err(error) = acks.send(offset).await
            {
                return error;
            }
            let _ = async_std::future::timeout(ACK_EVERY, nudged.recv()).await;
        }
    }

    /// Waits while both spools together are at their bound.
    async fn room(&self) {
        let level = self.state.spool();
        let held = || self.setup.dump.level.held().saturating_add(level.held());
        let full = || held() >= self.setup.spool.0 && !level.is_waited_for();
        if !full() {
            return;
        }
        self.state.set_link(LinkState::Holding);
        let _ = self.tell.send(IntakeEvent::Holding(true)).await;
        while full() {
            async_std::task::sleep(LOOK_FOR_ROOM).await;
        }
        self.state.set_link(LinkState::Up);
        let _ = self.tell.send(IntakeEvent::Holding(false)).await;
    }
}

/// Why a connection does not go on.
enum ResumeFault {
    /// It may later.
    NotNow(String),
    /// It will not.
    Told(IntakeEvent),
}

impl From<SourceError> for ResumeFault {
    fn from(error: SourceError) -> Self {
        if error.retryable() { Self::NotNow(error.to_string()) } else { Self::Told(IntakeEvent::Failed(error.into())) }
    }
}

impl From<crate::net::ControlError> for ResumeFault {
    fn from(error: crate::net::ControlError) -> Self {
        if error.retryable() { Self::NotNow(error.to_string()) } else { Self::Told(IntakeEvent::Failed(error.into())) }
    }
}

fn write_all(
    mut writer: SpoolWriter,
    room: &Room<'_>,
    full: &Receiver<StreamPiece>,
    empty: &Sender<Vec<u8>>,
) -> Result<(), SpoolError> {
    while let Ok((buffer, count, at)) = full.recv_blocking() {
        if !room.wait(full)? {
            break;
        }
        writer.append(buffer.get(..count).unwrap_or_default(), at)?;
        let _ = empty.try_send(buffer);
    }
    writer.sync()
}
