//! Writing commands.

use secrecy::{ExposeSecret, zeroize::Zeroizing};

use crate::unit::{Secret, make_room};

/// Appends a command: an array of bulk strings.
pub fn command(out: &mut Vec<u8>, args: &[&[u8]]) {
    array_header(out, args.len());
    for arg in args {
        bulk(out, arg);
    }
}

/// `AUTH`, with the name of a user where one is given (Redis 6). Wiped when it is dropped.
pub fn auth(username: Option<&str>, password: &Secret) -> Zeroizing<Vec<u8>> {
    let password = password.expose_secret();
    let words = [Some("AUTH"), username, Some(password)];
    let words: Vec<&[u8]> = words.into_iter().flatten().map(str::as_bytes).collect();
    // Room from the start: a vector that grows leaves copies behind.
    let length = words.iter().fold(128_usize, |length, word| length.saturating_add(word.len()));
    let mut out = Zeroizing::new(Vec::with_capacity(length));
    command(&mut out, &words);
    out
}

/// Appends `*n`: a command of `n` arguments follows.
pub fn array_header(out: &mut Vec<u8>, n: usize) {
    header(out, b'*', n);
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    bulk_header(out, bytes.len());
    make_room(out, bytes.len().saturating_add(2));
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends `$len`: `len` bytes and CR LF are to follow.
pub fn bulk_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'$', len);
}

/// Appends a decimal number as a bulk string.
pub fn bulk_u64(out: &mut Vec<u8>, number: u64) {
    bulk(out, itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a decimal number as a bulk string.
pub fn bulk_i64(out: &mut Vec<u8>, number: i64) {
    bulk(out, itoa::Buffer::new().format(number).as_bytes());
}

fn header(out: &mut Vec<u8>, sign: u8, number: usize) {
    // Nearly all are short.
    if let Ok(small) = u8::try_from(number) {
        match small {
            0..10 => return out.extend_from_slice(&[sign, b'0' | small, b'\r', b'\n']),
            10..100 => return out.extend_from_slice(&[sign, b'0' | (small / 10), b'0' | (small % 10), b'\r', b'\n']),
            _ => {}
        }
    }
    out.push(sign);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = vec![];
        command(&mut out, &[b"SET", b"a\r\nb", b""]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
    }

    #[test]
    fn every_length_is_written_in_decimal() {
        for number in [0, 1, 9, 10, 11, 99, 100, 255, 256, 1000, usize::MAX] {
            let mut out = vec![];
            bulk_header(&mut out, number);
            assert_eq!(out, format!("${number}\r\n").into_bytes());
        }
    }

    #[test]
    fn the_pieces_make_the_same_bytes() {
        let mut whole = vec![];
        command(&mut whole, &[b"EXPIRE", b"k", b"-9223372036854775808", b"18446744073709551615"]);
        let mut pieces = vec![];
        array_header(&mut pieces, 4);
        bulk_header(&mut pieces, 6);
        pieces.extend_from_slice(b"EXPIRE\r\n");
        bulk(&mut pieces, b"k");
        bulk_i64(&mut pieces, i64::MIN);
        bulk_u64(&mut pieces, u64::MAX);
        assert_eq!(pieces, whole);
    }
}
