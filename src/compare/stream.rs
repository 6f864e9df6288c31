//! Reading a stream: its entries, ids and counters, and what its consumer groups have come to. Pure.

use std::collections::VecDeque;

use super::{
    reading::{KeyReading, ServerTime, ValuePart},
    sum::Sum,
    windows::{ReadFault, Width, items, text, unexpected},
};
use crate::resp::{Reply, command};

/// Entries in the first window, and in the later ones.
const ENTRIES: (u64, u64) = (100, 1000);
/// Pending entries of a group in one window.
const PENDING: usize = 1000;
/// Moments of delivery that are kept of one stream; those beyond are not compared.
const DELIVERED: usize = 100_000;

/// A stream being read.
#[derive(Debug)]
pub(super) struct StreamWindow {
    /// Where the entries go on; `None` when all were read.
    entries_from: Option<String>,
    width: Width,
    begun: bool,
    /// Groups that are still to be read, the one being read first.
    groups: VecDeque<Vec<u8>>,
    /// Where the pending entries of the first one go on; empty at its beginning.
    pending_from: String,
    parts: Vec<(ValuePart, Sum)>,
    delivered: Vec<ServerTime>,
    length: u64,
}

/// The clock of the server, between the moment of asking and that of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Clock {
    /// The moment so long after, or before, the one at which the server answered.
    pub(super) fn moment(self, distance: i64) -> ServerTime {
        let half = self.to.saturating_sub(self.from).max(0) / 2;
        ServerTime { at: self.from.saturating_add(half).saturating_add(distance), give: half.saturating_add(1) }
    }
}

impl StreamWindow {
    pub(super) fn new() -> Self {
        Self {
            entries_from: Some("-".to_owned()),
            width: Width::new(ENTRIES),
            begun: false,
            groups: VecDeque::new(),
            pending_from: String::new(),
            parts: vec![],
            delivered: vec![],
            length: 0,
        }
    }

    pub(super) const fn is_large(&self) -> bool {
        self.begun && self.entries_from.is_some()
    }

    /// Appends the questions of the next window; answers how many.
    pub(super) fn ask(&self, key: &[u8], out: &mut Vec<u8>) -> usize {
        if let Some(from) = &self.entries_from {
            let count = self.width.get().to_string();
            command(out, &[b"XRANGE", key, from.as_bytes(), b"+", b"COUNT", count.as_bytes()]);
            if self.begun {
                return 1;
            }
            command(out, &[b"XINFO", b"STREAM", key]);
            command(out, &[b"XINFO", b"GROUPS", key]);
            return 3;
        }
        let Some(group) = self.groups.front() else { return 0 };
        let from = if self.pending_from.is_empty() { "-" } else { &self.pending_from };
        command(out, &[b"XPENDING", key, group, from.as_bytes(), b"+", PENDING.to_string().as_bytes()]);
        1
    }

    /// Takes in the answer to question number `index` of this window.
    pub(super) fn take(&mut self, index: usize, reply: &Reply<'_>, clock: Clock) -> Result<(), ReadFault> {
        match (index, self.entries_from.is_some() || !self.begun) {
            (0, true) => self.take_entries(reply),
            (0, false) => self.take_pending(reply, clock),
            (1, _) => self.take_facts(reply),
            _ => self.take_groups(reply),
        }
    }

    /// Ends a window of so many questions; `true` when the stream is whole.
    pub(super) fn is_whole(&mut self) -> bool {
        self.begun = true;
        self.entries_from.is_none() && self.groups.is_empty()
    }

    pub(super) fn finish(&mut self, reading: &mut KeyReading) {
        reading.parts = std::mem::take(&mut self.parts);
        reading.parts.sort_unstable_by_key(|(part, _)| *part);
        reading.delivered = std::mem::take(&mut self.delivered);
        reading.elements = Some(self.length);
    }

    fn part(&mut self, part: ValuePart) -> &mut Sum {
        let at = self.parts.iter().position(|(of, _)| *of == part).unwrap_or_else(|| {
            self.parts.push((part, Sum::default()));
            self.parts.len().saturating_sub(1)
        });
        // It is there: it was found or pushed above.
        &mut self.parts.get_mut(at).expect("a part that is there").1
    }

    fn take_entries(&mut self, reply: &Reply<'_>) -> Result<(), ReadFault> {
        let entries = items(reply)?;
        let (mut last, mut bytes) = (None, 0);
        for entry in entries {
            let [id, fields] = items(entry)? else { return Err(unexpected(entry)) };
            let words: Vec<&[u8]> = items(fields)?.iter().map(text).collect::<Result<_, _>>()?;
            let id = text(id)?;
            bytes += words.iter().map(|word| word.len() as u64).sum::<u64>();
            let of_fields = Sum::of_all(&words).bytes();
            self.part(ValuePart::Entries).chain(Sum::of_all(&[id, &of_fields]));
            last = Some(id);
        }
        self.part(ValuePart::Entries);
        let count = entries.len() as u64;
        self.length = self.length.saturating_add(count);
        self.entries_from = last.filter(|_| count >= self.width.get()).and_then(after);
        self.width.follow(count, bytes);
        Ok(())
    }

    fn take_facts(&mut self, reply: &Reply<'_>) -> Result<(), ReadFault> {
        let facts = items(reply)?;
        let known = [
            ("last-generated-id", ValuePart::LastId),
            ("max-deleted-entry-id", ValuePart::DeletedId),
            ("entries-added", ValuePart::Added),
        ];
        for (name, part) in known {
            if let Some(value) = field(facts, name) {
                *self.part(part) = of_scalar(value);
            }
        }
        Ok(())
    }

    fn take_groups(&mut self, reply: &Reply<'_>) -> Result<(), ReadFault> {
        for part in [ValuePart::Groups, ValuePart::Positions, ValuePart::Pending] {
            self.part(part);
        }
        for group in items(reply)? {
            let facts = items(group)?;
            let name = text(field(facts, "name").ok_or(ReadFault::Moved)?)?;
            self.part(ValuePart::Groups).add(Sum::of(name));
            if let Some(id) = field(facts, "last-delivered-id") {
                self.part(ValuePart::Positions).add(Sum::of_all(&[name, &of_scalar(id).bytes()]));
            }
            if let Some(read) = field(facts, "entries-read") {
                self.part(ValuePart::Reads).add(Sum::of_all(&[name, &of_scalar(read).bytes()]));
            }
            self.groups.push_back(name.to_vec());
        }
        Ok(())
    }

    fn take_pending(&mut self, reply: &Reply<'_>, clock: Clock) -> Result<(), ReadFault> {
        let Some(group) = self.groups.front().cloned() else { return Err(ReadFault::Moved) };
        let pending = items(reply)?;
        let mut last = None;
        for entry in pending {
            let [id, consumer, Reply::Int(idle), deliveries] = items(entry)? else { return Err(unexpected(entry)) };
            let (id, consumer) = (text(id)?, text(consumer)?);
            self.part(ValuePart::Pending).add(Sum::of_all(&[&group, id, consumer, &of_scalar(deliveries).bytes()]));
            if self.delivered.len() < DELIVERED {
                self.delivered.push(clock.moment(idle.saturating_neg()));
            }
            last = Some(id);
        }
        self.pending_from = last.filter(|_| pending.len() >= PENDING).and_then(after).unwrap_or_default();
        if self.pending_from.is_empty() {
            self.groups.pop_front();
        }
        Ok(())
    }
}

/// The value behind a name in a flat list of names and values.
fn field<'a>(facts: &'a [Reply<'a>], name: &str) -> Option<&'a Reply<'a>> {
    let named = |pair: &&[Reply<'_>]| pair.first().and_then(Reply::text) == Some(name.as_bytes());
    facts.chunks_exact(2).find(named)?.get(1)
}

fn of_scalar(reply: &Reply<'_>) -> Sum {
    match reply {
        Reply::Int(number) => Sum::of_all(&[b":", &number.to_be_bytes()]),
        Reply::Bulk(Some(text)) | Reply::Simple(text) => Sum::of_all(&[b"$", text]),
        _ => Sum::of(b"nil"),
    }
}

/// The smallest id above one; `None` above the last that can be.
fn after(id: &[u8]) -> Option<String> {
    let (time, number) = std::str::from_utf8(id).ok()?.split_once('-')?;
    match number.parse::<u64>().ok()?.checked_add(1) {
        Some(number) => Some(format!("{time}-{number}")),
        None => Some(format!("{}-0", time.parse::<u64>().ok()?.checked_add(1)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_behind_one_carries_over() {
        assert_eq!(after(b"5-7").as_deref(), Some("5-8"));
        assert_eq!(after(b"5-18446744073709551615").as_deref(), Some("6-0"));
        assert_eq!(after(b"18446744073709551615-18446744073709551615"), None);
    }
}
