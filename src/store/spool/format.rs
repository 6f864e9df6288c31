//! The bytes of a segment: headers, pure.
//!
//! Segment header, 32 bytes: magic `RPSPOOL2`, u64 LE position of its first byte, u64 LE tag of the run's generation,
//! u64 LE checksum of those 24 bytes. Frame header, 32 bytes: u32 LE length, u32 LE zero, u64 LE position, i64 LE time of
//! receipt (milliseconds since the epoch), u64 LE checksum over those and the frame's bytes. Checksums are CRC-64/NVME.

use crate::unit::UnixMillis;

/// The longest frame, in bytes.
pub const MAX_FRAME: usize = 1 << 20;
/// Bytes of a segment header.
pub(super) const SEGMENT_HEADER: usize = 32;
/// Bytes of a frame header.
pub(super) const FRAME_HEADER: usize = 32;

const MAGIC: &[u8; 8] = b"RPSPOOL2";

/// What a frame header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) len: usize,
    pub(super) position: u64,
    /// When its bytes were received.
    pub(super) at: UnixMillis,
    checksum: u64,
}

fn checksum(parts: [&[u8]; 2]) -> u64 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// A segment's header.
pub(super) fn segment_header(position: u64, tag: u64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&position.to_le_bytes());
    header[16..24].copy_from_slice(&tag.to_le_bytes());
    let sum = checksum([&header[..24], &[]]);
    header[24..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The position and tag of a segment's header; `None` when it is damaged.
pub(super) fn read_segment_header(header: &[u8; SEGMENT_HEADER]) -> Option<(u64, u64)> {
    let (position, tag) = (u64_at(header, 8), u64_at(header, 16));
    (*header == segment_header(position, tag)).then_some((position, tag))
}

/// A frame's header. `bytes` has at most [`MAX_FRAME`] bytes.
pub(super) fn frame_header(position: u64, at: UnixMillis, bytes: &[u8]) -> [u8; FRAME_HEADER] {
    let mut header = [0; FRAME_HEADER];
    header[..4].copy_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    header[8..16].copy_from_slice(&position.to_le_bytes());
    header[16..24].copy_from_slice(&at.0.to_le_bytes());
    let sum = checksum([&header[..24], bytes]);
    header[24..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// Reads a frame's header; `None` when its length is impossible.
pub(super) fn read_frame_header(header: &[u8; FRAME_HEADER]) -> Option<FrameHeader> {
    let len = usize::try_from(u64_at(header, 0)).ok().filter(|len| (1..=MAX_FRAME).contains(len))?;
    let at = UnixMillis(u64_at(header, 16).cast_signed());
    Some(FrameHeader { len, position: u64_at(header, 8), at, checksum: u64_at(header, 24) })
}

impl FrameHeader {
    /// Whether `bytes` are the frame's bytes.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        u64_at(&frame_header(self.position, self.at, bytes), 24) == self.checksum && bytes.len() == self.len
    }
}

fn u64_at<const N: usize>(header: &[u8; N], at: usize) -> u64 {
    header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back_and_a_flipped_bit_shows() {
        let header = segment_header(7, 9);
        assert_eq!(read_segment_header(&header), Some((7, 9)));
        let frame = frame_header(5, UnixMillis(-3), b"bytes");
        let read = read_frame_header(&frame).unwrap();
        assert!(
            read.position == 5
                && read.at == UnixMillis(-3)
                && read.len == 5
                && read.holds(b"bytes")
                && !read.holds(b"bytfs")
        );
        for bit in 0..SEGMENT_HEADER * 8 {
            let mut flipped = header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_segment_header(&flipped), None, "bit {bit}");
        }
        for bit in 0..FRAME_HEADER * 8 {
            let mut flipped = frame;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read_frame_header(&flipped).is_none_or(|read| !read.holds(b"bytes")), "bit {bit}");
        }
    }
}
