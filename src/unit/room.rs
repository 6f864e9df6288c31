//! Room in large buffers.

/// Up to this size a buffer grows as it likes.
const SMALL: usize = 1 << 20;

/// Larger ones grow by as much as this.
const PIECE: usize = 40 << 20;

/// Makes room for `more` bytes behind those in the buffer.
///
/// An allocator takes what is very large from the system and gives it back when it is freed; what is less large it keeps,
/// each thread for itself, as fragments that add up. (glibc draws the line at 32 MiB at most, malloc.c,
/// `DEFAULT_MMAP_THRESHOLD_MAX`.) So a large buffer asks for more than it needs; room that is not touched takes no memory.
pub fn make_room(bytes: &mut Vec<u8>, more: usize) {
    let needed = bytes.len().saturating_add(more);
    if needed > SMALL && needed > bytes.capacity() {
        let wanted = needed.checked_next_multiple_of(PIECE).unwrap_or(needed);
        bytes.reserve_exact(wanted.saturating_sub(bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_grow_by_large_pieces() {
        let mut bytes = vec![1; 1000];
        make_room(&mut bytes, 1000);
        assert!(bytes.capacity() < SMALL);
        make_room(&mut bytes, SMALL);
        assert_eq!(bytes.capacity(), PIECE);
        make_room(&mut bytes, PIECE - 1000);
        assert_eq!(bytes.capacity(), PIECE);
        make_room(&mut bytes, PIECE);
        assert_eq!((bytes.capacity(), bytes.len()), (2 * PIECE, 1000));
    }
}
