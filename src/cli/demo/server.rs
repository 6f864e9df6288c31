//! A server that lives as long as this process: on a Unix socket in a folder that only this user enters and that is removed,
//! with a password of its own. It opens no port, and no process has the password in its arguments.

use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Connection, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};

use super::error::DemoError;
use crate::unit::{Dialect, ServerVersion};

/// A server that is not up by then will not come up.
const START: Duration = Duration::from_secs(20);

/// No answer of the demo's servers takes longer.
const ANSWER: Duration = Duration::from_secs(30);

/// The longest path of a Unix socket, in bytes (unix(7)): a server cuts a longer one off without a word.
const LONGEST_SOCKET: usize = 107;

/// The shell that holds the server: it ends the server when its standard input closes, so also when this process is
/// killed.
const KEEPER: &str = r#""$@" & server=$!; read -r _; kill "$server" 2>/dev/null; wait "$server""#;

/// A running server.
pub(super) struct DemoServer {
    keeper: Child,
    socket: PathBuf,
    password: String,
    version: ServerVersion,
    _folder: tempfile::TempDir,
}

impl DemoServer {
    /// Starts `program` and waits until it answers.
    pub(super) fn start(program: &Path) -> Result<Self, DemoError> {
        let folder = private_folder("redis-plan-demo-server-")?;
        let socket = folder.path().join("redis.sock");
        if socket.as_os_str().as_bytes().len() > LONGEST_SOCKET {
            return Err(DemoError::LongPath(socket));
        }
        let password = random_word()?;
        let configuration = folder.path().join("redis.conf");
        keep(&configuration, &configured(&socket, &password, folder.path()))?;
        let keeper = spawn(program, &configuration, folder.path())?;
        let version = ServerVersion::redis(0, 0, 0);
        let mut server = Self { keeper, socket, password, version, _folder: folder };
        server.version = server.wait(program)?;
        Ok(server)
    }

    /// A new connection to database 0.
    pub(super) fn connect(&self) -> Result<Connection, DemoError> {
        let login = RedisConnectionInfo::default().set_password(&self.password);
        let info = ConnectionAddr::Unix(self.socket.clone()).into_connection_info()?.set_redis_settings(login);
        let connection = redis::Client::open(info)?.get_connection_with_timeout(ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        connection.set_write_timeout(Some(ANSWER))?;
        Ok(connection)
    }

    /// The server's version.
    pub(super) const fn version(&self) -> ServerVersion {
        self.version
    }

    /// The server's URL, without its password.
    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Writes the password to a file that only its owner reads.
    pub(super) fn keep_password(&self, path: &Path) -> Result<(), DemoError> {
        keep(path, &self.password)
    }

    fn wait(&mut self, program: &Path) -> Result<ServerVersion, DemoError> {
        let failed = |reason: String| DemoError::Start { program: program.to_owned(), reason };
        let began = Instant::now();
        loop {
            match self.connect().and_then(|mut connection| version(&mut connection)) {
                Ok(version) => return Ok(version),
                Err(error) if began.elapsed() > START => return Err(failed(error.to_string())),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
            if let Some(status) = self.keeper.try_wait()? {
                return Err(failed(format!("it ended with {status}")));
            }
        }
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        _ = self.keeper.wait();
    }
}

impl std::fmt::Display for DemoServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.version, self.url())
    }
}

/// A folder that only this user enters, whatever the umask is.
pub(super) fn private_folder(prefix: &str) -> Result<tempfile::TempDir, DemoError> {
    let private = std::fs::Permissions::from_mode(0o700);
    Ok(tempfile::Builder::new().prefix(prefix).permissions(private).tempdir()?)
}

fn keep(path: &Path, text: &str) -> Result<(), DemoError> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// What the server reads from its file: arguments of a process are read by every user of the host.
fn configured(socket: &Path, password: &str, folder: &Path) -> String {
    let quoted = |path: &Path| format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""));
    let (socket, folder) = (quoted(socket), quoted(folder));
    format!(
        "port 0\nunixsocket {socket}\nunixsocketperm 700\nrequirepass {password}\nmasterauth {password}\n\
         save \"\"\nappendonly no\ndir {folder}\nlogfile server.log\n"
    )
}

/// The server gets a process group of its own: Ctrl-C is for this process, which then ends the run and the servers.
fn spawn(program: &Path, configuration: &Path, folder: &Path) -> Result<Child, DemoError> {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "sh"]).arg(program).arg(configuration);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(folder).process_group(0);
    Ok(command.spawn()?)
}

fn version(connection: &mut Connection) -> Result<ServerVersion, DemoError> {
    let info: String = redis::cmd("INFO").arg("server").query(connection)?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let valkey = field("valkey_version:").and_then(|text| ServerVersion::parse(Dialect::Valkey, text));
    let redis = || field("redis_version:").and_then(|text| ServerVersion::parse(Dialect::Redis, text));
    Ok(valkey.or_else(redis).unwrap_or(ServerVersion::redis(0, 0, 0)))
}

fn random_word() -> Result<String, DemoError> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}
