//! The name and version of a module's data type.

/// A module type's 64 bits: nine characters of six bits each, the first one highest, then a 10-bit encoding version
/// (module.c, `moduleTypeEncodeId`). Displays as `ReJSON-RL v3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId(pub u64);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl ModuleId {
    /// The nine characters of the type's name.
    #[must_use]
    pub fn name(self) -> String {
        (0..9_u32)
            .filter_map(|place| {
                let low = 58_u32.checked_sub(place.checked_mul(6)?)?;
                let [index, ..] = (self.0 >> low).to_le_bytes();
                ALPHABET.get(usize::from(index & 63)).copied().map(char::from)
            })
            .collect()
    }

    /// The version of the type's encoding, 0 to 1023.
    #[must_use]
    pub const fn version(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }
}

impl std::fmt::Display for ModuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} v{}", self.name(), self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_packed_six_bits_a_character() {
        let packed = "ReJSON-RL"
            .bytes()
            .fold(0, |id: u64, byte| id << 6 | ALPHABET.iter().position(|letter| *letter == byte).unwrap() as u64);
        assert_eq!(ModuleId(packed << 10 | 3).to_string(), "ReJSON-RL v3");
        assert_eq!(ModuleId(0).to_string(), "AAAAAAAAA v0");
        assert_eq!(ModuleId(u64::MAX).to_string(), "_________ v1023");
    }
}
