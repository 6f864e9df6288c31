//! The built `plan` program, run as a user runs it.

use std::{
    fmt, fs,
    io::Read,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command as Process, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A folder to work in, and the surroundings a run gets: nothing but what is set here.
pub struct Tool {
    folder: TempDir,
    environment: Vec<(String, String)>,
    limit: Duration,
}

/// A run that goes on. Dropping it kills it.
pub struct Running {
    arguments: String,
    process: Option<Child>,
    started: Instant,
    limit: Duration,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    peak: Option<JoinHandle<u64>>,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    arguments: String,
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// Greatest resident memory, in bytes, looked at every 5 ms.
    pub peak_memory: u64,
    pub took: Duration,
}

impl Tool {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("redis-plan-").unwrap();
        Self { folder, environment: vec![], limit: Duration::from_mins(1) }
    }

    /// Where it runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long a run may take before the test fails; a minute when nothing is said.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The clock of its host is wrong by so many seconds.
    pub fn clock_ahead(self, seconds: i64) -> Self {
        let library = super::server::other_host(self.folder());
        self.env("LD_PRELOAD", library.to_str().unwrap()).env("CLOCK_AHEAD", &seconds.to_string())
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a program for `sh` into the folder.
    pub fn script(&self, name: &str, text: &str) {
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs to the end.
    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Finished {
        self.start(arguments).wait()
    }

    /// Starts and leaves it running.
    pub fn start<const N: usize>(&self, arguments: [&str; N]) -> Running {
        let mut process = Process::new(env!("CARGO_BIN_EXE_plan"));
        process.args(arguments).current_dir(self.folder()).env_clear();
        process.envs(self.environment.iter().map(|(name, value)| (name, value)));
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let peak = sample_memory(process.id());
        Running {
            arguments: arguments.join(" "),
            started: Instant::now(),
            limit: self.limit,
            stdout: Some(read_all(process.stdout.take().unwrap())),
            stderr: Some(read_all(process.stderr.take().unwrap())),
            peak: Some(peak),
            process: Some(process),
        }
    }
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub fn kill9(self) -> Finished {
        self.signal(Signal::KILL);
        self.wait()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().unwrap()), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Waits for its end; one that takes too long is killed and fails the test with its output.
    pub fn wait(mut self) -> Finished {
        let mut late = false;
        while self.is_running() {
            if !late && self.started.elapsed() > self.limit {
                late = true;
                self.signal(Signal::KILL);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let text = |reader: Option<JoinHandle<Vec<u8>>>| String::from_utf8(reader.unwrap().join().unwrap()).unwrap();
        let finished = Finished {
            arguments: self.arguments.clone(),
            status: self.process.as_mut().unwrap().wait().unwrap(),
            took: self.started.elapsed(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
            peak_memory: self.peak.take().unwrap().join().unwrap(),
        };
        assert!(!late, "killed after {:?}:\n{finished}", self.limit);
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Finished {
    /// Its exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// It must have ended with this code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// It must have named this page for how it ended.
    pub fn because(self, code: &str) -> Self {
        self.says(&format!("`plan explain {code}` says more"))
    }

    /// What it said must contain this, on either stream.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "nowhere {text:?}:\n{self}");
        self
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arguments, status, took, stdout, stderr, .. } = self;
        writeln!(formatter, "plan {arguments}: {status} after {took:?}")?;
        write!(formatter, "--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = vec![];
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Follows the highest resident size the system has seen, in bytes, until the process is gone.
fn sample_memory(process: u32) -> JoinHandle<u64> {
    let status = format!("/proc/{process}/status");
    thread::spawn(move || {
        let mut peak = 0;
        while let Some(kib) = fs::read_to_string(&status).ok().and_then(|text| high_water(&text)) {
            peak = kib * 1024;
            thread::sleep(Duration::from_millis(5));
        }
        peak
    })
}

/// The `VmHWM` line in KiB; a process that has ended has none.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
