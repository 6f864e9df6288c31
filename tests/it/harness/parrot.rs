//! A server that says back what it is told, as a peer does that is not what it should be.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
};

/// How it says things back.
#[derive(Clone, Copy, Debug)]
pub enum Parrot {
    /// Every byte as it came, as the echo service does.
    Echo,
    /// `-WRONGPASS` with the password behind it.
    WrongPassword,
    /// An error that begins with the password.
    Bare,
    /// An error with the password's bytes in decimal.
    Decimal,
    /// The password in a bulk string.
    Bulk,
    /// It lets everybody in, and repeats the password in every later refusal, behind this text.
    Later(&'static str),
    /// It lets everybody in, and calls itself by the password.
    Name,
}

/// The server while it listens. Dropping it closes it.
pub struct Peer {
    port: u16,
    closed: Arc<AtomicBool>,
    heard: Arc<AtomicU32>,
}

impl Parrot {
    /// Begins to listen.
    pub fn start(self) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (closed, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let peer = Peer { port, closed: Arc::clone(&closed), heard: Arc::clone(&heard) };
        thread::spawn(move || {
            for link in listener.incoming() {
                if closed.load(SeqCst) {
                    return;
                }
                let heard = Arc::clone(&heard);
                thread::spawn(move || self.talk(&link.unwrap(), &heard));
            }
        });
        peer
    }

    fn talk(self, mut link: &TcpStream, heard: &AtomicU32) {
        let mut from = BufReader::new(link.try_clone().unwrap());
        let mut password = String::new();
        while let Some(words) = request(&mut from) {
            let is_auth = words.first().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
            if is_auth {
                password = words.last().cloned().unwrap_or_default();
                heard.fetch_add(1, SeqCst);
            }
            if link.write_all(self.answer(&words, is_auth, &password).as_bytes()).is_err() {
                break;
            }
        }
        drop(link.shutdown(Shutdown::Both));
    }

    fn answer(self, words: &[String], is_auth: bool, password: &str) -> String {
        match self {
            Self::Echo => {
                let mut echo = format!("*{}\r\n", words.len());
                for word in words {
                    _ = write!(echo, "${}\r\n{word}\r\n", word.len());
                }
                echo
            }
            Self::WrongPassword => format!("-WRONGPASS invalid username-password pair: {password}\r\n"),
            Self::Bare => format!("-{password} is not the password\r\n"),
            Self::Decimal => format!("-ERR Protocol error: {:?}\r\n", password.as_bytes()),
            Self::Bulk => format!("${}\r\n{password}\r\n", password.len()),
            Self::Later(_) | Self::Name if is_auth => "+OK\r\n".to_owned(),
            Self::Later(text) => format!("-ERR {text}{password}\r\n"),
            Self::Name => match words.first().map(|word| word.to_ascii_uppercase()).as_deref() {
                Some("PING") => "+PONG\r\n".to_owned(),
                Some("INFO") => {
                    let info = format!(
                        "# Server\r\nredis_version:{password}\r\nrun_id:{password}\r\nrole:{password}\r\nos:{password}\r\n"
                    );
                    format!("${}\r\n{info}\r\n", info.len())
                }
                _ => format!("${}\r\n{password}\r\n", password.len()),
            },
        }
    }
}

impl Peer {
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many passwords it was given.
    pub fn heard(&self) -> u32 {
        self.heard.load(SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.closed.store(true, SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// The words of the next request.
fn request(from: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let count: usize = line.trim().strip_prefix('*')?.parse().ok()?;
    let mut words = vec![];
    for _ in 0..count {
        line.clear();
        from.read_line(&mut line).ok()?;
        let length: usize = line.trim().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        from.read_exact(&mut word).ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    Some(words)
}
