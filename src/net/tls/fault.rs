//! Why a connection cannot be encrypted.

use std::{io, path::PathBuf, time::Duration};

use rustls::{AlertDescription, CertificateError, Error, pki_types::UnixTime};

/// A connection that TLS does not come to, or that it broke, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// A file that cannot be read, or holds what cannot be used.
    #[error("the file {}: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A PEM file without what it is for.
    #[error("the file {} holds no {what} in PEM form (`-----BEGIN …-----`)", .path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A key with a passphrase.
    #[error(
        "the private key in {} has a passphrase, which nobody is there to type: write it without one \
         (`openssl pkey -in KEY -out PLAIN`) into a file that only this account reads",
        .0.display()
    )]
    EncryptedKey(PathBuf),
    /// Certificate and key are not a pair.
    #[error("the key in {} does not belong to the certificate in {}", .key.display(), .cert.display())]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no list of trusted authorities ({0}): install one (`ca-certificates`), or give the server's own \
         authority as `tls.ca`"
    )]
    NoRoots(String),
    /// There is nothing to compare the certificate with.
    #[error("`{0}` is neither a host name nor an IP address that a certificate could be for: give `tls.server_name`")]
    NoName(String),
    /// The server answered in plain text.
    #[error(
        "the server does not speak TLS on this port: name the port it does it on (`tls-port`), or write `redis://` when it \
         has none"
    )]
    PlainText,
    /// The server speaks TLS to somebody who does not.
    #[error("the server speaks TLS on this port: write `rediss://` in the url, or name its port for plain text")]
    Encrypted,
    /// No answer to the handshake.
    #[error(
        "no answer to the TLS handshake within {} s: does the server speak TLS on this port (`tls-port`)?",
        .0.as_secs_f32()
    )]
    NoAnswer(Duration),
    /// The server hung up in the handshake.
    #[error(
        "the server closed the connection during the TLS handshake: its log says why (no TLS on this port, protected mode, \
         all client connections taken)"
    )]
    BrokenOff,
    /// Nobody who is trusted has signed the certificate.
    #[error(
        "the server's certificate is signed by no authority that is trusted here: give the authority's certificate as \
         `tls.ca`, once you know that it is the right one"
    )]
    UnknownAuthority,
    /// The certificate is another server's.
    #[error(
        "the server's certificate is not for `{expected}` but for {}: take a name from there as the url's host, or give it as \
         `tls.server_name`",
        names(.presented)
    )]
    WrongName {
        /// What it should be for.
        expected: String,
        /// What it is for.
        presented: Vec<String>,
    },
    /// The certificate is too old.
    #[error("the server's certificate has expired{}: renew it there, or set this host's clock", days(.0.as_ref(), "ago"))]
    Expired(Option<Duration>),
    /// The certificate is too young.
    #[error("the server's certificate is not valid yet{}: is this host's clock right?", days(.0.as_ref(), "to go"))]
    NotYet(Option<Duration>),
    /// An authority's certificate where a server's should be.
    #[error(
        "the server shows an authority's certificate (`CA:TRUE`) as its own: sign a certificate for the server with it, and \
         give the authority's as `tls.ca`"
    )]
    AuthorityAsServer,
    /// Its authority has withdrawn the certificate.
    #[error(
        "the server's certificate, or that of an authority in its chain, was revoked by its authority: do not trust the server \
         at this address until it shows a new certificate"
    )]
    Revoked,
    /// The lists say nothing of an authority in the chain.
    #[error(
        "nobody can say whether the server's certificate was revoked: `tls.crl` does not hold a list of every authority in its \
         chain that the authority has signed; put their lists into that file, one after the other"
    )]
    RevocationUnknown,
    /// A list whose next one is out.
    #[error(
        "a revocation list in `tls.crl` is out of date{}: fetch the authority's newest one, or set this host's clock",
        days(.0.as_ref(), "ago")
    )]
    RevocationListExpired(Option<Duration>),
    /// Anything else that is wrong with the certificate.
    #[error("the server's certificate cannot be accepted: {0}")]
    Certificate(String),
    /// The server wants to know who we are.
    #[error("the server asks for a client certificate: give `tls.cert` and `tls.key`")]
    WantsCertificate,
    /// The server does not accept who we are.
    #[error(
        "the server does not accept the client certificate ({0}): is `tls.cert` signed by the authority in the server's \
         `tls-ca-cert-file`, and not expired?"
    )]
    CertificateRefused(String),
    /// No version or cipher that both know.
    #[error(
        "both sides have no TLS version and cipher in common (here TLS 1.2 and 1.3 with modern ciphers): see the server's \
         `tls-protocols` and `tls-ciphers`; a server with TLS 1.2 says the same when it asks for a client certificate"
    )]
    NothingInCommon,
    /// Anything else.
    #[error("encryption failed: {0}")]
    Other(String),
}

impl TlsFault {
    /// Whether trying again later may succeed without anybody changing anything.
    pub fn passes(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::BrokenOff | Self::Other(_))
    }

    /// What an error of the library means.
    pub(in crate::net) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::InvalidCertRevocationList(_) => Self::RevocationUnknown,
            Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Self::PlainText,
            Error::AlertReceived(alert) => of_alert(*alert),
            Error::PeerIncompatible(_) => Self::NothingInCommon,
            error => Self::Other(error.to_string()),
        }
    }

    /// Whether an error in a handshake comes from a server that speaks TLS: it showed a certificate, or sent an alert.
    pub(in crate::net) fn shows_tls(error: &io::Error) -> bool {
        let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        matches!(error, Some(Error::InvalidCertificate(_) | Error::AlertReceived(_) | Error::PeerIncompatible(_)))
    }

    /// What an alert means that came unencrypted.
    pub(in crate::net) fn of_record(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x15, _, _, 0, 2, _, code, ..] => Some(of_alert(AlertDescription::from(*code))),
            _ => None,
        }
    }

    /// What the first byte of a server that was spoken to in plain text tells: an alert or a handshake of TLS.
    pub(in crate::net) fn of_first_byte(byte: u8) -> Option<Self> {
        matches!(byte, 0x15 | 0x16).then_some(Self::Encrypted)
    }
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    let between = |later: UnixTime, earlier: UnixTime| {
        Some(Duration::from_secs(later.as_secs().saturating_sub(earlier.as_secs())))
    };
    match error {
        // A signature that does not fit is that of another authority with the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownAuthority,
        CertificateError::Expired => TlsFault::Expired(None),
        CertificateError::ExpiredContext { time, not_after } => TlsFault::Expired(between(*time, *not_after)),
        CertificateError::NotValidYet => TlsFault::NotYet(None),
        CertificateError::NotValidYetContext { time, not_before } => TlsFault::NotYet(between(*not_before, *time)),
        CertificateError::Revoked => TlsFault::Revoked,
        CertificateError::UnknownRevocationStatus => TlsFault::RevocationUnknown,
        CertificateError::ExpiredRevocationList => TlsFault::RevocationListExpired(None),
        CertificateError::ExpiredRevocationListContext { time, next_update } => {
            TlsFault::RevocationListExpired(between(*time, *next_update))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            TlsFault::WrongName { expected: expected.to_str().into_owned(), presented: presented.clone() }
        }
        error if error.to_string().contains("CaUsedAsEndEntity") => TlsFault::AuthorityAsServer,
        error => TlsFault::Certificate(error.to_string()),
    }
}

fn of_alert(alert: AlertDescription) -> TlsFault {
    match alert {
        AlertDescription::CertificateRequired => TlsFault::WantsCertificate,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => TlsFault::CertificateRefused(format!("{alert:?}")),
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity => TlsFault::NothingInCommon,
        alert => TlsFault::Other(format!("the server sent the alert {alert:?}")),
    }
}

/// The names in a certificate, as many as a line holds. What the server sends is not trusted to be printable.
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 5;
    if presented.is_empty() {
        return "no name at all (a `subjectAltName` counts, the common name does not)".to_owned();
    }
    let mut names: Vec<String> =
        presented.iter().take(SHOWN).map(|name| crate::unit::KeyText(name.as_bytes()).to_string()).collect();
    if presented.len() > SHOWN {
        names.push(format!("{} more", presented.len() - SHOWN));
    }
    names.join(", ")
}

fn days(time: Option<&Duration>, direction: &str) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match time.map(Duration::as_secs) {
        None => String::new(),
        Some(seconds) if seconds < DAY => format!(" (less than a day {direction})"),
        Some(seconds) => format!(" ({} days {direction})", seconds / DAY),
    }
}
