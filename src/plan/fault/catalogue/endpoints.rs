//! Faults of servers and secrets.

use super::rows;

rows! {
    LITERAL_SECRET = "P201", Error, "a secret stands in the plan",
        "A plan lies in git and is read by many; a password in it is a password given away. Write where the password is: \
         `{ env: NAME }`, `{ file: PATH }` or `{ command: [program, arguments] }`. If the file has been committed already, change the password.";
    SECRET_IN_URL = "P202", Error, "a password stands in the url",
        "A url is printed in logs and reports, so nothing in it is secret. Move the user to `username` and the password to `password`, as \
         a reference. If the file has been committed already, change the password.";
    USER_IN_URL = "P203", Error, "a user stands in the url",
        "The url says where the server is, `username` says who connects. Keeping both apart means that the same account can be found \
         and removed by `cleanup`. Move the part before `@` to `username`.";
    URL_SCHEME = "P204", Error, "the url has no scheme that is known",
        "A url starts with `redis://` (plain), `rediss://` (TLS) or `unix://` (a socket on this machine). Other schemes, such as `http://`, \
         and a bare `host:port` do not say how to connect.";
    URL_HOST = "P205", Error, "the url has no usable host or path",
        "After the scheme comes the host: a name or an address, an IPv6 address in brackets, as in `redis://[::1]:6379`. A `unix://` url has an \
         absolute path instead, as in `unix:///run/redis.sock`.";
    URL_PORT = "P206", Error, "the url's port is not a port",
        "The port is a number from 1 to 65535 after the host, as in `redis://host:6379`. Without one it is 6379. The message says what was \
         found.";
    URL_DATABASE = "P207", Error, "the url names a database",
        "A migration reads all databases of the source over one stream; one in the url would be ignored. Say with `databases` which of them \
         move, and with `{ from: 0, to: 3 }` where to.";
    URL_REST = "P208", Error, "the url has a query or a fragment",
        "Nothing after the port is read, so options in a query (`?timeout=5`) would be ignored in silence. Use the plan's own keys: `limits`, \
         `tls`, `topology`.";
    SAME_SERVER = "P209", Error, "source and destination are the same server",
        "The run would read its own writes, and with `on_conflict: replace` overwrite what it reads. To renumber databases inside one \
         server use `SWAPDB` or `MOVE`. Check which of the two urls was copied and not changed.";
    SOURCE_FORM = "P210", Error, "the source needs a url or a dump file, not both",
        "The data comes from a server (`url`) or from a dump file (`rdb`). With neither there is nothing to migrate; with both it would \
         be open which one counts. Keep one.";
    SECRET_REFERENCE = "P211", Error, "a reference to a secret leads nowhere",
        "`env` takes the name of an environment variable (letters, digits, `_`), `file` a path, `command` a program and its arguments, \
         none of them empty. What does not look like a name in `env` may be the password itself, so it is not shown.";
    USER_WITHOUT_PASSWORD = "P212", Error, "a user without a password is never sent",
        "The server learns the user only together with a password (`AUTH user password`). Without `password` the connection would be that of the \
         default user, with other rights than meant. For a user with `nopass` any password will do.";
    TLS_UNUSED = "P213", Error, "certificates are given, but the url is not TLS",
        "`tls` has an effect only with a `rediss://` url. With `redis://` everything, passwords too, would travel in plain text although the plan \
         names certificates. Change the scheme to `rediss://` (often with another port), or delete `tls`.";
    TLS_PAIR = "P214", Error, "a client certificate and its key belong together",
        "A client proves itself with a certificate (`cert`) and its private key (`key`). One without the other cannot be used. Give both, or \
         neither when the server asks for no client certificate.";
    IMPOSSIBLE_RANGE = "P215", Error, "no version is in the range",
        "The comparisons of a version range must all hold, and no version fulfils these, so every start would be refused. A comparison \
         looks at the parts it names: `>7.2` starts at 7.3, and two bare versions can never both hold.";
    RDB_WITH_SERVER = "P216", Error, "a dump file has no server's settings",
        "`source.rdb` reads a file: there is no user, password, TLS, topology or server to expect anything of. These keys would be ignored, so \
         they are errors. Delete them, or use `url`.";
    SOURCE_TOO_OLD = "P217", Error, "a source of these versions cannot be copied",
        "The replication that a copy needs (`PSYNC`) came with Redis 2.8, and the plan expects the source to be older, so every start would be \
         refused. Correct `source.expect.version`, or upgrade the source first.";
    USER_BEFORE_ACL = "P218", Warning, "a user at a server that knows none",
        "Users (ACLs) came with Redis 6, and the plan expects this server to be older. Signing in with a user name would fail, and no user can be \
         deleted there. Delete `username`, give `cleanup` a program, or correct `expect.version`.";
    TLS_NAME = "P219", Error, "the certificate's name is no name",
        "`tls.server_name` is compared with the names in the server's certificate: a DNS name such as `redis.internal`, or an IP address. A \
         url, a port or a wildcard never equals one of them. Leave it out when the url's host is the name.";
    TLS_PATH = "P220", Error, "a path of a certificate is empty",
        "`tls.ca`, `tls.crl`, `tls.cert` and `tls.key` are paths of PEM files, relative to the plan file. An empty one leads nowhere. Whether the files \
         exist and can be used shows when the plan is checked or run, on the machine that runs it.";
}
