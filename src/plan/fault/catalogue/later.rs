//! What the schema accepts and this version does not execute. Each but one is an error: a plan that asks for something
//! must not run without it. Codes of what is executed by now (P901 to P907, P910, P911) are not used again.

use super::rows;

rows! {
    LATER_TOPOLOGY = "P908", Error, "this version migrates single servers only",
        "`topology` may be `standalone`, `sentinel` or `cluster`, but this version executes only `standalone`. For sentinels, give the master's own \
         address as the url.";
    LATER_RDB = "P909", Error, "this version reads no dump files",
        "`source.rdb` is part of the plan format, but this version reads from a server only. Start a throw-away server on the dump \
         (`redis-server --dbfilename dump.rdb`) and give its url.";
}
