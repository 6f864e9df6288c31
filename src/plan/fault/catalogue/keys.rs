//! Faults of databases, rules and key patterns.

use super::rows;

rows! {
    SAME_RULE = "P301", Error, "a database or a rule is written twice",
        "Two items of `databases` say the same. A key moves by the first item that takes it, so the second never does anything; more likely \
         one of the two should have another number. Correct or delete it.";
    UNREACHABLE_RULE = "P302", Error, "a rule is never reached",
        "A key moves by the first item of `databases` that takes it. An earlier item takes all keys of this database, so nothing is left for \
         this one. Put the narrower rule first, or delete it.";
    COLLISION = "P303", Error, "two databases go into one, unfiltered",
        "Two source databases are written into the same destination database, and neither rule is limited to certain keys. Keys of the \
         same name would overwrite each other, and which one stays would depend on the order of the dump. Give one another `to`, or limit both with \
         `keys.include`.";
    POSSIBLE_COLLISION = "P304", Warning, "two databases go into one",
        "Two source databases are written into the same destination database. The patterns may keep their keys apart, but that cannot be known \
         before the run: where names meet, `on_conflict` decides. Check that the patterns cannot take the same name.";
    SELECTS_NOTHING = "P305", Error, "a rule can select no key",
        "Every key that `include` takes is refused by `exclude`, so the rule moves nothing. `exclude` wins over `include`. A pattern matches the \
         whole name, so `*` matches everything.";
    OPEN_CLASS = "P306", Warning, "a pattern has an unclosed bracket",
        "`[` starts a list of characters that ends with `]`. Servers take an unclosed list up to the end of the pattern, which is rarely what was \
         meant. Close the bracket, or write `\\[` for the character itself.";
    CLUSTER_DATABASES = "P307", Error, "a cluster has only database 0",
        "One side is a cluster, and a cluster has no other database than 0. Keys of other databases need a `to: 0` at a cluster's \
         destination, and do not exist at a cluster's source.";
    CHUNK_OVER_SPOOL = "P308", Error, "a value could be larger than the spool",
        "Values up to `limits.chunk_above` are taken from the spool in one piece, so the spool must be able to hold at least one of them. \
         Raise `limits.spool`, or lower `limits.chunk_above`.";
    SAME_PATTERN = "P309", Warning, "a pattern is written twice",
        "A list of patterns names the same one twice. That changes nothing, but one of them was probably meant to be something \
         else, and then keys are missing. Correct or delete it.";
}
