//! Plan in, graph out: which steps a plan comes to, with every default filled in, and the digest that names the
//! result. Pure: the same plan gives the same graph on every machine.

mod digest;
mod expand;

pub use digest::{Digest, DigestError, digest};
pub use expand::expand;
