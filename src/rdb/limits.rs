//! What a decoder believes and holds.

/// Bounds on a dump. What is beyond them is an error, except for [`DumpLimits::inline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpLimits {
    /// A value's body of up to this many bytes is held and handed out whole; a larger one is walked through and
    /// dropped. The decoder's memory is about this plus what is fed at once (plus a larger key or text).
    pub inline: usize,
    /// The most bytes of a key.
    pub key: usize,
    /// The most bytes of an AUX name or value, or of a function's code.
    pub text: usize,
    /// The most bytes of a string within a value, packed or expanded. It is walked through, not held.
    pub string: u64,
    /// Whether a version newer than the known ones is read as far as its opcodes and types are known.
    pub allow_newer: bool,
}

impl Default for DumpLimits {
    /// 16 MiB inline; keys and texts of 16 MiB, which are held, although servers allow 512 MiB (`t_string.c`); strings of 4 GiB,
    /// because `proto-max-bulk-len` may be raised; no newer versions.
    fn default() -> Self {
        Self { inline: 16 << 20, key: 16 << 20, text: 16 << 20, string: 4 << 30, allow_newer: false }
    }
}
