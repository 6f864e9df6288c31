//! Reading a secret from where a plan says it is.

use std::{
    io::{self, Read},
    path::Path,
    process::{Child, ChildStdout, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use secrecy::zeroize::Zeroizing;

use crate::{
    store::own::{OpenMode, open_regular},
    unit::{Secret, SecretRef, mask},
};

/// Longest secret, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// A secret that could not be read. Never holds any part of the secret or of a command's output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret in {from} cannot be read: {fault}")]
pub struct SecretError {
    /// Where it should be.
    pub from: SecretRef,
    /// Why not.
    pub fault: SecretFault,
}

/// Why a secret could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// The variable is not set.
    #[error("the variable is not set in this process's environment")]
    Unset,
    /// The file cannot be opened or read.
    #[error("{0}")]
    File(String),
    /// The command is an empty list.
    #[error("the list is empty; write the program and its arguments")]
    NoProgram,
    /// The program cannot be started.
    #[error("the program cannot be started ({0})")]
    Start(String),
    /// The program did not end in time and was killed.
    #[error("the program did not end within {} s and was killed; it gets no terminal and no input", .0.as_secs())]
    TooSlow(Duration),
    /// The program failed.
    #[error("the program failed ({0}); run it by hand to see why")]
    Failed(String),
    /// More bytes than any secret has.
    #[error("it is longer than {} KiB", MAX_BYTES >> 10)]
    TooLong,
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Not text.
    #[error("it is not UTF-8 text")]
    NotText,
}

/// Reads the secret: the variable as it is; the file or the program's standard output without one trailing newline. A
/// program runs in `folder`, without a shell, input or terminal, without the variables `withheld`, in a process group of its
/// own, for at most 30 s. Blocks.
pub fn resolve(from: &SecretRef, folder: &Path, withheld: &[&str]) -> Result<Secret, SecretError> {
    let read = match from {
        SecretRef::Env(name) => variable(name),
        SecretRef::File(path) => file(path),
        SecretRef::Command(argv) => program((folder, argv), withheld, COMMAND_LIMIT),
    };
    read.and_then(|bytes| text(&bytes)).inspect(mask).map_err(|fault| SecretError { from: from.clone(), fault })
}

type Bytes = Zeroizing<Vec<u8>>;

fn variable(name: &str) -> Result<Bytes, SecretFault> {
    use std::os::unix::ffi::OsStringExt;
    std::env::var_os(name).map(|value| Zeroizing::new(value.into_vec())).ok_or(SecretFault::Unset)
}

fn file(path: &Path) -> Result<Bytes, SecretFault> {
    let read = || bounded(open_regular(path, OpenMode::Read)?);
    let bytes = read().map_err(|error| SecretFault::File(error.to_string()))?;
    without_newline(bytes)
}

/// At most one byte more than allowed, so that too long shows.
fn bounded(from: impl Read) -> io::Result<Bytes> {
    // Room from the start: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 2));
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn without_newline(mut bytes: Bytes) -> Result<Bytes, SecretFault> {
    if bytes.len() > MAX_BYTES {
        return Err(SecretFault::TooLong);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

fn text(bytes: &Bytes) -> Result<Secret, SecretFault> {
    match std::str::from_utf8(bytes) {
        Ok("") => Err(SecretFault::Empty),
        Ok(text) => Ok(Secret::from(text)),
        Err(_) => Err(SecretFault::NotText),
    }
}

fn program((folder, argv): (&Path, &[String]), withheld: &[&str], limit: Duration) -> Result<Bytes, SecretFault> {
    let deadline = Instant::now() + limit;
    let mut command = crate::store::program(folder, argv).ok_or(SecretFault::NoProgram)?;
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    for variable in withheld {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(|error| SecretFault::Start(error.to_string()))?;
    let outcome = finish(&mut child, deadline);
    if !matches!(outcome, Ok(Some(_))) {
        kill(&mut child);
    }
    let (status, bytes) = outcome?.ok_or(SecretFault::TooSlow(limit))?;
    if bytes.len() > MAX_BYTES {
        return Err(SecretFault::TooLong);
    }
    if !status.success() {
        return Err(SecretFault::Failed(status.to_string()));
    }
    without_newline(bytes)
}

/// The program's end and its output; `None` when the time is over.
fn finish(child: &mut Child, deadline: Instant) -> Result<Option<(ExitStatus, Bytes)>, SecretFault> {
    let failed = |error: io::Error| SecretFault::Failed(error.to_string());
    let Some(output) = child.stdout.take() else { return Err(SecretFault::Failed("no output".into())) };
    let output = read_aside(output);
    let bytes = match output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(read) => read.map_err(failed)?,
        Err(_) => return Ok(None),
    };
    if bytes.len() > MAX_BYTES {
        return Err(SecretFault::TooLong);
    }
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(Some((status, bytes)));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads in a thread of its own: a program that neither writes nor ends must not hold us.
fn read_aside(output: ChildStdout) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more when the time was over.
        let _ = sender.send(bounded(output));
    });
    receiver
}

/// Kills the program with all it started.
fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may be gone already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn command(argv: &[&str]) -> SecretRef {
        SecretRef::Command(argv.iter().map(|arg| (*arg).to_owned()).collect())
    }

    fn fault(from: &SecretRef) -> SecretFault {
        resolve(from, Path::new("/"), &[]).unwrap_err().fault
    }

    fn written(bytes: &[u8]) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, bytes).unwrap();
        (folder, SecretRef::File(path))
    }

    #[test]
    fn a_file_loses_one_trailing_newline() {
        for (bytes, expected) in
            [(&b"a b "[..], "a b "), (b"pass\n", "pass"), (b"pass\r\n", "pass"), (b"p\n\n", "p\n"), (b"\nx", "\nx")]
        {
            let (_folder, from) = written(bytes);
            assert_eq!(resolve(&from, Path::new("/"), &[]).unwrap().expose_secret(), expected);
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let missing = SecretRef::File("/no/such/file".into());
        assert_eq!(fault(&missing), SecretFault::File("No such file or directory (os error 2)".into()));
        let (_empty, from) = written(b"\n");
        assert_eq!(fault(&from), SecretFault::Empty);
        let (_binary, from) = written(&[0xff, 0xfe]);
        assert_eq!(fault(&from), SecretFault::NotText);
        let (_long, from) = written(&vec![b'x'; 65 << 10]);
        assert_eq!(fault(&from), SecretFault::TooLong);
        assert_eq!(fault(&SecretRef::Env("REDIS_PLAN_NO_SUCH_VARIABLE".into())), SecretFault::Unset);
        assert_eq!(fault(&SecretRef::Env(String::new())), SecretFault::Unset);
    }

    #[test]
    fn a_variable_is_read() {
        let path = std::env::var("PATH").unwrap();
        assert_eq!(resolve(&SecretRef::Env("PATH".into()), Path::new("/"), &[]).unwrap().expose_secret(), path);
    }

    #[test]
    fn a_program_is_run_without_a_shell() {
        let secret = resolve(&command(&["printf", "%s\\n", "$HOME;*"]), Path::new("/"), &[]).unwrap();
        assert_eq!(secret.expose_secret(), "$HOME;*");
    }

    #[test]
    fn a_failing_program_tells_nothing_of_its_output() {
        let error = resolve(&command(&["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 3"]), Path::new("/"), &[])
            .unwrap_err();
        assert_eq!(error.fault, SecretFault::Failed("exit status: 3".into()));
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(matches!(fault(&command(&["/no/such/program"])), SecretFault::Start(_)));
        assert_eq!(fault(&command(&[])), SecretFault::NoProgram);
        assert_eq!(fault(&command(&["cat", "/dev/zero"])), SecretFault::TooLong);
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let limit = Duration::from_millis(200);
        for script in ["sleep 60", "sleep 60 & sleep 60", "exec >&-; sleep 60"] {
            let begun = Instant::now();
            let argv = ["sh", "-c", script].map(str::to_owned);
            assert_eq!(
                program((Path::new("/"), &argv), &[], limit).unwrap_err(),
                SecretFault::TooSlow(limit),
                "{script}"
            );
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
    }
}
