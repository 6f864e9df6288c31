//! What can be wrong with RESP bytes.

/// A fault in a stream of RESP, with the absolute offset (bytes since the reader began) of the element at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} of the stream, {fault}")]
pub struct RespError {
    /// Byte offset in the stream.
    pub at: u64,
    /// What is wrong.
    pub fault: RespFault,
}

/// The kinds of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespFault {
    /// The first byte of an element is none of `+ - : $ *` (of a command: no text either).
    #[error("byte {0:#04x} begins no RESP element: the peer does not speak RESP here")]
    Type(u8),
    /// A line does not end with CR LF.
    #[error("a line does not end with CR LF")]
    LineEnd,
    /// A line is longer than allowed.
    #[error("a line is longer than {0} bytes")]
    Line(usize),
    /// A number that is none, or does not fit.
    #[error("a number was expected")]
    Number,
    /// A length or count that is negative or larger than allowed.
    #[error("the length {0} is not possible here")]
    Length(i64),
    /// A command or reply that is longer than allowed, or announces so.
    #[error("it is longer than {0} bytes, the most that this version takes")]
    Whole(usize),
    /// Arrays in arrays beyond the allowed depth.
    #[error("arrays are nested more than {0} deep")]
    Depth(usize),
    /// A string's bytes are not followed by CR LF.
    #[error("a string of stated length is not followed by CR LF")]
    StringEnd,
    /// An inline command with quotes; no server replicates one.
    #[error("an inline command has quotes")]
    Quotes,
}
