//! What the schema accepts and this version does not execute. Each but one is an error: a plan that asks for something
//! must not run without it. Codes of what is executed by now (P901, P903) are not used again.

use super::rows;

rows! {
    LATER_VERIFY = "P902", Error, "this version does not compare both sides",
        "`verify` is part of the plan format, but this version does not execute the comparison. It refuses the plan rather than report a \
         success that was not proved. Leave `verify` out, or write `mode: none`.";
    LATER_WINDOWS = "P904", Error, "this version does not keep to windows",
        "`windows` says when heavy steps may run. It is read and checked, but this version would start at once, whatever the time. It refuses the \
         plan rather than load the source in business hours. Leave it out, and start the run at the right time.";
    LATER_CUTOVER = "P905", Error, "this version does no cutover by itself",
        "`cutover: { mode: auto }` fences the source, proves that nothing is left, and seals the run. It is read and checked, but this version \
         does not execute it. It refuses the plan rather than end without the fence that somebody relies on. Write `mode: manual`.";
    LATER_HOOKS = "P906", Error, "this version runs no hooks",
        "`hooks` are read and checked, but this version does not run them. It refuses the plan rather than leave out a step that somebody relies \
         on. Leave them out, and do what they do by hand.";
    LATER_TLS = "P907", Error, "this version does not speak TLS",
        "A `rediss://` url and `tls` are part of the plan format, but this version connects in plain text only. It refuses the plan rather than send a \
         password unprotected. Use a plain connection inside a network you trust, or a tunnel.";
    LATER_TOPOLOGY = "P908", Error, "this version migrates single servers only",
        "`topology` may be `standalone`, `sentinel` or `cluster`, but this version executes only `standalone`. For sentinels, give the master's own \
         address as the url.";
    LATER_RDB = "P909", Error, "this version reads no dump files",
        "`source.rdb` is part of the plan format, but this version reads from a server only. Start a throw-away server on the dump \
         (`redis-server --dbfilename dump.rdb`) and give its url.";
    LATER_ACCOUNTS = "P910", Error, "this version removes no accounts",
        "`cleanup.accounts` is read and checked, but this version does not delete accounts. It refuses the plan rather than leave an account open \
         that you believe closed. Leave it out, and remove the accounts yourself.";
    LATER_FENCE = "P911", Warning, "this version holds at the cutover",
        "With `cutover: { mode: manual }` the run goes on following the source when the stop condition is met and waits for an operator. This version \
         does not fence the source and does not seal the destination: stop the writers yourself, see with `plan status` that nothing is behind, and \
         then end the run.";
}
