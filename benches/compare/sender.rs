//! Sending ready-made commands as fast as a server takes them, in a process of its own: the least that anybody has to do.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use super::meter::{children_cpu, mebibytes};

/// The word that makes this program the sender.
pub const WORD: &str = "--send";

/// What is answered to the last command.
const END: &[u8] = b"\r\nthat-was-the-last-of-them\r\n";

/// What sending took.
pub struct Sent {
    pub wall: f64,
    pub cpu: f64,
    pub memory: f64,
}

/// Sends a file to a port from a process of its own.
pub fn send_file(file: &Path, port: u16) -> Sent {
    let before = children_cpu();
    let begun = Instant::now();
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.arg(WORD).arg(file).arg(port.to_string()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = process.output().unwrap();
    assert!(output.status.success(), "the sender ended with {}", output.status);
    let wall = begun.elapsed().as_secs_f64();
    let kib: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    Sent { wall, cpu: children_cpu() - before, memory: mebibytes(kib << 10) }
}

/// Sends a file with `redis-cli --pipe`; `None` where there is none.
pub fn pipe_file(file: &Path, port: u16) -> Option<Sent> {
    let before = children_cpu();
    let begun = Instant::now();
    let mut process = Command::new("redis-cli");
    process.args(["-p", &port.to_string(), "--pipe"]).stdin(File::open(file).unwrap());
    let output = process.output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("errors: 0,"), "redis-cli: {text}");
    Some(Sent { wall: begun.elapsed().as_secs_f64(), cpu: children_cpu() - before, memory: f64::NAN })
}

/// The sender's own process: sends the file, prints the most memory it had, in KiB.
pub fn main(file: &str, port: &str) {
    send(File::open(file).unwrap(), port.parse().unwrap());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{}", line.trim().trim_end_matches(" kB"));
}

/// Sends everything and returns when all of it was answered; an error among the answers ends the program.
pub fn send(mut commands: impl Read, port: u16) {
    let mut link = TcpStream::connect(("127.0.0.1", port)).unwrap();
    link.set_nodelay(true).unwrap();
    let answers = link.try_clone().unwrap();
    let reading = thread::spawn(move || read_answers(answers));
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = commands.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        link.write_all(&buffer[..count]).unwrap();
    }
    let mut last = vec![];
    super::data::words(&mut last, &[b"ECHO", &END[2..END.len() - 2]]);
    link.write_all(&last).unwrap();
    reading.join().unwrap();
}

fn read_answers(mut answers: TcpStream) {
    let error = memchr::memmem::Finder::new(b"\n-");
    let mut buffer = vec![0; 1 << 16];
    // What came before stays in front, so that nothing is cut in two; the first answer stands behind a line's end as well.
    let mut held = 1;
    buffer[0] = b'\n';
    loop {
        let count = answers.read(&mut buffer[held..]).unwrap();
        assert!(count > 0, "the server closed the connection");
        let bytes = &buffer[..held + count];
        if let Some(at) = error.find(bytes) {
            panic!("refused: {}", bytes[at..].escape_ascii());
        }
        if bytes.ends_with(END) {
            return;
        }
        let from = bytes.len().saturating_sub(END.len());
        held = bytes.len() - from;
        buffer.copy_within(from..from + held, 0);
    }
}
