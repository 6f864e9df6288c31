//! What processes and servers have used.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    cmd,
    harness::{Client, Server},
};

/// CPU seconds of a process, user and system: fields 14 and 15 of `/proc/PID/stat` (proc(5)), in ticks of 10 ms.
pub fn process_cpu(process: &str) -> f64 {
    ticks(process, 11)
}

/// CPU seconds of this process' children that have ended and were waited for: fields 16 and 17.
pub fn children_cpu() -> f64 {
    ticks("self", 13)
}

fn ticks(process: &str, from: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name before it may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    fields[from..from + 2].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// CPU seconds a server has used, without its children.
pub fn server_cpu(client: &mut Client) -> f64 {
    let info = client.command(&cmd!["INFO", "cpu"]);
    ["used_cpu_user", "used_cpu_sys"].iter().map(|name| info.info(name).unwrap().parse::<f64>().unwrap()).sum()
}

/// Bytes that a server holds.
pub fn server_memory(client: &mut Client) -> u64 {
    client.command(&cmd!["INFO", "memory"]).info("used_memory").unwrap().parse().unwrap()
}

/// Keys of all databases.
pub fn keys(client: &mut Client) -> u64 {
    let info = client.command(&cmd!["INFO", "keyspace"]);
    let counts =
        info.text().lines().filter_map(|line| line.split_once("keys=")?.1.split(',').next()?.parse::<u64>().ok());
    counts.sum()
}

/// Waits for something to become true.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(10);
    while !is() {
        assert!(Instant::now() < deadline, "not within ten minutes: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The most that a server holds for those who follow it, looked at every 20 ms.
pub struct Buffers {
    watching: Arc<AtomicBool>,
    most: JoinHandle<u64>,
}

impl Buffers {
    pub fn watch(source: &Server) -> Self {
        let watching = Arc::new(AtomicBool::new(true));
        let (mut client, going) = (source.client(), Arc::clone(&watching));
        let most = thread::spawn(move || {
            let mut most = 0;
            while going.load(SeqCst) {
                most = most.max(held(client.command(&cmd!["CLIENT", "LIST"]).text()));
                thread::sleep(Duration::from_millis(20));
            }
            most
        });
        Self { watching, most }
    }

    pub fn most(self) -> f64 {
        self.watching.store(false, SeqCst);
        mebibytes(self.most.join().unwrap())
    }
}

/// Output buffers of all replicas in a `CLIENT LIST`.
fn held(list: &str) -> u64 {
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned).unwrap_or_default()
    };
    let replicas = list.lines().filter(|line| field(line, "flags=").contains('S'));
    replicas.map(|line| field(line, "omem=").parse::<u64>().unwrap()).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn float(count: u64) -> f64 {
    count as f64
}
