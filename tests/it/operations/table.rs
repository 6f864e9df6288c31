//! The operations: one row a form of one.

use super::case::{Case, NEVER, case};

const R7: (u16, u16) = (7, 0);
const R62: (u16, u16) = (6, 2);
const FIELDS_EXPIRE: ((u16, u16), (u16, u16)) = ((7, 4), (9, 0));

const LIST: &[&str] = &["RPUSH @l a b c d a b c d"];
const TWO_LISTS: &[&str] = &["RPUSH @l a b c d", "RPUSH @m x y z"];
const HASH: &[&str] = &["HMSET @h a 1 b 2 c 3 d 4"];
const EXPIRING_HASH: &[&str] = &["HMSET @h a 1 b 2 c 3 d 4", "HPEXPIRE @h 90000 FIELDS 2 c d"];
const SET: &[&str] = &["SADD @s a b c d 1 2 3 \\x00\\xff"];
const SETS: &[&str] = &["SADD @s a b c d", "SADD @t b c d e", "SADD @d old"];
const ZSET: &[&str] = &["ZADD @z 1 a 2 b 3 c 4 d 5.5 e -inf f"];
const ZSETS: &[&str] = &["ZADD @z 1 a 2 b 3 c", "ZADD @y 10 b 20 c 30 d", "ZADD @d 1 old"];
const ONE_SCORE: &[&str] = &["ZADD @z 0 a 0 b 0 c 0 d 0 e"];
const PLACES: &[&str] =
    &["GEOADD @g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 2.35 48.85 Paris", "SET @d old"];
const STREAM: &[&str] = &[
    "XADD @x 1-1 f 1",
    "XADD @x 2-1 f 2 g 22",
    "XADD @x 3-1 f 3",
    "XADD @x 4-1 h 4",
    "XADD @x 5-1 h 5",
    "XGROUP CREATE @x g 0",
];
const READ_STREAM: &[&str] = &[
    "XADD @x 1-1 f 1",
    "XADD @x 2-1 f 2 g 22",
    "XADD @x 3-1 f 3",
    "XADD @x 4-1 h 4",
    "XADD @x 5-1 h 5",
    "XGROUP CREATE @x g 0",
    "XREADGROUP GROUP g one COUNT 4 STREAMS @x >",
];
const VECTORS: &[&str] = &["VADD @v VALUES 3 1.5 2.5 3.5 a", "VADD @v VALUES 3 -1 0 1 b"];

const ENTRIES_READ: &str = "A group's count of entries read, a statistic, is not sent by 7.0 and 7.2: their replicas do not have it, nor has the destination.";

/// Every form of every operation but those of [`WIPING`].
pub const CASES: &[Case] = &[
    // Strings.
    case("APPEND", &["SET @a x"], &["APPEND @a y", "APPEND @new z", "APPEND \"@\\x00\\xff\\r\\n \" \"\\x80\\r\\n\""]),
    case(
        "BITFIELD",
        &["SET @a 12345"],
        &["BITFIELD @a SET u8 0 200 OVERFLOW SAT INCRBY i5 100 10", "BITFIELD @n INCRBY u2 3 1"],
    ),
    case(
        "BITOP",
        &["SET @a abc", "SET @b bcdef"],
        &["BITOP AND @d @a @b", "BITOP OR @e @a @b", "BITOP XOR @f @a @b", "BITOP NOT @g @a"],
    ),
    case("BITOP", &["SET @a abc", "SET @b bcdef"], &["BITOP DIFF @d @a @b", "BITOP ONE @e @a @b"])
        .form("DIFF")
        .of((8, 2), NEVER),
    case("DECR", &["SET @a 10"], &["DECR @a", "DECR @a", "DECR @new"]),
    case("DECRBY", &["SET @a 10"], &["DECRBY @a 7", "DECRBY @new -7"]),
    case("GETDEL", &["SET @a 1", "SET @b 2"], &["GETDEL @a"]),
    case(
        "GETEX",
        &["SET @a 1", "SET @b 2", "SET @c 3", "SETEX @d 100 4", "SET @e 5"],
        &[
            "GETEX @a EX 50",
            "GETEX @b PX 50000",
            "GETEX @c PXAT {ms+70000}",
            "GETEX @d PERSIST",
            "GETEX @e EXAT {s+80}",
        ],
    ),
    case("GETSET", &["SETEX @a 100 old"], &["GETSET @a new", "GETSET @new x"]),
    case("INCR", &["SET @a 10"], &["INCR @a", "INCR @a", "INCR @new"]),
    case("INCRBY", &["SET @a 10"], &["INCRBY @a 9223372036854775000", "INCRBY @new -5"]),
    case("INCRBYFLOAT", &["SET @a 10.5"], &["INCRBYFLOAT @a 0.1", "INCRBYFLOAT @new 3.0e3"]),
    case("INCRBYFLOAT", &["SETEX @a 100 10.5"], &["INCRBYFLOAT @a 0.1"]).form("expiring").untold(
        ((0, 0), (6, 0)),
        "ends Some",
        "Up to 5.0 a source sends INCRBYFLOAT as SET, which takes a key's expiry away from its replicas, and here.",
    ),
    case("MSET", &["SETEX @a 100 old"], &["MSET @a 1 @b 2 \"@\\x00\" 3"]),
    case("MSETEX", &["SET @a old"], &["MSETEX 2 @a 1 @b 2 EX 100", "MSETEX 1 @c 1", "MSETEX 1 @b 3 XX KEEPTTL"]),
    case("MSETNX", &[], &["MSETNX @a 1 @b 2", "MSETNX @a 3 @c 4"]),
    case("PSETEX", &["SET @a old"], &["PSETEX @a 90000 new"]),
    case("PSETEX", &[], &["PSETEX @a 300 new"]).form("short").unseen("the key is gone before the run ends"),
    case(
        "SET",
        &["SETEX @a 100 old"],
        &["SET @a new", "sEt @b 2 NX", "SET @b 3 XX", "SET \"@\\x00\\n\" \"\\xff\\r\\n\""],
    ),
    case("SET", &[], &["SET @a 1 EX 100", "SET @b 2 PX 90000", "SET @c 3 NX EX 80", "SET @c 4 PX 70000 XX"])
        .form("expiring"),
    case("SET", &["SETEX @a 100 1"], &["SET @a 2 KEEPTTL"]).form("KEEPTTL").since((6, 0)),
    case("SET", &["SET @a 1"], &["SET @a 2 GET EX 100", "SET @b 2 EXAT {s+100}", "SET @c 3 PXAT {ms+90000}"])
        .form("GET")
        .since(R62),
    case("SET", &["SETEX @a 100 1"], &["SET @a 2 IFEQ 1", "SET @a 3 IFEQ 1"]).form("IFEQ").of(NEVER, (8, 1)),
    case("SETBIT", &["SET @a abc"], &["SETBIT @a 100 1", "SETBIT @a 1 0", "SETBIT @new 7 1"]),
    case("SETEX", &["SET @a old"], &["SETEX @a 90 new", "SETEX @new 100 \"\\x00\""]),
    case("SETNX", &["SET @a old"], &["SETNX @a new", "SETNX @b new"]),
    case("SETRANGE", &["SET @a hello"], &["SETRANGE @a 3 \"p!\"", "SETRANGE @new 5 x"]),
    case("PFADD", &["PFADD @p a b"], &["PFADD @p c d e", "PFADD @q a", "PFADD @p a"]),
    case("PFCOUNT", &["PFADD @p a b c", "PFADD @q x"], &["PFADD @p d", "PFCOUNT @p", "PFCOUNT @p @q"]),
    case("PFMERGE", &["PFADD @p a b", "PFADD @q b c d"], &["PFMERGE @d @p @q", "PFMERGE @p @q"]),
    case("PFDEBUG", &["PFADD @p a b"], &["PFDEBUG TODENSE @p"]),
    case("DELIFEQ", &["SET @a 1", "SET @b 2"], &["DELIFEQ @a 1", "DELIFEQ @b 1"]),
    // Keys.
    case("DEL", &["SET @a 1", "SADD @b x", "SET @c 3"], &["DEL @a @b @none"]),
    case("UNLINK", &["SET @a 1", "SADD @b x", "SET @c 3"], &["UNLINK @a @b @none"]),
    case("EXPIRE", &["SET @a 1", "SET @b 1", "SETEX @c 10 1"], &["EXPIRE @a 100", "EXPIRE @b -1", "EXPIRE @c 200"]),
    case(
        "EXPIRE",
        &["SET @a 1", "SETEX @b 10 1"],
        &["EXPIRE @a 100 NX", "EXPIRE @b 90 GT", "EXPIRE @b 80 LT", "EXPIRE @b 70 XX"],
    )
    .form("conditions")
    .since(R7),
    case("EXPIREAT", &["SET @a 1", "SET @b 1"], &["EXPIREAT @a {s+100}", "EXPIREAT @b 1"]),
    case("PEXPIRE", &["SET @a 1", "SET @b 1"], &["PEXPIRE @a 90000", "PEXPIRE @b -5"]),
    case("PEXPIREAT", &["SET @a 1", "SET @b 1"], &["PEXPIREAT @a {ms+90000}", "PEXPIREAT @b 1"]),
    case("PERSIST", &["SETEX @a 100 1", "SETEX @b 100 1"], &["PERSIST @a"]),
    case(
        "COPY",
        &["SETEX @a 100 1", "RPUSH @l a b", "SET @c old"],
        &["COPY @a @b", "COPY @l @c REPLACE", "COPY @l @l DB 7"],
    ),
    case("MOVE", &["SETEX @a 100 1", "RPUSH @b x"], &["MOVE @a 3", "SELECT 4", "SET @c 1", "MOVE @c 0"]),
    case("RENAME", &["SETEX @a 100 1", "RPUSH @b x", "SET @c 3"], &["RENAME @a @new", "RENAME @b @c"]),
    case("RENAMENX", &["SETEX @a 100 1", "SET @c 3"], &["RENAMENX @a @new", "RENAMENX @c @new"]),
    case(
        "RESTORE",
        &["SET @s v", "RPUSH @l a b c", "HMSET @h a 1 b 2", "ZADD @z 1 a", "SADD @t 1 2 3"],
        &[
            "RESTORE @s2 0 \"{dump @s}\"",
            "RESTORE @l2 90000 \"{dump @l}\"",
            "RESTORE @h2 0 \"{dump @h}\"",
            "RESTORE @z2 0 \"{dump @z}\"",
            "RESTORE @t2 0 \"{dump @t}\"",
        ],
    ),
    case("RESTORE", &["SET @s v", "RPUSH @l a b c"], &["RESTORE @s 90000 \"{dump @l}\" REPLACE"])
        .form("REPLACE")
        .since((3, 0)),
    case(
        "RESTORE",
        &["SET @s v", "XADD @x 1-1 a b"],
        &["RESTORE @s {ms+90000} \"{dump @x}\" REPLACE ABSTTL IDLETIME 100", "RESTORE @y 0 \"{dump @x}\" FREQ 5"],
    )
    .form("ABSTTL")
    .since((5, 0)),
    case("RESTORE", EXPIRING_HASH, &["RESTORE @h2 0 \"{dump @h}\""])
        .form("expiring-fields")
        .of(FIELDS_EXPIRE.0, FIELDS_EXPIRE.1),
    case("RESTORE", VECTORS, &["RESTORE @v2 0 \"{dump @v}\""]).form("vectors").of((8, 0), NEVER),
    case("RESTORE-ASKING", &["SET @s v"], &["RESTORE-ASKING @t 90000 \"{dump @s}\""]),
    case(
        "SORT",
        &["RPUSH @l 3 1 2", "SET @w1 9", "SET @w2 8", "SET @w3 7"],
        &["SORT @l STORE @d", "SORT @l BY @w* GET # GET @w* DESC STORE @e"],
    ),
    // Lists.
    case("BLPOP", LIST, &["BLPOP @none @l 1", "BLPOP @l 0"]),
    case("BLPOP", &["SET @x 1"], &["RPUSH @l a b"]).blocked("BLPOP @none @l 0"),
    case("BRPOP", LIST, &["BRPOP @none @l 1"]),
    case("BRPOP", &["SET @x 1"], &["RPUSH @l a b c"]).blocked("BRPOP @l 0"),
    case("BRPOPLPUSH", TWO_LISTS, &["BRPOPLPUSH @l @m 0", "BRPOPLPUSH @l @l 1"]),
    case("BRPOPLPUSH", TWO_LISTS, &["RPUSH @n a b"]).blocked("BRPOPLPUSH @n @m 0"),
    case("BLMOVE", TWO_LISTS, &["BLMOVE @l @m LEFT LEFT 0", "BLMOVE @l @l right left 1"]),
    case("BLMOVE", TWO_LISTS, &["RPUSH @n a b"]).blocked("BLMOVE @n @m LEFT RIGHT 0"),
    case("BLMPOP", TWO_LISTS, &["BLMPOP 1 2 @none @l LEFT COUNT 2"]),
    case("BLMPOP", TWO_LISTS, &["RPUSH @n a b c"]).blocked("BLMPOP 0 1 @n RIGHT COUNT 2"),
    case("LINSERT", LIST, &["LINSERT @l BEFORE c new", "LINSERT @l AFTER none x"]),
    case(
        "LMOVE",
        TWO_LISTS,
        &["LMOVE @l @m RIGHT LEFT", "LMOVE @l @m LEFT RIGHT", "LMOVE @m @m LEFT RIGHT", "LMOVE @l @new LEFT LEFT"],
    ),
    case("LMPOP", TWO_LISTS, &["LMPOP 2 @none @l RIGHT COUNT 3", "LMPOP 1 @m LEFT COUNT 10"]),
    case("LPOP", LIST, &["LPOP @l", "LPOP @none"]),
    case("LPOP", LIST, &["LPOP @l 3"]).form("count").since(R62),
    case("LPUSH", LIST, &["LPUSH @l x", "LPUSH @l y z", "LPUSH @new \"\\x00\""]),
    case("LPUSHX", LIST, &["LPUSHX @l x", "LPUSHX @none x"]),
    case("LPUSHX", LIST, &["LPUSHX @l x y z"]).form("many").since((4, 0)),
    case("LREM", LIST, &["LREM @l 1 b", "LREM @l -1 a", "LREM @l 0 d"]),
    case("LSET", LIST, &["LSET @l 1 x", "LSET @l -1 y"]),
    case("LTRIM", LIST, &["LTRIM @l 1 -2"]),
    case("RPOP", LIST, &["RPOP @l"]),
    case("RPOP", LIST, &["RPOP @l 3"]).form("count").since(R62),
    case("RPOPLPUSH", TWO_LISTS, &["RPOPLPUSH @l @m", "RPOPLPUSH @l @l", "RPOPLPUSH @none @m"]),
    case("RPUSH", LIST, &["RPUSH @l x", "RPUSH @l y z", "RPUSH @new 1"]),
    case("RPUSHX", LIST, &["RPUSHX @l x", "RPUSHX @none x"]),
    case("RPUSHX", LIST, &["RPUSHX @l x y z"]).form("many").since((4, 0)),
    // Hashes.
    case("HDEL", HASH, &["HDEL @h a b none"]),
    case("HINCRBY", HASH, &["HINCRBY @h a 5", "HINCRBY @new f -3"]),
    case("HINCRBYFLOAT", HASH, &["HINCRBYFLOAT @h a 0.5", "HINCRBYFLOAT @new f 3.25"]),
    case("HINCRBYFLOAT", EXPIRING_HASH, &["HINCRBYFLOAT @h c 0.5"]).form("expiring").of((8, 0), NEVER),
    case("HMSET", HASH, &["HMSET @h a x new y", "HMSET @new f v"]),
    case("HSET", HASH, &["HSET @h a x", "HSET @new f \"\\x00\""]),
    case("HSET", HASH, &["HSET @h a x b y z 1", "HSET @new f v g w"]).form("many").since((5, 0)),
    case("HSETNX", HASH, &["HSETNX @h a x", "HSETNX @h new x"]),
    case(
        "HEXPIRE",
        EXPIRING_HASH,
        &["HEXPIRE @h 100 FIELDS 2 a b", "HEXPIRE @h 200 GT FIELDS 1 c", "HEXPIRE @h 0 FIELDS 1 d"],
    ),
    case("HEXPIREAT", EXPIRING_HASH, &["HEXPIREAT @h {s+100} FIELDS 2 a none", "HEXPIREAT @h 1 FIELDS 1 d"]),
    case("HPEXPIRE", EXPIRING_HASH, &["HPEXPIRE @h 100000 FIELDS 2 a b", "HPEXPIRE @h 50000 LT FIELDS 1 c"]),
    case("HPEXPIREAT", EXPIRING_HASH, &["HPEXPIREAT @h {ms+100000} FIELDS 2 a b", "HPEXPIREAT @h 1 FIELDS 1 c"]),
    case("HPERSIST", EXPIRING_HASH, &["HPERSIST @h FIELDS 2 c a"]),
    case(
        "HSETEX",
        EXPIRING_HASH,
        &[
            "HSETEX @h EX 100 FIELDS 2 a x new y",
            "HSETEX @h FXX PXAT {ms+80000} FIELDS 1 b z",
            "HSETEX @h KEEPTTL FIELDS 1 c kept",
            "HSETEX @h FIELDS 1 d plain",
        ],
    ),
    case("HGETEX", EXPIRING_HASH, &["HGETEX @h EX 100 FIELDS 2 a b", "HGETEX @h PERSIST FIELDS 1 c"]),
    case("HGETDEL", EXPIRING_HASH, &["HGETDEL @h FIELDS 2 a c"]),
    // Sets.
    case("SADD", SET, &["SADD @s x y a", "SADD @new 1 2 3"]),
    case("SDIFFSTORE", SETS, &["SDIFFSTORE @d @s @t", "SDIFFSTORE @s @s @t"]),
    case("SINTERSTORE", SETS, &["SINTERSTORE @d @s @t", "SINTERSTORE @s @s @none"]),
    case("SMOVE", SETS, &["SMOVE @s @t a", "SMOVE @s @new b", "SMOVE @s @t none"]),
    case("SPOP", SET, &["SPOP @s", "SPOP @s"]),
    case("SPOP", SET, &["SADD @all a b", "SPOP @s 3", "SPOP @all 10"]).form("count").since((3, 2)),
    case("SREM", SET, &["SREM @s a b none", "SREM @s \"\\x00\\xff\""]),
    case("SUNIONSTORE", SETS, &["SUNIONSTORE @d @s @t", "SUNIONSTORE @d @none"]),
    // Sorted sets.
    case("ZADD", ZSET, &["ZADD @z 7 a 8.25 g", "ZADD @new +inf x 3e-10 y"]),
    case("ZADD", ZSET, &["ZADD @z NX 7 a 8 g", "ZADD @z XX CH 9 a 1 none", "ZADD @z INCR 2.5 b"])
        .form("NX")
        .since((3, 2)),
    case("ZADD", ZSET, &["ZADD @z GT 7 a 1 b", "ZADD @z LT CH 1 d 9 c"]).form("GT").since(R62),
    case("ZINCRBY", ZSET, &["ZINCRBY @z 1.5 a", "ZINCRBY @new -1 x"]),
    case("ZREM", ZSET, &["ZREM @z a c none"]),
    case("ZREMRANGEBYLEX", ONE_SCORE, &["ZREMRANGEBYLEX @z [b (d"]),
    case("ZREMRANGEBYRANK", ZSET, &["ZREMRANGEBYRANK @z 1 -3"]),
    case("ZREMRANGEBYSCORE", ZSET, &["ZREMRANGEBYSCORE @z (1 3"]),
    case("ZINTERSTORE", ZSETS, &["ZINTERSTORE @d 2 @z @y WEIGHTS 2 3 AGGREGATE MAX", "ZINTERSTORE @z 2 @z @y"]),
    case("ZUNIONSTORE", ZSETS, &["ZUNIONSTORE @d 2 @z @y WEIGHTS 2 3", "ZUNIONSTORE @y 2 @z @y AGGREGATE MIN"]),
    case("ZDIFFSTORE", ZSETS, &["ZDIFFSTORE @d 2 @z @y"]),
    case("ZRANGESTORE", ZSETS, &["ZRANGESTORE @d @z 0 1", "ZRANGESTORE @e @y 5 25 BYSCORE LIMIT 0 1"]),
    case("ZPOPMAX", ZSET, &["ZPOPMAX @z", "ZPOPMAX @z 2"]),
    case("ZPOPMIN", ZSET, &["ZPOPMIN @z", "ZPOPMIN @z 2"]),
    case("ZMPOP", ZSETS, &["ZMPOP 2 @none @z MIN COUNT 2", "ZMPOP 1 @y MAX"]),
    case("BZPOPMAX", ZSET, &["BZPOPMAX @none @z 1"]),
    case("BZPOPMAX", &["SET @x 1"], &["ZADD @z 1 a 2 b"]).blocked("BZPOPMAX @z 0"),
    case("BZPOPMIN", ZSET, &["BZPOPMIN @none @z 1"]),
    case("BZPOPMIN", &["SET @x 1"], &["ZADD @z 1 a 2 b"]).blocked("BZPOPMIN @z 0"),
    case("BZMPOP", ZSETS, &["BZMPOP 1 2 @none @z MAX COUNT 2"]),
    case("BZMPOP", &["SET @x 1"], &["ZADD @z 1 a 2 b 3 c"]).blocked("BZMPOP 0 1 @z MIN COUNT 2"),
    // Places.
    case("GEOADD", PLACES, &["GEOADD @g 12.5 41.9 Rome", "GEOADD @new 0.5 51.5 London"]),
    case("GEOADD", PLACES, &["GEOADD @g XX CH 12.5 41.9 Paris", "GEOADD @g NX 1 1 Paris 2 2 New"])
        .form("XX")
        .since(R62),
    case("GEORADIUS", PLACES, &["GEORADIUS @g 15 37 200 km STORE @d", "GEORADIUS @g 15 37 200 km STOREDIST @e"]),
    case("GEORADIUSBYMEMBER", PLACES, &["GEORADIUSBYMEMBER @g Palermo 200 km STORE @d"]),
    case(
        "GEOSEARCHSTORE",
        PLACES,
        &[
            "GEOSEARCHSTORE @d @g FROMLONLAT 15 37 BYRADIUS 200 km",
            "GEOSEARCHSTORE @e @g FROMMEMBER Paris BYBOX 10 10 km STOREDIST",
        ],
    ),
    // Streams.
    case(
        "XADD",
        STREAM,
        &["XADD @x * f v", "XADD @x MAXLEN 4 * f v", "XADD @x MAXLEN ~ 3 * f v", "XADD @new 7-7 f \"\\x00\""],
    ),
    case(
        "XADD",
        STREAM,
        &[
            "XADD @x NOMKSTREAM * f v",
            "XADD @none NOMKSTREAM * f v",
            "XADD @x MINID 3-1 * f v",
            "XADD @x MAXLEN ~ 2 LIMIT 10 * f v",
        ],
    )
    .form("NOMKSTREAM")
    .since(R62),
    case("XADD", READ_STREAM, &["XADD @x DELREF MAXLEN 3 * f v", "XADD @x KEEPREF MAXLEN 3 * f v"])
        .form("DELREF")
        .of((8, 2), NEVER),
    case("XTRIM", STREAM, &["XTRIM @x MAXLEN 2"]),
    case("XTRIM", STREAM, &["XTRIM @x MINID = 3-1", "XTRIM @x MAXLEN ~ 1 LIMIT 100"]).form("MINID").since(R62),
    case("XDEL", READ_STREAM, &["XDEL @x 2-1 9-9 5-1"]),
    case("XSETID", STREAM, &["XSETID @x 9-9"]),
    case("XSETID", STREAM, &["XSETID @x 9-9 ENTRIESADDED 50 MAXDELETEDID 4-4"]).form("counters").since(R7),
    case("XACK", READ_STREAM, &["XACK @x g 1-1 3-1 9-9"]),
    case(
        "XCLAIM",
        READ_STREAM,
        &[
            "XCLAIM @x g two 0 1-1 2-1",
            "XCLAIM @x g three 0 3-1 IDLE 5000 RETRYCOUNT 7 JUSTID",
            "XCLAIM @x g two 0 5-1 FORCE",
        ],
    ),
    case("XAUTOCLAIM", READ_STREAM, &["XAUTOCLAIM @x g two 0 0 COUNT 3"]),
    case("XAUTOCLAIM", READ_STREAM, &["XDEL @x 2-1", "XAUTOCLAIM @x g two 0 0 COUNT 3"]).form("deleted").untold(
        ((6, 2), R7),
        "pending",
        "A pending entry whose stream entry is deleted can be claimed up to 6.2; servers since 7.0 drop it when it is claimed.",
    ),
    case(
        "XGROUP CREATE",
        STREAM,
        &["XGROUP CREATE @x new 2-1", "XGROUP CREATE @x end $", "XGROUP CREATE @fresh g $ MKSTREAM"],
    ),
    case("XGROUP CREATE", STREAM, &["XGROUP CREATE @x new 2-1 ENTRIESREAD 2"]).form("ENTRIESREAD").since(R7),
    case("XGROUP CREATECONSUMER", STREAM, &["XGROUP CREATECONSUMER @x g three"]).since(R62),
    case("XGROUP DELCONSUMER", READ_STREAM, &["XGROUP DELCONSUMER @x g one"]),
    case("XGROUP DESTROY", READ_STREAM, &["XGROUP DESTROY @x g"]),
    case("XGROUP SETID", READ_STREAM, &["XGROUP SETID @x g 2-1"]),
    case("XGROUP SETID", READ_STREAM, &["XGROUP SETID @x g 2-1 ENTRIESREAD 2"]).form("ENTRIESREAD").since(R7),
    case(
        "XREADGROUP",
        STREAM,
        &["XREADGROUP GROUP g one COUNT 3 STREAMS @x >", "XACK @x g 1-1", "XREADGROUP GROUP g two STREAMS @x >"],
    )
    .untold(((7, 0), (7, 4)), "entries-read", ENTRIES_READ),
    case("XREADGROUP", STREAM, &["XREADGROUP GROUP g one COUNT 3 NOACK STREAMS @x >"]).form("NOACK").untold(
        ((5, 0), R62),
        "missing 1 consumers",
        "Up to 6.0 a source does not send that XREADGROUP … NOACK made a consumer: its replicas do not have it, nor has the destination.",
    ),
    case("XREADGROUP", &["XGROUP CREATE @x g $ MKSTREAM"], &["XADD @x 1-1 a b"])
        .blocked("XREADGROUP GROUP g one BLOCK 0 STREAMS @x >")
        .untold(((7, 0), (7, 4)), "entries-read", ENTRIES_READ),
    case(
        "XDELEX",
        READ_STREAM,
        &["XDELEX @x KEEPREF IDS 1 1-1", "XDELEX @x DELREF IDS 1 2-1", "XDELEX @x ACKED IDS 2 3-1 5-1"],
    ),
    case("XACKDEL", READ_STREAM, &["XACKDEL @x g IDS 1 1-1", "XACKDEL @x g DELREF IDS 2 2-1 3-1"]),
    // Vectors.
    case("VADD", VECTORS, &["VADD @v VALUES 3 0.5 0.25 0.125 c SETATTR \"{}\"", "VADD @new VALUES 2 1 2 x NOQUANT"]),
    case("VREM", VECTORS, &["VREM @v a"]),
    case("VSETATTR", VECTORS, &["VSETATTR @v a \"[1,2]\""]),
    // Transactions, databases.
    case(
        "MULTI",
        &["SET @a 1"],
        &["MULTI", "INCR @a", "SELECT 3", "SET @b 2", "SELECT 5", "RPUSH @c x y", "EXEC", "RPUSH @c z", "SELECT 0"],
    ),
    case(
        "EXEC",
        &["SET @a 1", "RPUSH @l x"],
        &["MULTI", "INCR @a", "INCR @l", "LPUSH @l y", "EXEC", "MULTI", "GET @a", "EXEC"],
    ),
    case("SELECT", &["SET @a 1"], &["SELECT 15", "SET @a 15", "SELECT 7", "SETEX @a 100 7", "SELECT 15", "INCR @a"]),
    case("WAIT", &[], &["WAIT 0 10", "SET @a 1"]),
    // Scripts.
    case(
        "EVAL",
        &["SET @a 1"],
        &["EVAL \"redis.call('INCR', KEYS[1]); return redis.call('RPUSH', KEYS[2], ARGV[1], 'x')\" 2 @a @l y"],
    ),
    case(
        "EVAL",
        &["SET @a 1"],
        &["!EVAL \"redis.call('INCR', KEYS[1]); return redis.call('LPUSH', KEYS[1], 'x')\" 1 @a"],
    )
    .form("failing")
    .reported_up_to((5, 0), "EVAL: WRONGTYPE Operation against a key holding the wrong kind of value"),
    case("EVAL", &["SET @a 1"], &["EVAL \"redis.call('SELECT', '3'); return redis.call('SET', KEYS[1], 'x')\" 1 @a"])
        .form("selecting"),
    case(
        "EVAL",
        &["SET @a 1"],
        &["EVAL \"redis.call('SETEX', KEYS[1], 100, 'x'); return redis.call('EXPIRE', KEYS[1], 90)\" 1 @a"],
    )
    .form("expiring")
    .since((5, 0)),
    case(
        "EVALSHA",
        &["SET @a 1"],
        &[
            "SCRIPT LOAD \"return redis.call('INCR', KEYS[1])\"",
            "EVALSHA \"{sha return redis.call('INCR', KEYS[1])}\" 1 @a",
            "SELECT 4",
            "EVALSHA \"{sha return redis.call('INCR', KEYS[1])}\" 1 @b",
        ],
    ),
    case(
        "EVALSHA",
        &["SCRIPT LOAD \"return redis.call('INCRBY', KEYS[1], 3)\""],
        &[
            "EVALSHA \"{sha return redis.call('INCRBY', KEYS[1], 3)}\" 1 @a",
            "EVALSHA \"{sha return redis.call('INCRBY', KEYS[1], 3)}\" 1 @b",
        ],
    )
    .form("earlier"),
    case(
        "SCRIPT LOAD",
        &[],
        &[
            "SCRIPT LOAD \"return redis.call('RPUSH', KEYS[1], ARGV[1])\"",
            "EVALSHA \"{sha return redis.call('RPUSH', KEYS[1], ARGV[1])}\" 1 @l x",
        ],
    ),
    case(
        "FUNCTION LOAD",
        &[],
        &[
            "FUNCTION LOAD \"#!lua name=loaded\\nredis.register_function('loaded', function(keys) return redis.call('INCR', keys[1]) end)\"",
            "FCALL loaded 1 @a",
        ],
    ),
    case(
        "FUNCTION DELETE",
        &[
            "FUNCTION LOAD \"#!lua name=deleted\\nredis.register_function('deleted', function() return 1 end)\"",
            "SET @a 1",
        ],
        &["FUNCTION DELETE deleted", "INCR @a"],
    ),
    case(
        "FUNCTION RESTORE",
        &[
            "FUNCTION LOAD \"#!lua name=restored\\nredis.register_function('restored', function() return 1 end)\"",
            "SET @a 1",
        ],
        &["FUNCTION RESTORE {functions} REPLACE", "INCR @a"],
    ),
    case(
        "FCALL",
        &[
            "FUNCTION LOAD \"#!lua name=called\\nredis.register_function('called', function(keys, args) redis.call('SETEX', keys[1], 100, args[1]); return redis.call('INCR', keys[1]) end)\"",
        ],
        &["FCALL called 1 @a 41"],
    ),
    // Messages: what a subscriber hears is a test of its own.
    case("PUBLISH", &[], &["PUBLISH @channel message"]).unseen("messages leave nothing behind"),
    case("SPUBLISH", &[], &["SPUBLISH @channel message"]).unseen("messages leave nothing behind"),
];

/// What may wipe other cases' keys: said once these were compared. Databases 8 to 13 are theirs.
pub const WIPING: &[Case] = &[
    case("FLUSHDB", &["SELECT 8", "SET @a 1", "SELECT 9", "SET @b 1"], &["SELECT 8", "FLUSHDB", "SET @c 1"]),
    case("FLUSHDB", &["SELECT 10", "SET @a 1"], &["SELECT 10", "FLUSHDB ASYNC", "SET @c 1"])
        .form("ASYNC")
        .since((4, 0)),
    case("FLUSHDB", &["SELECT 10", "SET @a 1"], &["MULTI", "SELECT 10", "SET @d 1", "FLUSHDB", "SET @c 1", "EXEC"])
        .form("MULTI"),
    case("FLUSHDB", &["SET @a 1"], &["SET @b 1", "FLUSHDB", "SET @c 1"]).form("record"),
    case(
        "SWAPDB",
        &["SELECT 11", "SET @a 11", "SELECT 12", "SET @a 12"],
        &["SWAPDB 11 12", "SELECT 11", "APPEND @a x"],
    ),
    case(
        "SWAPDB",
        &["SELECT 13", "SET @a 13"],
        &["SET @b 0", "SWAPDB 0 13", "APPEND @a x", "SELECT 13", "APPEND @b x", "SWAPDB 0 13"],
    )
    .form("record"),
    case(
        "FUNCTION FLUSH",
        &["SET @a 1"],
        &[
            "FUNCTION FLUSH",
            "FUNCTION LOAD \"#!lua name=after\\nredis.register_function('after', function() return 1 end)\"",
            "RPUSH @b 1",
        ],
    ),
    case(
        "SCRIPT FLUSH",
        &["SET @a 1"],
        &["SCRIPT FLUSH", "EVAL \"return redis.call('RPUSH', KEYS[1], ARGV[1])\" 1 @b 1"],
    ),
];

/// Said last.
pub const LAST: &[Case] = &[case(
    "FLUSHALL",
    &["SELECT 14", "SET @a 1"],
    &[
        "SELECT 14",
        "FLUSHALL",
        "SET @b 1",
        "SELECT 0",
        "SET @c 1",
        "MULTI",
        "SET @d 1",
        "FLUSHALL",
        "SET @e 1",
        "EXEC",
        "SET @f 1",
    ],
)];

/// Write commands without a case, and why.
pub const WITHOUT: &[(&str, &str)] = &[
    ("CLUSTER FLUSHSLOT", "only a node of a cluster has slots"),
    ("MIGRATE", "a source does not send it: what it takes away comes as DEL"),
];
