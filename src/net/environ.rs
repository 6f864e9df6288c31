//! This process's own environment, as the kernel shows it to others.
//!
//! A program that a run starts gets an environment without the passwords. It could still read them from that of its parent
//! (`/proc/<pid>/environ`), which is the memory that this process was started with: it is overwritten there.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
};

use secrecy::zeroize::Zeroizing;

/// The most an environment can hold (`execve(2)`: a quarter of the stack).
const MOST: u64 = 64 << 20;

/// Empties these variables where the process was given them. What has to be read of them was read before.
pub fn wipe(names: &[&str]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let (start, end) = place(&fs::read_to_string("/proc/self/stat")?).ok_or(io::ErrorKind::InvalidData)?;
    let length = end.checked_sub(start).filter(|length| *length <= MOST).ok_or(io::ErrorKind::InvalidData)?;
    let memory = File::options().read(true).write(true).open("/proc/self/mem")?;
    let mut block = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or_default()]);
    memory.read_exact_at(&mut block, start)?;
    for (at, length) in values(&block, names) {
        memory.write_all_at(&vec![0; length], start + at as u64)?;
    }
    Ok(())
}

/// Where the environment begins and ends, of the process's line of numbers (`proc_pid_stat(5)`, fields 50 and 51).
fn place(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(47).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?)).filter(|(start, _)| *start > 0)
}

/// Where the values of these variables are in the block, and their lengths.
fn values(block: &[u8], names: &[&str]) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (0, vec![]);
    for entry in block.split(|byte| *byte == 0) {
        if let Some(equals) = memchr::memchr(b'=', entry)
            && names.iter().any(|name| Some(name.as_bytes()) == entry.get(..equals))
        {
            found.push((at + equals + 1, entry.len() - equals - 1));
        }
        at += entry.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_named_variables_are_found() {
        let block = b"A=1\0SECRET=hunter2\0NOT_SECRET=x\0SECRET=twice\0BARE\0";
        let found: Vec<&[u8]> =
            values(block, &["SECRET", "BARE"]).into_iter().map(|(at, length)| &block[at..at + length]).collect();
        assert_eq!(found, [&b"hunter2"[..], b"twice"]);
    }

    #[test]
    fn the_place_is_read_whatever_the_program_is_called() {
        let numbers: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
        assert_eq!(place(&format!("1 (a) b)) {}", numbers.join(" "))), Some((50, 51)));
        assert_eq!(place("1 (plan) S 1"), None);
    }
}
