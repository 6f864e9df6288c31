//! Which word was probably meant.

/// Words that people use for others of ours: for keys first, then for values.
const SYNONYMS: [(&str, &str); 31] = [
    ("host", "url"),
    ("address", "url"),
    ("addr", "url"),
    ("uri", "url"),
    ("endpoint", "url"),
    ("user", "username"),
    ("pass", "password"),
    ("auth", "password"),
    ("target", "destination"),
    ("sink", "destination"),
    ("db", "databases"),
    ("dbs", "databases"),
    ("phases", "migration"),
    ("steps", "migration"),
    ("workers", "connections"),
    ("parallel", "connections"),
    ("rate", "writes"),
    ("chunk", "chunk_above"),
    ("slave", "replica"),
    ("primary", "master"),
    ("overwrite", "replace"),
    ("abort", "fail"),
    ("ignore", "report"),
    ("single", "standalone"),
    ("cdc", "incremental"),
    ("wait", "hold"),
    ("no", "none"),
    ("off", "none"),
    ("yes", "full"),
    ("on", "full"),
    ("dst", "destination"),
];

/// The one of `known` that was probably meant by `word`.
pub(super) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours);
    if let Some(found) = known.iter().find(|candidate| Some(**candidate) == synonym) {
        return Some(found);
    }
    // A third of the letters may be wrong; words far longer than any of ours are not worth the time.
    let allowed = (word.chars().count() / 3).max(1);
    if word.len() > 64 {
        return None;
    }
    let distances = known.iter().map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), *candidate));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_and_synonyms_are_found() {
        let keys = ["url", "username", "password", "topology"];
        for (word, meant) in
            [("pasword", Some("password")), ("Username", Some("username")), ("host", Some("url")), ("xyz", None)]
        {
            assert_eq!(closest(word, &keys), meant, "{word}");
        }
        assert_eq!(closest("client-pause", &["client_pause"]), Some("client_pause"));
        assert_eq!(closest("all", &["any", "lag"]), None);
        assert_eq!(closest(&"a".repeat(900_000), &keys), None);
    }
}
