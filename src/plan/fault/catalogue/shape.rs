//! Faults of the shape: the YAML does not fit the schema.

use super::rows;

rows! {
    UNKNOWN_KEY = "P101", Error, "a key is unknown",
        "The schema knows no such key at this place. Unknown keys are errors, because a misspelt one would otherwise be ignored in \
         silence and the migration would run without what it says. Correct or delete it; `plan schema` prints every key there is.";
    MISSING_KEY = "P102", Error, "a key is missing",
        "The block needs this key and has no default for it. The help shows what it is for and an example. `plan schema` prints every key \
         there is.";
    WRONG_TYPE = "P103", Error, "a value is of the wrong kind",
        "The key wants another kind of value: text, a number, `true` or `false`, a list or a mapping. A key with nothing behind it \
         counts as `null`, which no key takes: delete the key or give it a value. Text that looks like a number needs quotes.";
    UNKNOWN_WORD = "P104", Error, "a word is not one of those allowed",
        "The key takes one of a few words. They are compared exactly, in lower case. The help lists them, and names the one that \
         was probably meant.";
    MISSING_UNIT = "P105", Error, "an amount has no unit",
        "Durations, sizes, rates and percentages are texts with a unit, because `timeout: 30` means seconds to one reader and milliseconds \
         to the next. Write `30s`, `64 MiB`, `40 MiB/s`, `20000/s` or `120%`. Sizes follow redis.conf: `kb`, `mb` and `gb` count in 1024.";
    WRONG_FORMAT = "P106", Error, "a text does not follow its format",
        "The key takes text of a certain form: a duration (`1h30m`), a size (`64 MiB`), a rate (`20k/s`), a percentage, a range of versions \
         (`>=2.8, <6`) or a weekly window (`Mon-Fri 20:00-06:00`). The help shows how it is written.";
    OUT_OF_RANGE = "P107", Error, "a number or a list is out of its range",
        "The value has the right kind, but lies outside of what the key allows, or the list has too few items. The message names the \
         bound.";
    PLAN_VERSION = "P108", Error, "the plan has a version this program does not know",
        "`version` is the version of the file's format, not of your plan. This program reads version 1. A plan of a later version \
         needs a later program; do not change the number to make the file pass.";
    ONE_FORM = "P109", Error, "a value mixes several forms",
        "The value has several forms, each a mapping with one key, and exactly one must be chosen. Two of them together would leave open \
         which one counts. Keep one; conditions of `stop` are combined with `any` and `all`.";
    BAD_NAME = "P110", Error, "a name has characters that it cannot have",
        "The name of a plan names its run, its state directory and keys at the destination, so it is 1 to 64 of a-z, 0-9 and `-`. \
         A label's name is 1 to 63 letters, digits, `.`, `_`, `/` and `-`. Both start and end with a letter or digit.";
    NOT_WHOLE = "P111", Error, "a value passes the schema but cannot be held",
        "The schema's rules accept the value, but the program cannot hold it exactly: a whole number written with a fraction, such as `4.0`. \
         Write the number without the fraction.";
}
