//! A blocking client, independent of the code under test.

use std::{
    io::{self, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use super::Reply;

/// The words of a command; [`cmd!`](crate::cmd) writes one.
pub type Command = Vec<Vec<u8>>;

/// What can stand in a [`cmd!`](crate::cmd).
pub trait ToArgument {
    fn to_argument(&self) -> Vec<u8>;
}

impl<T: AsRef<[u8]> + ?Sized> ToArgument for &T {
    fn to_argument(&self) -> Vec<u8> {
        self.as_ref().to_vec()
    }
}

impl ToArgument for Vec<u8> {
    fn to_argument(&self) -> Vec<u8> {
        self.clone()
    }
}

impl ToArgument for String {
    fn to_argument(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl ToArgument for $kind {
            fn to_argument(&self) -> Vec<u8> {
                self.to_string().into_bytes()
            }
        }
    )*};
}
number!(i32, i64, u32, u64, usize, u16);

/// A command from words and numbers: `cmd!["SET", key, 12]`.
#[macro_export]
macro_rules! cmd {
    ($($argument:expr),+ $(,)?) => {
        vec![$($crate::harness::ToArgument::to_argument(&$argument)),+]
    };
}

/// One connection.
pub struct Client {
    link: BufReader<TcpStream>,
}

impl Client {
    /// Connects on loopback; answers must come within a minute.
    pub fn connect(port: u16) -> io::Result<Self> {
        let link = TcpStream::connect(("127.0.0.1", port))?;
        link.set_nodelay(true)?;
        link.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self { link: BufReader::with_capacity(1 << 16, link) })
    }

    /// Sends one command; an error reply is a reply, a broken connection an error.
    pub fn exchange(&mut self, command: &[Vec<u8>]) -> io::Result<Reply> {
        let mut text = vec![];
        encode(command, &mut text);
        self.link.get_mut().write_all(&text)?;
        Reply::read(&mut self.link)
    }

    /// Sends one command and does not wait for its reply: [`Self::receive`] does.
    pub fn send(&mut self, command: &[Vec<u8>]) {
        let mut text = vec![];
        encode(command, &mut text);
        self.link.get_mut().write_all(&text).unwrap();
    }

    /// Waits for the next reply or message.
    pub fn receive(&mut self) -> Reply {
        Reply::read(&mut self.link).unwrap()
    }

    /// Sends one command and gives its reply, whichever it is.
    pub fn reply(&mut self, command: &[Vec<u8>]) -> Reply {
        self.exchange(command).unwrap_or_else(|error| panic!("{}: {error}", show(command)))
    }

    /// Sends one command that must succeed.
    pub fn command(&mut self, command: &[Vec<u8>]) -> Reply {
        let reply = self.reply(command);
        assert!(!reply.is_error(), "{}: {reply:?}", show(command));
        reply
    }

    /// Sends many, a limited number under way at a time, and gives every reply.
    pub fn pipeline(&mut self, commands: &[Command]) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(commands.len());
        let (mut text, mut waiting) = (vec![], 0);
        for (index, command) in commands.iter().enumerate() {
            encode(command, &mut text);
            waiting += 1;
            if text.len() >= 1 << 17 || waiting == 1000 || index + 1 == commands.len() {
                self.link.get_mut().write_all(&text).unwrap();
                replies.extend((0..waiting).map(|_| Reply::read(&mut self.link).unwrap()));
                text.clear();
                waiting = 0;
            }
        }
        replies
    }

    /// As [`Self::pipeline`]; each must succeed.
    pub fn pipeline_ok(&mut self, commands: &[Command]) -> Vec<Reply> {
        let replies = self.pipeline(commands);
        for (command, reply) in commands.iter().zip(&replies) {
            assert!(!reply.is_error(), "{}: {reply:?}", show(command));
        }
        replies
    }

    pub fn select(&mut self, db: u32) {
        self.command(&cmd!["SELECT", db]);
    }
}

pub fn encode(command: &[Vec<u8>], text: &mut Vec<u8>) {
    write!(text, "*{}\r\n", command.len()).unwrap();
    for word in command {
        write!(text, "${}\r\n", word.len()).unwrap();
        text.extend_from_slice(word);
        text.extend_from_slice(b"\r\n");
    }
}

fn show(command: &[Vec<u8>]) -> String {
    let words = command.iter().take(8).map(|word| word[..word.len().min(60)].escape_ascii().to_string());
    words.collect::<Vec<_>>().join(" ")
}
