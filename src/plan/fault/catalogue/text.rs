//! Faults of the text: the file cannot be read as one YAML document.

use super::rows;

rows! {
    TOO_LARGE = "P001", Error, "the file is too large",
        "A plan is a page or two; the largest file that is read has 1 MiB. A larger one is most likely the wrong file, such as a \
         dump, and reading it would only take time and memory. Give the plan's own file.";
    NOT_UTF8 = "P002", Error, "the file is not UTF-8",
        "Plans are UTF-8 text, with or without a byte order mark. Other encodings (UTF-16 from some Windows editors, Latin-1) would \
         make names of users, files and keys mean something else. Save the file as UTF-8; `iconv -f UTF-16 -t UTF-8` converts one.";
    CONTROL_CHARACTER = "P003", Error, "a control character stands in the file",
        "Control characters other than tabs and line ends are not allowed in YAML; on a terminal they could hide what a plan says \
         from its reviewer. Delete the character. Where a key pattern needs one, write it as an escape inside double quotes: \"\\u001b\".";
    EMPTY = "P004", Error, "the file is empty",
        "The file holds nothing, only comments, or only `null`. These keys are enough for a plan: `version`, `name`, `source`, \
         `destination` and `migration`.";
    SYNTAX = "P005", Error, "the text is not YAML",
        "The file cannot be read as YAML; the message is the scanner's own. Frequent causes are a line indented differently from \
         its neighbours, a missing space after `:`, an unclosed quote or bracket, and a value that starts with `*`, `&`, `@` or `%` and \
         needs quotes.";
    TAB = "P006", Error, "a tab indents a line",
        "YAML knows no tab in indentation, because its width is not defined. Replace it by spaces, and set your editor to do so for \
         *.yaml files.";
    SEVERAL_DOCUMENTS = "P007", Error, "the file holds several documents",
        "A line `---` starts another document. One file is one plan: it has one name, one digest and one run. Put each plan \
         into a file of its own, or delete the `---`.";
    DUPLICATE_KEY = "P008", Error, "a key is written twice",
        "YAML readers disagree on which of two equal keys counts, so a reviewer and the tool might read different plans. \
         Delete one of them. A merge (`<<`) is no duplicate: keys of the mapping itself win over merged ones.";
    TOO_DEEP = "P009", Error, "values are nested too deep",
        "Values may be nested 64 deep; a plan needs about ten. Deeper files are broken, or made to exhaust their reader. Check \
         the brackets and the indentation before the place that is shown.";
    TOO_MANY_NODES = "P010", Error, "the file holds too many values",
        "A plan may hold 20 000 keys and values, far more than one that a person can review. Use key patterns instead of \
         listing keys one by one.";
    ALIAS_BOMB = "P011", Error, "aliases expand to too much",
        "An alias (`*name`) repeats the value of its anchor, and aliases of aliases multiply. What they expand to is limited to \
         20 000 values and 8 MiB, counted before anything is built. Write the values out, or use fewer aliases.";
    ALIAS_CYCLE = "P012", Error, "an alias contains itself",
        "An alias stands for a value that the alias is part of, so writing it out would never end. Move the anchor (`&name`) to the \
         value that is meant, outside of the one that uses it.";
    UNKNOWN_ALIAS = "P013", Error, "an alias has no anchor",
        "An alias (`*name`) needs an anchor (`&name`) earlier in the same file. A text that happens to start with `*`, such as a key \
         pattern, is read as an alias too: put it in quotes, as in \"*:session\".";
    TAG = "P014", Error, "a value has a tag",
        "A tag (`!name`, `!!str`) changes how YAML reads a value. Plans have none: the schema says of which kind each value is. Delete the \
         tag; to keep a number as text, put it in quotes.";
    KEY_NOT_TEXT = "P015", Error, "a key is not text",
        "Every key of a plan is a word. Numbers, lists, mappings, `null` and booleans cannot be keys. When the key of a label looks \
         like a number, put it in quotes.";
    NUMBER = "P016", Error, "a number cannot be held",
        "The number is infinite, not a number, or longer than 64 bits. Numbers in a plan are small: databases, connections, counts. Sizes \
         and durations are written with a unit, as in `64 GiB` or `30s`.";
    MERGE = "P017", Error, "a merge takes something that is no mapping",
        "`<<` copies the keys of another mapping into this one, so its value must be an alias of a mapping, or a list of such \
         aliases. Check what the anchor stands at.";
}
