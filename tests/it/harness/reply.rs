//! What a server answered.

use std::{
    fmt,
    io::{self, BufRead},
};

/// A RESP2 reply. The readers below end the test when it is another kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let line = read_line(from)?;
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
        let number = || rest.parse::<i64>().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        Ok(match kind {
            "+" => Self::Simple(rest.to_owned()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Int(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(length) => Self::Bulk(read_bulk(from, length)?),
                Err(_) => Self::Nil,
            },
            "*" => match usize::try_from(number()?) {
                Ok(count) => Self::Array((0..count).map(|_| Self::read(from)).collect::<io::Result<_>>()?),
                Err(_) => Self::Nil,
            },
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no reply starts as {line:?}"))),
        })
    }

    /// As a server sends it.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Simple(text) => format!("+{text}\r\n").into_bytes(),
            Self::Error(text) => format!("-{text}\r\n").into_bytes(),
            Self::Int(number) => format!(":{number}\r\n").into_bytes(),
            Self::Bulk(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Self::Nil => b"$-1\r\n".to_vec(),
            Self::Array(items) => {
                let head = format!("*{}\r\n", items.len()).into_bytes();
                head.into_iter().chain(items.iter().flat_map(Self::encode)).collect()
            }
        }
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    pub fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            other => panic!("not a number: {other:?}"),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bulk(bytes) => bytes,
            Self::Simple(text) => text.as_bytes(),
            other => panic!("not a string: {other:?}"),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap()
    }

    pub fn items(&self) -> &[Reply] {
        match self {
            Self::Array(items) => items,
            other => panic!("not a list: {other:?}"),
        }
    }

    /// The value behind a name in a flat list of names and values, as `XINFO` answers.
    pub fn field(&self, name: &str) -> Option<&Reply> {
        self.items().chunks_exact(2).find(|pair| pair[0].bytes() == name.as_bytes()).map(|pair| &pair[1])
    }

    /// The value of `name:` in an `INFO` reply.
    pub fn info(&self, name: &str) -> Option<&str> {
        self.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(formatter, "+{text}"),
            Self::Error(text) => write!(formatter, "-{text}"),
            Self::Int(number) => write!(formatter, "{number}"),
            Self::Bulk(bytes) if bytes.len() > 80 => {
                write!(formatter, "\"{}…\" ({} bytes)", bytes[..60].escape_ascii(), bytes.len())
            }
            Self::Bulk(bytes) => write!(formatter, "\"{}\"", bytes.escape_ascii()),
            Self::Nil => write!(formatter, "nil"),
            Self::Array(items) => formatter.debug_list().entries(items).finish(),
        }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = vec![];
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
    }
    line.pop();
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn read_bulk(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length + 2];
    from.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}
