//! A real server of one's own, on loopback, gone with the test.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Authority, Client, Flavour, Issued, Random};
use crate::cmd;

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(30);

/// What is to be started; see [`Server::of`].
pub struct Builder {
    flavour: Flavour,
    arguments: Vec<String>,
    password: Option<String>,
    encrypted: bool,
    host: Vec<(&'static str, String)>,
}

/// A running server. Dropping it kills it and removes its files.
pub struct Server {
    pub flavour: Flavour,
    port: u16,
    tls_port: Option<u16>,
    folder: TempDir,
    arguments: Vec<String>,
    password: Option<String>,
    host: Vec<(&'static str, String)>,
    process: Child,
}

impl Server {
    /// A server by name, such as `redis-5.0.10`.
    pub fn of(name: &str) -> Builder {
        Builder { flavour: Flavour::of(name), arguments: vec![], password: None, encrypted: false, host: vec![] }
    }

    /// A plain one, started.
    pub fn start(name: &str) -> Self {
        Self::of(name).start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port on which it speaks TLS; see [`Builder::tls`].
    pub fn tls_port(&self) -> u16 {
        self.tls_port.unwrap()
    }

    /// Its own folder, where it saves its dump.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection, logged in.
    pub fn client(&self) -> Client {
        let mut client = Client::connect(self.port).unwrap();
        if let Some(password) = &self.password {
            client.command(&cmd!["AUTH", password]);
        }
        client
    }

    pub fn log(&self) -> String {
        read_log(self.folder())
    }

    /// Ends it as a power cut would.
    pub fn kill9(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Kills it when it runs, starts it again on the same port with the same files.
    pub fn restart(&mut self) {
        self.kill9();
        self.process = spawn(self.flavour, self.port, self.folder(), &self.arguments, &self.host);
        let ready = wait_ready(&mut self.process, self.port, self.folder.path(), self.password.as_deref());
        assert!(ready, "port {} is taken by somebody else now", self.port);
    }

    /// Ends it in order, its data saved, and starts it again.
    pub fn restart_saved(&mut self) {
        drop(self.client().exchange(&cmd!["SHUTDOWN", "SAVE"]));
        let deadline = Instant::now() + START;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
        self.restart();
    }

    /// Stops it without closing a connection, until [`Self::resume`].
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.process), Signal::STOP).unwrap();
    }

    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.process), Signal::CONT).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Builder {
    /// Adds an option and its value: `.arg("--maxmemory", "10mb")`.
    pub fn arg(mut self, option: &str, value: &str) -> Self {
        self.arguments.extend([option.to_owned(), value.to_owned()]);
        self
    }

    /// Adds an option with several values: `.args(["--rename-command", "PSYNC", ""])`.
    pub fn args<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.arguments.extend(words.map(str::to_owned));
        self
    }

    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.arg("--requirepass", password)
    }

    /// Speaks TLS on a port of its own, with this certificate; `clients` is its `tls-auth-clients`, by this authority.
    pub fn tls(self, certificate: &Issued, clients: &str, authority: &Authority) -> Self {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let builder = Self { encrypted: true, ..self }
            .arg("--tls-cert-file", &path(&certificate.cert))
            .arg("--tls-key-file", &path(&certificate.key));
        builder.arg("--tls-ca-cert-file", &path(&authority.ca())).arg("--tls-auth-clients", clients)
    }

    /// Follows another server.
    pub fn replica_of(self, port: u16) -> Self {
        self.args(["--slaveof", "127.0.0.1", &port.to_string()])
    }

    /// Its host's clock is wrong by so many seconds.
    pub fn clock_ahead(mut self, seconds: i64) -> Self {
        self.host.push(("CLOCK_AHEAD", seconds.to_string()));
        self
    }

    /// Its host has so little memory.
    pub fn host_memory(mut self, megabytes: u32) -> Self {
        self.host.push(("HOST_MEMORY", megabytes.to_string()));
        self
    }

    /// It is a Sentinel, which holds no data.
    pub fn sentinel(self) -> Self {
        self.args(["--sentinel"])
    }

    /// Starts it; returns when it answers PING.
    pub fn start(self) -> Server {
        loop {
            let folder = TempDir::with_prefix("redis-plan-").unwrap();
            let port = free_port();
            let tls_port = self.encrypted.then(free_port);
            let mut arguments = self.arguments.clone();
            arguments.extend(tls_port.into_iter().flat_map(|port| ["--tls-port".to_owned(), port.to_string()]));
            let mut process = spawn(self.flavour, port, folder.path(), &arguments, &self.host);
            if wait_ready(&mut process, port, folder.path(), self.password.as_deref()) {
                let Self { flavour, password, host, .. } = self;
                return Server { flavour, port, tls_port, folder, arguments, password, host, process };
            }
        }
    }
}

/// A port nobody listens on at this moment, below those the system gives to outgoing connections. Whoever else finds the
/// same one before the server binds it makes the server end with "in use", and then another one is tried.
pub fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut random =
        Random::seeded(u64::from(std::process::id()) << 32 | u64::from(COUNT.fetch_add(1, Ordering::Relaxed)));
    loop {
        let port = u16::try_from(random.between(12_000, 32_000)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn spawn(flavour: Flavour, port: u16, folder: &Path, arguments: &[String], host: &[(&'static str, String)]) -> Child {
    let mut process = Process::new(flavour.program());
    let sentinel = arguments.iter().any(|argument| argument == "--sentinel");
    if sentinel {
        // It writes what it finds out into its configuration, and takes no settings of a dataset.
        let file = folder.join("sentinel.conf");
        File::create(&file).unwrap();
        process.arg(file);
    }
    process
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--logfile", "server.log"])
        .arg("--dir")
        .arg(folder);
    if !sentinel {
        process.args(["--save", "", "--databases", "16"]);
    }
    if flavour.has_diskless_delay() && !sentinel {
        process.args(["--repl-diskless-sync-delay", "0"]);
    }
    if flavour.guards_debug() && !sentinel {
        process.args(["--enable-debug-command", "yes"]);
    }
    if !host.is_empty() {
        process.env("LD_PRELOAD", other_host(folder)).envs(host.iter().cloned());
    }
    let output = File::create(folder.join("output.log")).unwrap();
    process.args(arguments).current_dir(folder).stdin(Stdio::null());
    process.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap()
}

/// Builds what makes a host another one; the compiler is the one that links these tests.
pub(super) fn other_host(folder: &Path) -> PathBuf {
    let library = folder.join("host.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/harness/host.c");
    let mut compiler = Process::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    let built = compiler.status().unwrap();
    assert!(built.success(), "cc: {built}");
    library
}

/// Waits until the process answers PING itself; `false` when its port is somebody else's.
fn wait_ready(process: &mut Child, port: u16, folder: &Path, password: Option<&str>) -> bool {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if let Some(status) = process.try_wait().unwrap() {
            let log = read_log(folder);
            assert!(log.contains("Address already in use"), "the server ended with {status}:\n{log}");
            return false;
        }
        if answers(process.id(), port, password) {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    drop(process.kill());
    panic!("the server does not answer within {START:?}:\n{}", read_log(folder));
}

/// Whether the server with this process id answers on the port and has loaded its data.
fn answers(process: u32, port: u16, password: Option<&str>) -> bool {
    let Ok(mut client) = Client::connect(port) else { return false };
    if password.is_some_and(|password| client.exchange(&cmd!["AUTH", password]).is_err()) {
        return false;
    }
    let pong = client.exchange(&cmd!["PING"]);
    let info = client.exchange(&cmd!["INFO", "server"]);
    let itself = info.is_ok_and(|info| !info.is_error() && info.info("process_id") == Some(&process.to_string()));
    itself && pong.is_ok_and(|pong| !pong.is_error())
}

fn read_log(folder: &Path) -> String {
    let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
    let all = [read("output.log"), read("server.log")].concat();
    String::from_utf8_lossy(&all).into_owned()
}
