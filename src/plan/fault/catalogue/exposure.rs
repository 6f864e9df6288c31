//! What others on the network would learn from a plan that runs.

use super::rows;

rows! {
    PASSWORD_IN_PLAINTEXT = "P430", Warning, "a password travels without encryption",
        "With `redis://` the password crosses the network as it is, and so does all data: who reads the network, or answers in the server's place, has \
         both. Write `rediss://` (often with another port), or a `unix://` socket. Where the server speaks no TLS and the network is yours alone, \
         write `plaintext: accepted` beside the url: it is part of the digest, so that a reviewer approves it.";
    PLAINTEXT_UNUSED = "P431", Warning, "plain text is accepted where there is none",
        "`plaintext: accepted` speaks of a password over `redis://`. A `rediss://` or `unix://` url carries none in plain text, so the key says something \
         that is not so, and would accept it without a word when the url changes. Delete the key.";
}
