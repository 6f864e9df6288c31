//! Servers that send more than anybody asked for.

use std::{
    io::{self, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use super::{Reply, Server};

/// Bytes: some to begin with, then the same again and again for as long as the other side takes them.
#[derive(Clone, Debug)]
pub struct Flood {
    pub name: &'static str,
    pub head: Vec<u8>,
    pub again: Vec<u8>,
}

impl Flood {
    pub fn of(name: &'static str, head: impl AsRef<[u8]>, again: impl AsRef<[u8]>) -> Self {
        let again = again.as_ref();
        // In pieces worth a write.
        let times = (64 << 10) / again.len().max(1);
        Self { name, head: head.as_ref().to_vec(), again: again.repeat(times.max(1)) }
    }

    /// Answers without an end, of every form, and the longest string that is taken.
    pub fn answers() -> Vec<Self> {
        let string = vec![b'x'; 1 << 20];
        vec![
            Self::of("a string of 4 GiB", "$4294967296\r\n", &string),
            Self::of("a string of 64 MiB", "$67108000\r\n", &string),
            Self::of("a line without an end", "+", &string),
            Self::of("an array of 2^28", "*268435456\r\n", ":1\r\n"),
            Self::of("arrays in arrays", "", "*1000\r\n"),
        ]
    }

    fn over(&self, mut link: impl Write) -> io::Result<()> {
        link.write_all(&self.head)?;
        loop {
            link.write_all(&self.again)?;
        }
    }
}

fn serve(mut each: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().map(Result::unwrap).for_each(&mut each));
    port
}

/// The port of a peer that passes everything on to a server, but answers one command itself.
pub fn flooding_answer(server: &Server, command: &'static str, flood: Flood) -> u16 {
    let real = server.port();
    serve(move |client| {
        let flood = flood.clone();
        thread::spawn(move || drop(pass_on(&client, real, command, &flood)));
    })
}

fn pass_on(mut client: &TcpStream, real: u16, command: &str, flood: &Flood) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", real))?;
    let (mut requests, mut answers) = (BufReader::new(client.try_clone()?), BufReader::new(server.try_clone()?));
    loop {
        let request = Reply::read(&mut requests)?;
        if request.items()[0].text().eq_ignore_ascii_case(command) {
            return flood.over(client);
        }
        server.write_all(&request.encode())?;
        client.write_all(&Reply::read(&mut answers)?.encode())?;
    }
}

/// The port of a peer that passes everything on to a server, but gives this answer to requests that begin with these words.
pub fn answering(server: &Server, words: &'static [&'static str], answer: &'static str) -> u16 {
    let real = server.port();
    serve(move |client| {
        thread::spawn(move || drop(pass_on_but(&client, real, words, answer)));
    })
}

fn pass_on_but(mut client: &TcpStream, real: u16, words: &[&str], answer: &str) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", real))?;
    let (mut requests, mut answers) = (BufReader::new(client.try_clone()?), BufReader::new(server.try_clone()?));
    loop {
        let request = Reply::read(&mut requests)?;
        let mut pairs = words.iter().zip(request.items());
        if pairs.all(|(word, item)| item.text().eq_ignore_ascii_case(word)) && request.items().len() >= words.len() {
            client.write_all(answer.as_bytes())?;
        } else {
            server.write_all(&request.encode())?;
            client.write_all(&Reply::read(&mut answers)?.encode())?;
        }
    }
}

/// The port of a source that sends this dump, then this stream.
pub fn flooding_source(dump: Flood, stream: Flood) -> u16 {
    serve(move |client| {
        let (dump, stream) = (dump.clone(), stream.clone());
        thread::spawn(move || drop(play(&client, &dump, &stream)));
    })
}

fn play(mut link: &TcpStream, dump: &Flood, stream: &Flood) -> io::Result<()> {
    let mut requests = BufReader::new(link.try_clone()?);
    loop {
        let request = Reply::read(&mut requests)?;
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let answer = match request.items()[0].text().to_uppercase().as_str() {
            "PING" => "+PONG\r\n".to_owned(),
            "REPLCONF" | "SELECT" => "+OK\r\n".to_owned(),
            "TIME" => format!("*2\r\n{}{}", bulk("1900000000"), bulk("0")),
            "INFO" => bulk(
                "redis_version:7.0.15\r\nrole:master\r\nloading:0\r\nused_memory:1000\r\nmaster_repl_offset:100\r\n\
                 repl_backlog_active:1\r\nrepl_backlog_size:1000000\r\n",
            ),
            "PSYNC" => {
                let length = if dump.again.is_empty() { dump.head.len() } else { usize::MAX >> 2 };
                write!(link, "+FULLRESYNC {} 100\r\n${length}\r\n", "a".repeat(40))?;
                if dump.again.is_empty() {
                    link.write_all(&dump.head)?;
                    return stream.over(link);
                }
                return dump.over(link);
            }
            _ => "-ERR unknown command\r\n".to_owned(),
        };
        link.write_all(answer.as_bytes())?;
    }
}

/// The port of a relay that passes everything on to a server, but says `to` in place of `from` in what it sends there.
pub fn replacing(server: &Server, from: &'static str, to: &'static str) -> u16 {
    let real = server.port();
    serve(move |client| {
        let link = TcpStream::connect(("127.0.0.1", real)).unwrap();
        let (mut answers, mut back) = (link.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut answers, &mut back));
        thread::spawn(move || drop(replace(&client, &link, (from.as_bytes(), to.as_bytes()))));
    })
}

fn replace(mut client: &TcpStream, mut server: &TcpStream, (from, to): (&[u8], &[u8])) -> io::Result<()> {
    let (mut held, mut buffer) = (vec![], vec![0; 64 << 10]);
    loop {
        let count = io::Read::read(&mut client, &mut buffer)?;
        if count == 0 {
            return server.shutdown(std::net::Shutdown::Both);
        }
        held.extend_from_slice(&buffer[..count]);
        while let Some(at) = held.windows(from.len()).position(|window| window == from) {
            server.write_all(&held[..at])?;
            server.write_all(to)?;
            held.drain(..at + from.len());
        }
        // The beginning of it may stand at the end.
        let kept = (1..from.len()).rev().find(|length| held.ends_with(&from[..*length])).unwrap_or(0);
        server.write_all(&held[..held.len() - kept])?;
        held.drain(..held.len() - kept);
    }
}
