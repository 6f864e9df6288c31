//! What can happen to a run, to its servers and to the network between them.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::world::{OTHER, World};
use crate::{
    cmd,
    harness::{Proxy, Random, Reply, Server},
};

/// One of them; times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The tool is killed, and another process begins.
    Kill,
    Terminate,
    /// `plan pause`, and `plan resume`.
    Pause,
    StopTool,
    StopSource,
    StopDestination,
    StallSource,
    StallDestination,
    /// The destination answers nothing.
    MuteDestination,
    CutSource,
    CutDestination,
    /// Goes down in order and comes back with its data.
    SourceSaved,
    /// Comes back with the data of a moment ago.
    SourceOlder,
    SourceEmpty,
    /// A replica that has everything is promoted.
    SourcePromoted,
    /// A replica that lacks the last writes is promoted.
    SourceLost,
    DestinationSaved,
    DestinationOlder,
    DestinationEmpty,
    /// A replica of the destination that lacks the last writes is promoted.
    DestinationLost,
    /// Its memory is limited for a moment, and it may drop any key.
    Evict,
    /// Another application writes keys of its own at the destination.
    Others,
    /// A cutover that takes too long.
    CutoverLate,
    CutoverCancelled,
    /// The tool is killed while the source is fenced.
    CutoverKilled,
}

use Fault::{
    CutDestination, CutSource, CutoverCancelled, CutoverKilled, CutoverLate, DestinationEmpty, DestinationLost,
    DestinationOlder, DestinationSaved, Evict, Kill, MuteDestination, Others, Pause, SourceEmpty, SourceLost,
    SourceOlder, SourcePromoted, SourceSaved, StallDestination, StallSource, StopDestination, StopSource, StopTool,
    Terminate,
};

/// After which nothing may be lost and every run ends equal.
pub const HARMLESS: &[Fault] = &[
    Kill,
    Terminate,
    Pause,
    StopTool,
    StopSource,
    StopDestination,
    StallSource,
    StallDestination,
    MuteDestination,
    CutSource,
    CutDestination,
    SourceSaved,
    SourcePromoted,
    DestinationSaved,
    CutoverLate,
    CutoverCancelled,
    CutoverKilled,
];

/// After which a server lacks something, or has something more.
pub const HARMFUL: &[Fault] =
    &[SourceOlder, SourceEmpty, SourceLost, DestinationOlder, DestinationEmpty, DestinationLost, Evict, Others];

/// What can happen between the fence and the seal; what is there twice happens twice as often.
pub const FENCED: &[Fault] = &[
    SourcePromoted,
    SourcePromoted,
    SourcePromoted,
    SourceLost,
    SourceSaved,
    DestinationOlder,
    DestinationOlder,
    DestinationLost,
    DestinationEmpty,
    Evict,
    Kill,
    StopTool,
    StopSource,
    StopDestination,
    MuteDestination,
    StallDestination,
    CutSource,
    CutDestination,
];

impl Fault {
    pub fn of(faults: &[Self], random: &mut Random) -> Self {
        faults[usize::try_from(random.between(0, faults.len() as u64)).unwrap()]
    }

    /// Whether it is a cutover that is tried and undone.
    pub fn cuts_over(self) -> bool {
        matches!(self, CutoverLate | CutoverCancelled | CutoverKilled)
    }

    /// The codes of ends that this may lead to, beside those after which the same command is run again.
    pub fn ends(self) -> &'static [&'static str] {
        match self {
            SourceOlder | SourceLost | SourceEmpty => {
                &["R206", "R202", "R204", "R309", "R310", "R314", "R504", "R003", "R004"]
            }
            SourceSaved | SourcePromoted => &["R206", "R309", "R314", "R504", "R004"],
            DestinationOlder | DestinationLost => {
                &["R304", "R303", "R305", "R206", "R309", "R504", "R001", "R003", "R004", "R307", "R002"]
            }
            DestinationEmpty => &["R304", "R303", "R305", "R206", "R309", "R001", "R003", "R004", "R307", "R002"],
            Evict => &["R313", "R309", "R001", "R303", "R302", "R305", "R307", "R304", "R003", "R002"],
            Others => &["R305", "R001", "R002", "R206", "R309", "R003", "R004"],
            MuteDestination | StallDestination | StopDestination => &["R314", "R315"],
            StopTool | StopSource => &["R314"],
            _ => &[],
        }
    }

    /// Puts up what has to be there some time before.
    pub fn prepare(self, world: &mut World) {
        match self {
            SourceOlder => drop(world.source.client().exchange(&cmd!["SAVE"])),
            DestinationOlder => drop(world.destination.client().exchange(&cmd!["SAVE"])),
            SourceLost => {
                world.between.point_at(1);
                world.between.cut();
            }
            DestinationLost => world.spare = Some(spare(&world.destination)),
            _ => {}
        }
    }

    /// Whether it lasts for a time, and does something from then on.
    pub fn lasts(self) -> bool {
        matches!(self, StopTool | StopSource | StopDestination | StallSource | StallDestination | MuteDestination)
    }

    /// Begins or ends what lasts for a time.
    pub fn set(self, world: &World, on: bool) {
        let stop = |server: &Server| if on { server.pause() } else { server.resume() };
        match self {
            StopTool => signal(world, if on { Signal::STOP } else { Signal::CONT }),
            StopSource => stop(&world.source),
            StopDestination => stop(&world.destination),
            StallSource => world.from.stall(on),
            StallDestination => world.to.stall(on),
            MuteDestination => world.to.mute(on),
            _ => {}
        }
    }

    /// Lets it happen, and be over.
    pub fn strike(self, world: &mut World) {
        let wait = Duration::from_millis(world.random.between(50, 1200));
        if self.lasts() {
            self.set(world, true);
            thread::sleep(wait);
            return self.set(world, false);
        }
        match self {
            Kill => kill(world),
            Terminate => signal(world, Signal::TERM),
            Pause => {
                drop(world.tool.run(["pause", "move"]));
                thread::sleep(wait);
                drop(world.tool.run(["resume", "move"]));
            }
            CutSource => world.from.cut(),
            CutDestination => world.to.cut(),
            SourceSaved => world.source.restart_saved(),
            SourceOlder => {
                world.writers.log.excuse();
                world.source.restart();
                world.writers.log.excuse();
            }
            SourceEmpty => {
                world.source.kill9();
                forget(&world.source);
                world.source.restart();
                world.writers.log.excuse();
            }
            SourcePromoted => promote_with_everything(world),
            SourceLost => promote(world, true),
            DestinationSaved => world.destination.restart_saved(),
            DestinationOlder => {
                world.others.clear();
                world.destination.restart();
            }
            DestinationEmpty => {
                world.others.clear();
                world.destination.kill9();
                forget(&world.destination);
                world.destination.restart();
            }
            DestinationLost => promote_spare(world),
            Evict => evict(world),
            Others => write_others(world),
            CutoverLate | CutoverCancelled | CutoverKilled => try_cutover(self, world),
            _ => {}
        }
    }
}

fn signal(world: &World, signal: Signal) {
    if let Some(run) = &world.run {
        run.signal(signal);
    }
}

fn kill(world: &mut World) {
    if let Some(run) = world.run.take() {
        run.kill9();
    }
    world.begin();
}

fn forget(server: &Server) {
    drop(fs::remove_file(server.folder().join("dump.rdb")));
}

/// The writers rest until the replica has everything, as an operator's failover does it.
fn promote_with_everything(world: &mut World) {
    world.rest();
    if world.await_control() {
        promote(world, false);
    } else {
        world.history.note("the replica does not catch up");
    }
    world.writers.work();
}

/// The source dies, its replica takes its place, and the dead one becomes a replica.
fn promote(world: &mut World, loses: bool) {
    world.promotions += 1;
    world.source.kill9();
    std::mem::swap(&mut world.source, &mut world.control);
    world.source.client().command(&cmd!["SLAVEOF", "NO", "ONE"]);
    if loses {
        world.writers.log.excuse();
    }
    world.lead_to_source();
    forget(&world.control);
    world.control.restart();
    world.control.client().command(&cmd!["SLAVEOF", "127.0.0.1", world.between.port()]);
}

/// A replica of a server that has what is there now, and gets nothing more.
fn spare(server: &Server) -> (Server, Proxy) {
    let link = Proxy::to(server.port());
    let spare = Server::start(server.flavour.name);
    spare.client().command(&cmd!["SLAVEOF", "127.0.0.1", link.port()]);
    let since = Instant::now();
    let up = || {
        let info = spare.client().command(&cmd!["INFO", "replication"]);
        info.info("master_link_status") == Some("up")
    };
    while !up() && since.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(5));
    }
    link.point_at(1);
    link.cut();
    (spare, link)
}

fn promote_spare(world: &mut World) {
    let Some((spare, _)) = world.spare.take() else { return };
    spare.client().command(&cmd!["SLAVEOF", "NO", "ONE"]);
    world.others.clear();
    world.to.point_at(spare.port());
    world.to.cut();
    world.destination = spare;
}

fn evict(world: &mut World) {
    let mut client = world.destination.client();
    let number = |reply: &Reply, name: &str| reply.info(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let used = number(&client.reply(&cmd!["INFO", "memory"]), "used_memory");
    let before = number(&client.reply(&cmd!["INFO", "stats"]), "evicted_keys");
    client.reply(&cmd!["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    client.reply(&cmd!["CONFIG", "SET", "maxmemory", used - used / 20]);
    thread::sleep(Duration::from_millis(50));
    client.reply(&cmd!["PING"]);
    let after = number(&client.reply(&cmd!["INFO", "stats"]), "evicted_keys");
    client.reply(&cmd!["CONFIG", "SET", "maxmemory", 0]);
    client.reply(&cmd!["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    world.others.clear();
    world.history.note(format!("{} keys are evicted", after - before));
}

fn write_others(world: &mut World) {
    let mut client = world.destination.client();
    for _ in 0..world.random.between(1, 30) {
        let key = [OTHER, &world.random.word(8)].concat();
        let value = world.random.word(10);
        if !client.reply(&cmd!["SET", key, value]).is_error() {
            world.others.insert(key, value);
        }
    }
}

/// A cutover that is not meant to succeed.
fn try_cutover(fault: Fault, world: &mut World) {
    let folder = world.tool.folder().to_owned();
    drop(fs::remove_file(folder.join("fenced")));
    world.tool.write("hold", "");
    let order = world.tool.start(["cutover", "move", "--confirm", "move", "--timeout", "2s"]);
    let since = Instant::now();
    while !folder.join("fenced").exists() && since.elapsed() < Duration::from_secs(3) {
        thread::sleep(Duration::from_millis(5));
    }
    world.history.note(if folder.join("fenced").exists() { "it is fenced" } else { "it is not fenced" });
    match fault {
        CutoverCancelled => drop(world.tool.run(["cutover", "move", "--cancel"])),
        CutoverKilled => kill(world),
        _ => {}
    }
    let ended = order.wait();
    world.history.note(format!("the cutover ended with {:?}", ended.code()));
    drop(fs::remove_file(folder.join("hold")));
}
