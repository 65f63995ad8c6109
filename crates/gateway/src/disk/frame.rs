//! Records in a file: length, CRC-32 of length and content, content.

use std::io::{self, Read};

/// Before the content: its length and the checksum, both little endian.
const HEAD: usize = 8;

/// Appends a record.
pub(super) fn push(out: &mut Vec<u8>, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(|_| io::Error::other("a record is too large"))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(length, content).to_le_bytes());
    out.extend_from_slice(content);
    Ok(())
}

fn checksum(length: u32, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

/// Reads records one by one. Where bytes are damaged it searches for the next
/// record that is whole, so that one flipped bit costs one record.
#[derive(Debug)]
pub(super) struct Frames<R> {
    source: R,
    largest: usize,
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    at: usize,
    /// How many bytes of the source lie before the buffer.
    before: u64,
    at_end: bool,
    /// Damaged bytes are behind the last whole record.
    searching: bool,
}

/// A whole record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its content.
    pub(super) content: Vec<u8>,
    /// The offset behind it.
    pub(super) end: u64,
    /// Whether damaged bytes lie between it and the record before.
    pub(super) after_damage: bool,
}

enum Seen {
    Whole(usize),
    Damaged,
    Short,
}

impl<R: Read> Frames<R> {
    /// Reads from the beginning of `source`, which stands at the offset `before`.
    pub(super) fn new(source: R, before: u64, largest: usize) -> Self {
        Self {
            source,
            largest,
            buffer: Vec::new(),
            at: 0,
            before,
            at_end: false,
            searching: false,
        }
    }

    /// The next whole record; `None` when there is none any more.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            match self.look() {
                Seen::Whole(length) => return Ok(Some(self.take(length))),
                Seen::Short if !self.at_end => self.fill()?,
                Seen::Short if self.rest().is_empty() => return Ok(None),
                // A record that goes on behind the end may hide a whole one, so each place is tried.
                Seen::Short | Seen::Damaged => {
                    self.searching = true;
                    self.at += 1;
                }
            }
        }
    }

    /// Whether something that is no record follows the last one.
    pub(super) const fn is_torn(&self) -> bool {
        self.searching
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn look(&self) -> Seen {
        let Some((length, rest)) = self.rest().split_first_chunk::<4>() else {
            return Seen::Short;
        };
        let length = u32::from_le_bytes(*length);
        let Ok(size) = usize::try_from(length) else {
            return Seen::Damaged;
        };
        if size == 0 || size > self.largest {
            return Seen::Damaged;
        }
        let Some((expected, rest)) = rest.split_first_chunk::<4>() else {
            return Seen::Short;
        };
        match rest.get(..size) {
            None => Seen::Short,
            Some(content) if checksum(length, content) == u32::from_le_bytes(*expected) => Seen::Whole(size),
            Some(_) => Seen::Damaged,
        }
    }

    fn take(&mut self, size: usize) -> Frame {
        let content = self.rest().get(HEAD..HEAD + size).unwrap_or_default().to_vec();
        self.at += HEAD + size;
        Frame {
            content,
            end: self.before + self.at as u64,
            after_damage: std::mem::take(&mut self.searching),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.before += self.at as u64;
        self.at = 0;
        let wanted = (self.largest + HEAD).max(1 << 20) as u64;
        let read = self.source.by_ref().take(wanted).read_to_end(&mut self.buffer)?;
        self.at_end = (read as u64) < wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Frame>, bool) {
        let mut frames = Frames::new(bytes, 0, 64);
        let mut found = Vec::new();
        while let Some(frame) = frames.next().unwrap() {
            found.push(frame);
        }
        (found, frames.is_torn())
    }

    fn contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 1..12)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(contents in contents()) {
            let mut bytes = Vec::new();
            contents.iter().for_each(|content| push(&mut bytes, content).unwrap());
            let (found, torn) = read(&bytes);
            prop_assert!(!torn && found.iter().all(|frame| !frame.after_damage));
            prop_assert_eq!(found.last().unwrap().end, bytes.len() as u64);
            prop_assert_eq!(found.into_iter().map(|frame| frame.content).collect::<Vec<_>>(), contents);
        }

        #[test]
        fn a_torn_tail_costs_nothing_else(contents in contents(), cut in 1_usize..50) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for content in &contents {
                push(&mut bytes, content).unwrap();
                ends.push(bytes.len());
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            let (found, torn) = read(&bytes);
            let whole = ends.iter().filter(|end| **end <= bytes.len()).count();
            prop_assert_eq!(found.len(), whole);
            prop_assert_eq!(torn, whole.checked_sub(1).map_or(0, |last| ends[last]) < bytes.len());
        }

        #[test]
        fn a_flipped_bit_costs_one_record(contents in contents(), at: prop::sample::Index, bit in 0_u8..8) {
            let mut bytes = Vec::new();
            contents.iter().for_each(|content| push(&mut bytes, content).unwrap());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let (found, torn) = read(&bytes);
            prop_assert_eq!(found.len(), contents.len() - 1);
            prop_assert!(torn || found.iter().filter(|frame| frame.after_damage).count() == 1);
            prop_assert!(found.iter().all(|frame| contents.contains(&frame.content)));
        }
    }
}
