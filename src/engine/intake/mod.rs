//! Taking in what the source sends: its dump, then its stream, each into its spool. Runs beside the steps from the first
//! dump to the end of following, and never waits for the destination, only for the spool's bound.
//!
//! A connection that breaks during the stream is opened again and goes on behind the last byte received. Where the source
//! cannot go on there, the intake says why and ends: what comes next is the run's to decide.

mod dump;
mod getack;
mod room;
mod state;
mod stream;
mod told;

use std::{path::Path, pin::pin, time::Duration};

use async_channel::{Receiver, Sender, bounded};
use futures_util::future::select;

pub(super) use state::{LinkState, StreamState};
pub(super) use told::IntakeEvent;

use super::{ending::Ending, pace::Throttle, run::Run, teller::Teller};
use crate::{
    journal::Record,
    net::Access,
    plan::fault::catalogue::runs,
    source::Link,
    step::{Event, StepId},
    store::spool::{Disk, SpoolLevel, SpoolWriter, Stored, remove_all, stored},
    unit::{ByteSize, Offset, ReplId},
};

/// Buffers between the socket and the disk: a disk that stalls for a moment does not stall the socket.
const BUFFERS: usize = 8;

/// Bytes below which a piece is a small one.
const SMALL: usize = 64 << 10;
/// How long the next piece is left to grow behind a small one. Every piece wakes threads from here to the destination, and
/// they cost more than its bytes.
const GROWS: Duration = Duration::from_millis(1);

/// What taking in needs.
#[derive(Clone)]
pub(super) struct IntakeSetup {
    pub(super) source: Access,
    pub(super) bandwidth: Throttle,
    /// The bound on both spools together.
    pub(super) spool: ByteSize,
    pub(super) dump: DumpPlace,
    /// Where the stream goes; `None` when the dump is all that is wanted.
    pub(super) stream: Option<StreamPlace>,
}

/// Where a dump is spooled.
#[derive(Clone)]
pub(super) struct DumpPlace {
    pub(super) folder: std::path::PathBuf,
    pub(super) tag: u64,
    pub(super) level: SpoolLevel,
    /// Whether segments are removed while receiving goes on, so that waiting for room makes sense.
    pub(super) drains: bool,
}

/// Where a stream is spooled.
#[derive(Clone)]
pub(super) struct StreamPlace {
    pub(super) folder: std::path::PathBuf,
    pub(super) tag: u64,
}

/// How long the segments of a spool in `folder` with this bound are, at `most`: several must fit into it and onto the disk, since
/// only whole ones that are not the last are removed.
fn segment(folder: &Path, bound: ByteSize, most: u64) -> u64 {
    let existing = folder.ancestors().find(|folder| folder.is_dir());
    let disk = existing.and_then(Disk::of).map_or(bound, |disk| ByteSize(disk.free.0.saturating_sub(disk.kept.0)));
    (bound.min(disk).0 / 4).clamp(64 << 10, most)
}

/// Taking in under way.
pub(super) struct Intake {
    /// What happens, in order.
    pub(super) told: Receiver<IntakeEvent>,
    /// How the stream stands.
    pub(super) state: StreamState,
    /// Dropped to end it.
    going: Sender<()>,
    writing: Receiver<()>,
}

impl Intake {
    /// Requests a dump, and the stream behind it if it is wanted.
    pub(super) fn of_dump(setup: IntakeSetup) -> Self {
        let state = StreamState::new();
        let (tell, told) = bounded(4096);
        let (written, writing) = bounded(1);
        let going = on_its_own_thread({
            let state = state.clone();
            async move {
                let received = dump::receive(&setup, &tell).await;
                let next = match (&received, &setup.stream) {
                    (Ok(dump), Some(place)) => dump.history.map(|(replid, offset)| {
                        // Before the dump is told to be whole: whoever hears that may ask how the stream stands.
                        state.begin(replid, offset);
                        (offset, place.clone(), state.level(offset))
                    }),
                    _ => None,
                };
                let (length, link) = match received {
                    Ok(dump) => (Ok(dump.length), Some(dump.link)),
                    Err(ending) => (Err(ending), None),
                };
                let _ = tell.send(IntakeEvent::DumpReceived(length)).await;
                let bound = setup.spool;
                if let Some((offset, place, level)) = next {
                    let writer = SpoolWriter::create(
                        &place.folder,
                        place.tag,
                        offset.0,
                        segment(&place.folder, bound, stream::SEGMENT),
                        level,
                    );
                    follow(setup, link, writer.map_err(Ending::from), (state, tell, written)).await;
                }
            }
        });
        Self { told, state, going, writing }
    }

    /// Goes on with a stream behind `offset` of history `replid`, which is where its spool ends; a spool that is not there
    /// begins there.
    pub(super) fn of_stream(
        setup: IntakeSetup,
        place: &StreamPlace,
        replid: ReplId,
        (begin, offset): (Offset, Offset),
    ) -> Self {
        let state = StreamState::new();
        state.begin(replid, offset);
        let (tell, told) = bounded(4096);
        let (written, writing) = bounded(1);
        let (level, bytes) = (state.level_between(begin, offset), segment(&place.folder, setup.spool, stream::SEGMENT));
        let writer = match SpoolWriter::go_on(&place.folder, place.tag, bytes, level.clone()) {
            Ok(Some(writer)) if writer.position() == offset.0 => Ok(writer),
            Ok(_) => SpoolWriter::create(&place.folder, place.tag, offset.0, bytes, level),
            Err(error) => Err(error),
        };
        let going =
            on_its_own_thread(follow(setup, None, writer.map_err(Ending::from), (state.clone(), tell, written)));
        Self { told, state, going, writing }
    }

    /// Ends taking in; what was received is in the spool when this returns.
    pub(super) async fn end(self) {
        drop(self.going);
        // Ends when the thread that writes does.
        let _ = self.writing.recv().await;
        self.state.end();
    }
}

/// Goes on with a stream so that everything behind `needed` comes: from where its spool ends, or, when that does not hold
/// what is needed, from there.
pub(super) fn resume(setup: IntakeSetup, replid: ReplId, needed: Offset) -> Result<Intake, Ending> {
    let Some(place) = setup.stream.clone() else { return Err(Ending::failed("the stream has no spool")) };
    let reaches = |stored: &Stored| (stored.begin..=stored.end).contains(&needed.0);
    let span = if let Some(stored) = stored(&place.folder, place.tag)?.filter(reaches) {
        (Offset(stored.begin), Offset(stored.end))
    } else {
        remove_all(&place.folder)?;
        (needed, needed)
    };
    Ok(Intake::of_stream(setup, &place, replid, span))
}

/// Tells what happened while the stream is taken in, and notes it.
pub(super) fn tell(told: IntakeEvent, step: StepId, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
    match told {
        IntakeEvent::Waiting(reason) => teller.tell(Event::Waiting { step, reason }),
        IntakeEvent::Following { replid, offset, noted } => {
            let dump = run.journal.state().dump.as_ref();
            if let Some(generation) = dump.filter(|dump| dump.replid != Some(replid)).map(|dump| dump.generation) {
                run.journal.append(&Record::Renamed { generation, replid })?;
            }
            let _ = noted.try_send(());
            teller.tell(Event::LinkRestored { replid: Some(replid), offset });
        }
        IntakeEvent::LinkLost(reason) => teller.tell(Event::LinkLost { reason }),
        IntakeEvent::Holding(true) => teller.tell(Event::Waiting {
            step,
            reason: format!(
                "the spool holds {}, the bound of `limits.spool`: the source is not read until there is room",
                run.spool_bound()
            ),
        }),
        IntakeEvent::Holding(false) => teller.notice("There is room in the spool again: the source is read again."),
        IntakeEvent::Gap(gap) => return Err(Ending::anew(&runs::STREAM_LOST, gap.to_string())),
        IntakeEvent::Failed(ending) => return Err(ending),
        IntakeEvent::Header { .. } | IntakeEvent::DumpReceived(_) => {}
    }
    Ok(())
}

/// Leaves what comes next in the socket for a moment if `count` bytes, which are handed over, were few. The first bytes
/// after a silence are never held up by it. Holds the intake's own thread: a timer would wake others.
fn gather(count: usize) {
    if count < SMALL {
        std::thread::sleep(GROWS);
    }
}

/// Runs `taking_in` on a thread of its own, so that nothing else that the tool does holds up the source, until what it
/// answers is dropped.
fn on_its_own_thread(taking_in: impl Future<Output = ()> + Send + 'static) -> Sender<()> {
    let (going, gone) = bounded::<()>(1);
    std::thread::spawn(move || {
        async_std::task::block_on(async move {
            let _ = select(pin!(taking_in), pin!(gone.recv())).await;
        });
    });
    going
}

async fn follow(
    setup: IntakeSetup,
    link: Option<Link>,
    writer: Result<SpoolWriter, Ending>,
    (state, tell, written): (StreamState, Sender<IntakeEvent>, Sender<()>),
) {
    let ended = match writer {
        Ok(writer) => stream::follow(&setup, link, writer, &state, &tell, written).await,
        Err(ending) => IntakeEvent::Failed(ending),
    };
    let _ = tell.send(ended).await;
}
