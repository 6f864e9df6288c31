//! A server that lives as long as this process: on a free port of the loopback interface, with a password of its own, in
//! a folder that is removed.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
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

/// The shell that holds the server: it ends the server when its standard input closes, so also when this process is
/// killed.
const KEEPER: &str = r#""$@" & server=$!; read -r _; kill "$server" 2>/dev/null; wait "$server""#;

/// A running server.
pub(super) struct Server {
    keeper: Child,
    port: u16,
    password: String,
    version: ServerVersion,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts `program` and waits until it answers.
    pub(super) fn start(program: &Path) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("redis-plan-demo-server-").tempdir()?;
        let password = random_word()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let keeper = spawn(program, port, &password, folder.path())?;
        let version = ServerVersion::redis(0, 0, 0);
        let mut server = Self { keeper, port, password, version, _folder: folder };
        server.version = server.wait(program)?;
        Ok(server)
    }

    /// A new connection to database 0.
    pub(super) fn connect(&self) -> Result<Connection, DemoError> {
        let login = RedisConnectionInfo::default().set_password(&self.password);
        let address = ConnectionAddr::Tcp(Ipv4Addr::LOCALHOST.to_string(), self.port);
        let info = address.into_connection_info()?.set_redis_settings(login);
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
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Writes the password to a file that only its owner reads.
    pub(super) fn keep_password(&self, path: &Path) -> Result<(), DemoError> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(std::io::Write::write_all(&mut file, self.password.as_bytes())?)
    }

    /// The password is this server's alone, so an answer does not come from somebody else's.
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

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        _ = self.keeper.wait();
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on 127.0.0.1:{}", self.version, self.port)
    }
}

/// The server gets a process group of its own: Ctrl-C is for this process, which then ends the run and the servers.
fn spawn(program: &Path, port: u16, password: &str, folder: &Path) -> Result<Child, DemoError> {
    let port = port.to_string();
    let log = PathBuf::from("server.log");
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "sh"]).arg(program);
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command
        .args(["--requirepass", password, "--masterauth", password])
        .arg("--dir")
        .arg(folder)
        .arg("--logfile")
        .arg(log);
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
