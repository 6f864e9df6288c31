//! A network that fails on request: a relay on loopback in front of a server.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Cut,
    Stall,
    Flip,
    Hold,
}

/// What goes wrong, and where in a connection's bytes.
#[derive(Clone, Debug)]
pub struct Fault {
    direction: Direction,
    at: u64,
    act: Act,
    trigger: Vec<u8>,
    times: u32,
}

impl Fault {
    /// The connection breaks when this many bytes went that way.
    pub fn cut(direction: Direction, at: u64) -> Self {
        Self { direction, at, act: Act::Cut, trigger: vec![], times: 1 }
    }

    /// Nothing comes any more after this many bytes, and the connection stays open.
    pub fn stall(direction: Direction, at: u64) -> Self {
        Self { act: Act::Stall, ..Self::cut(direction, at) }
    }

    /// One bit of the byte at this offset is turned over.
    pub fn flip(direction: Direction, at: u64) -> Self {
        Self { act: Act::Flip, ..Self::cut(direction, at) }
    }

    /// This byte and what comes behind it arrive only when [`Proxy::release`] says so, whatever the client has done by then.
    pub fn hold(direction: Direction, at: u64) -> Self {
        Self { act: Act::Hold, ..Self::cut(direction, at) }
    }

    /// Only in a connection whose client sent these bytes, and counted from there: with `PSYNC` offset 0 is the first
    /// byte of its answer.
    pub fn once_sent(self, trigger: &str) -> Self {
        Self { trigger: trigger.as_bytes().to_vec(), ..self }
    }

    /// In so many connections; one when nothing is said.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

#[derive(Default)]
struct Shared {
    server: AtomicU16,
    fault: Mutex<Option<Fault>>,
    struck: AtomicU32,
    rate: AtomicU64,
    delay_ms: AtomicU64,
    stalled: AtomicBool,
    muted: AtomicBool,
    streams_held: AtomicBool,
    released: AtomicBool,
    closed: AtomicBool,
    to_server: AtomicU64,
    to_client: AtomicU64,
    accepted: AtomicU32,
    links: Mutex<Vec<TcpStream>>,
}

/// The relay. Dropping it closes every connection through it.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A relay to a port on loopback that changes nothing yet.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        shared.server.store(server, SeqCst);
        let inside = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if inside.closed.load(SeqCst) {
                    return;
                }
                inside.accepted.fetch_add(1, SeqCst);
                relay(&inside, &client.unwrap(), inside.server.load(SeqCst));
            }
        });
        Self { port, shared }
    }

    pub fn with(self, fault: Fault) -> Self {
        *self.shared.fault.lock().unwrap() = Some(fault);
        self
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// At most so many bytes a second each way and connection; 0 is without a limit.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.shared.rate.store(bytes_per_second, SeqCst);
    }

    /// Holds each piece back for so many milliseconds each way, as a long way does, before it passes it on.
    pub fn delay(&self, milliseconds: u64) {
        self.shared.delay_ms.store(milliseconds, SeqCst);
    }

    /// Holds every connection back, or lets all go on.
    pub fn stall(&self, stalled: bool) {
        self.shared.stalled.store(stalled, SeqCst);
    }

    /// Holds back what the server answers, or lets it go on.
    pub fn mute(&self, muted: bool) {
        self.shared.muted.store(muted, SeqCst);
    }

    /// Holds back what the server sends on connections that asked for its stream, or lets it go on.
    pub fn hold_streams(&self, held: bool) {
        self.shared.streams_held.store(held, SeqCst);
    }

    /// Lets through what [`Fault::hold`] holds.
    pub fn release(&self) {
        self.shared.released.store(true, SeqCst);
    }

    /// Leads new connections to another port on loopback, as a moved address does; to port 1, where nobody listens, it
    /// leads nowhere. Connections there are stay.
    pub fn point_at(&self, server: u16) {
        self.shared.server.store(server, SeqCst);
    }

    /// Breaks every connection there is now.
    pub fn cut(&self) {
        for link in self.shared.links.lock().unwrap().drain(..) {
            drop(link.shutdown(Shutdown::Both));
        }
    }

    /// How often the fault has happened.
    pub fn struck(&self) -> u32 {
        self.shared.struck.load(SeqCst)
    }

    /// Connections so far.
    pub fn accepted(&self) -> u32 {
        self.shared.accepted.load(SeqCst)
    }

    /// Bytes passed on so far.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.counter(direction).load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, SeqCst);
        self.stall(false);
        self.mute(false);
        self.hold_streams(false);
        self.cut();
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn counter(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    /// Takes one of the fault's times, when any is left.
    fn strike(&self, times: u32) -> bool {
        self.struck.fetch_update(SeqCst, SeqCst, |struck| (struck < times).then_some(struck + 1)).is_ok()
    }
}

fn relay(shared: &Arc<Shared>, client: &TcpStream, server: u16) {
    // A server that is not there looks to the client as it would without a relay, only a moment later.
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    shared.links.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
    let (armed, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let ends = [(client, &server, Direction::ToServer), (&server, client, Direction::ToClient)];
    for (from, to, direction) in ends {
        let (shared, armed, streams) = (Arc::clone(shared), Arc::clone(&armed), Arc::clone(&streams));
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let (shared, armed, streams) = (&shared, &armed, &streams);
            let mut pump = Pump { shared, armed, streams, direction, counted: 0, tail: vec![], done: false };
            pump.run(&from, &to);
            drop(from.shutdown(Shutdown::Both));
            drop(to.shutdown(Shutdown::Both));
        });
    }
}

/// One direction of one connection.
struct Pump<'a> {
    shared: &'a Shared,
    /// Whether the client of this connection has sent the trigger.
    armed: &'a AtomicBool,
    /// Whether the client of this connection has asked for the server's stream.
    streams: &'a AtomicBool,
    direction: Direction,
    /// Bytes that went this way since the trigger.
    counted: u64,
    /// The end of what the client sent, where a trigger may have begun.
    tail: Vec<u8>,
    /// The fault has happened here.
    done: bool,
}

impl Pump<'_> {
    fn run(&mut self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let rate = self.shared.rate.load(SeqCst);
            let step =
                if rate == 0 { buffer.len() } else { usize::try_from(rate / 50).unwrap().clamp(1, buffer.len()) };
            let Ok(count) = from.read(&mut buffer[..step]) else { return };
            if count == 0 {
                return;
            }
            let chunk = &mut buffer[..count];
            if self.direction == Direction::ToServer && chunk.windows(5).any(|word| word == b"PSYNC") {
                self.streams.store(true, SeqCst);
            }
            let passes = self.judge(chunk);
            thread::sleep(Duration::from_millis(self.shared.delay_ms.load(SeqCst)));
            self.wait_while_stalled();
            if to.write_all(&chunk[..passes]).is_err() {
                return;
            }
            self.shared.counter(self.direction).fetch_add(passes as u64, SeqCst);
            if passes < count {
                return;
            }
            if rate > 0 {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Does what the fault says to a chunk; gives how much of it goes on, less than all when the connection breaks.
    fn judge(&mut self, chunk: &mut [u8]) -> usize {
        let Some(fault) = self.shared.fault.lock().unwrap().clone() else { return chunk.len() };
        let counting_from = self.arm(&fault, chunk);
        if self.direction != fault.direction || self.done {
            return chunk.len();
        }
        let Some(counting_from) = counting_from else { return chunk.len() };
        let begin = self.counted;
        self.counted += (chunk.len() - counting_from) as u64;
        if !(begin..self.counted).contains(&fault.at) || !self.shared.strike(fault.times) {
            return chunk.len();
        }
        self.done = true;
        let place = counting_from + usize::try_from(fault.at - begin).unwrap();
        match fault.act {
            Act::Flip => {
                chunk[place] ^= 0x04;
                chunk.len()
            }
            Act::Cut => place,
            Act::Hold => {
                while !self.shared.closed.load(SeqCst) && !self.shared.released.load(SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
                chunk.len()
            }
            Act::Stall => {
                while !self.shared.closed.load(SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                }
                0
            }
        }
    }

    /// From which byte of the chunk on the fault counts; `None` when it does not yet.
    fn arm(&mut self, fault: &Fault, chunk: &[u8]) -> Option<usize> {
        if fault.trigger.is_empty() || self.armed.load(SeqCst) {
            return Some(0);
        }
        if self.direction == Direction::ToClient {
            return None;
        }
        let before = self.tail.len();
        self.tail.extend_from_slice(chunk);
        let found =
            self.tail.windows(fault.trigger.len()).position(|window| window.eq_ignore_ascii_case(&fault.trigger));
        let end = found.map(|start| start + fault.trigger.len() - before);
        let keep = self.tail.len().saturating_sub(fault.trigger.len() - 1);
        self.tail.drain(..keep);
        if end.is_some() {
            self.armed.store(true, SeqCst);
        }
        end
    }

    fn wait_while_stalled(&self) {
        let back = self.direction == Direction::ToClient;
        let muted = || back && self.shared.muted.load(SeqCst);
        let streams = || back && self.shared.streams_held.load(SeqCst) && self.streams.load(SeqCst);
        while (self.shared.stalled.load(SeqCst) || muted() || streams()) && !self.shared.closed.load(SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
