//! Scores as text.

/// Appends the shortest text that every server reads back as exactly this score (`strtod`).
pub(super) fn append(out: &mut Vec<u8>, score: f64) {
    // Whole numbers up to 2^53 are exact as integers, and shorter; -0 is not one of them.
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are tested")]
    if score.fract() == 0.0 && score.abs() < 9e15 && !(score == 0.0 && score.is_sign_negative()) {
        out.extend_from_slice(itoa::Buffer::new().format(score as i64).as_bytes());
    } else {
        // Like `Display`, but with an exponent where that is shorter: `1e300`, not 301 digits.
        out.extend_from_slice(format!("{score:?}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(score: f64) -> String {
        let mut out = vec![];
        append(&mut out, score);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scores_are_written_as_servers_read_them() {
        for (score, written) in [
            (0.0, "0"),
            (-0.0, "-0.0"),
            (-17.0, "-17"),
            (0.1, "0.1"),
            (1e300, "1e300"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(text(score), written);
        }
    }

    proptest! {
        #[test]
        fn each_score_reads_back_to_the_bit(score in any::<f64>()) {
            prop_assert_eq!(text(score).parse::<f64>().unwrap().to_bits(), score.to_bits());
        }
    }
}
