//! Channels that deployments obey. What a message on one of them says holds for the source's deployment alone; at the
//! destination it would be an order.

/// How the names of these channels begin.
///
/// - `__sentinel__:` Sentinels find each other and their masters by it: one at the destination would reconfigure its
///   master as the source's Sentinels say.
/// - `__keyspace@`, `__keyevent@` and their forms for parts of a value: a server's own notifications, which number a
///   database; the destination makes its own.
/// - `__redis__:` what a server tells the caches of its clients.
/// - `AzureRedisEvents`, `__Booksleeve_`: maintenance and a change of the master, for clients that then connect anew.
const OBEYED: [&[u8]; 8] = [
    b"__sentinel__:",
    b"__keyspace@",
    b"__keyevent@",
    b"__subkeyspace",
    b"__subkeyevent",
    b"__redis__:",
    b"AzureRedisEvents",
    b"__Booksleeve_",
];

/// Whether a deployment obeys this channel.
pub(super) fn is_obeyed(channel: &[u8]) -> bool {
    OBEYED.iter().any(|begin| channel.starts_with(begin))
}

/// Whether a script or one of its arguments names the channel by which Sentinels are led.
pub(super) fn names_sentinels(word: &[u8]) -> bool {
    const SENTINEL: &[u8] = b"__sentinel__:";
    memchr::memmem::find(word, SENTINEL).is_some()
}
