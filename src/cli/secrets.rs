//! Reads passwords from where a plan says they are. Nothing here shows one: errors name the place, never the content.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::engine::Passwords;
use crate::step::Graph;
use crate::unit::{Secret, SecretRef};

/// The longest password that is believed, bytes.
const MAX_LENGTH: usize = 64 << 10;

/// Why a password could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// The variable is not there.
    #[error("the {side}'s password: the environment variable {name} is not set")]
    Env {
        /// Whose.
        side: &'static str,
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("the {side}'s password: cannot read {}: {source}", path.display())]
    File {
        /// Whose.
        side: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The command cannot be run.
    #[error("the {side}'s password: cannot run {program}: {source}")]
    Start {
        /// Whose.
        side: &'static str,
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The command failed.
    #[error("the {side}'s password: {program} ended with {status}")]
    Status {
        /// Whose.
        side: &'static str,
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// What was read is no password.
    #[error("the {side}'s password: what {place} gave is {what}")]
    Unfit {
        /// Whose.
        side: &'static str,
        /// Where it came from.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Reads the passwords of both servers.
pub(super) fn passwords(graph: &Graph) -> Result<Passwords, SecretError> {
    let read = |side, place: &Option<SecretRef>| place.as_ref().map(|place| password(side, place)).transpose();
    Ok(Passwords {
        source: read("source", &graph.source.password)?,
        destination: read("destination", &graph.destination.password)?,
    })
}

fn password(side: &'static str, place: &SecretRef) -> Result<Secret, SecretError> {
    let bytes = match place {
        SecretRef::Env(name) => {
            let value = std::env::var_os(name).ok_or_else(|| SecretError::Env { side, name: name.clone() })?;
            value.into_encoded_bytes()
        }
        SecretRef::File(path) => without_newline(std::fs::read(path).map_err(|source| SecretError::File {
            side,
            path: path.clone(),
            source,
        })?),
        SecretRef::Command(argv) => without_newline(output(side, argv)?),
    };
    let unfit = |what| SecretError::Unfit { side, place: place.to_string(), what };
    match String::from_utf8(bytes) {
        Err(_) => Err(unfit("not UTF-8")),
        Ok(text) if text.is_empty() => Err(unfit("empty")),
        Ok(text) if text.len() > MAX_LENGTH => Err(unfit("longer than 64 KiB")),
        Ok(text) => Ok(Secret::from(text)),
    }
}

fn output(side: &'static str, argv: &[String]) -> Result<Vec<u8>, SecretError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(SecretError::Unfit { side, place: "an empty command".to_owned(), what: "nothing" });
    };
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let ran = ran.map_err(|source| SecretError::Start { side, program: program.clone(), source })?;
    if !ran.status.success() {
        return Err(SecretError::Status { side, program: program.clone(), status: ran.status });
    }
    Ok(ran.stdout)
}

/// Drops one newline at the end, as editors and programs put it there.
fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(place: &SecretRef) -> Result<String, String> {
        password("source", place).map(|secret| secret.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_newline_at_the_end_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret \n\n").unwrap();
        assert_eq!(read(&SecretRef::File(path)).as_deref(), Ok("s3cret \n"));
        let argv = ["printf", "%s\\n", "s3cret"].map(str::to_owned).to_vec();
        assert_eq!(read(&SecretRef::Command(argv)).as_deref(), Ok("s3cret"));
    }

    #[test]
    fn an_error_names_the_place_and_not_the_content() {
        let argv = ["sh", "-c", "echo hunter2; exit 3"].map(str::to_owned).to_vec();
        let text = read(&SecretRef::Command(argv)).unwrap_err();
        assert_eq!(text, "the source's password: sh ended with exit status: 3");
        let empty = SecretRef::Command(vec!["true".to_owned()]);
        assert_eq!(read(&empty).unwrap_err(), "the source's password: what command true gave is empty");
        let unset = SecretRef::Env("PLAN_TEST_THIS_IS_NOT_SET".to_owned());
        assert!(read(&unset).unwrap_err().contains("PLAN_TEST_THIS_IS_NOT_SET is not set"));
        assert!(read(&SecretRef::File("/nowhere/at/all".into())).unwrap_err().contains("/nowhere/at/all"));
    }
}
