//! From PEM files to what a connection is opened with.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, ConfigBuilder, InconsistentKeys, RootCertStore, WantsVerifier,
    client::{VerifierBuilderError, WantsClientCert, WebPkiServerVerifier},
    crypto::ring,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use secrecy::zeroize::{Zeroize, Zeroizing};

use crate::store::own::{OpenMode, open_regular};

use super::TlsFault;
use crate::unit::{Address, TlsFiles};

/// More is neither a certificate bundle (the system's has 250 KiB) nor a key.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the files once, so that what is wrong with them shows before anything is done.
pub fn check(files: &TlsFiles, address: &Address) -> Result<(), TlsFault> {
    name(files, address)?;
    config(files).map(|_| ())
}

/// The name that the server's certificate must bear.
pub(in crate::net) fn name(files: &TlsFiles, address: &Address) -> Result<ServerName<'static>, TlsFault> {
    let host = match (&files.server_name, address) {
        (Some(name), _) => name.as_str(),
        (None, Address::Tcp { host, .. }) => host,
        (None, Address::Unix { .. }) => "",
    };
    ServerName::try_from(host.to_owned()).map_err(|_| TlsFault::NoName(host.to_owned()))
}

/// Whom to trust, and what to show. Blocks on files.
pub(in crate::net) fn config(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsFault> {
    let roots = match &files.ca {
        Some(path) => own(path)?,
        None => system()?,
    };
    let builder = match &files.crl {
        Some(path) => trusting_unless_revoked(roots, path)?,
        None => trusting(roots)?,
    };
    let (Some(cert), Some(key)) = (&files.cert, &files.key) else {
        return Ok(Arc::new(builder.with_no_client_auth()));
    };
    let certified = certified(cert, key)?;
    Ok(Arc::new(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))))
}

/// What sees no more than whether a server speaks TLS.
pub(in crate::net) fn trusting_nobody() -> Result<Arc<ClientConfig>, TlsFault> {
    Ok(Arc::new(trusting(RootCertStore::empty())?.with_no_client_auth()))
}

fn trusting(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsFault> {
    Ok(builder()?.with_root_certificates(roots))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsFault> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    builder.with_safe_default_protocol_versions().map_err(|error| TlsFault::Other(error.to_string()))
}

/// Trusts what the lists say nothing against: a certificate of an authority without a list, or with one whose time is over, is
/// refused, for it may be revoked.
fn trusting_unless_revoked(
    roots: RootCertStore,
    path: &Path,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsFault> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
        .with_crls(revocation_lists(path)?)
        .enforce_revocation_expiration()
        .build();
    let verifier = verifier.map_err(|error| match error {
        VerifierBuilderError::InvalidCrl(error) => TlsFault::File { path: path.to_owned(), why: format!("{error:?}") },
        error => TlsFault::Other(error.to_string()),
    })?;
    Ok(builder()?.with_webpki_verifier(verifier))
}

fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsFault> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(no(path, "revocation list")),
        Ok(found) => Ok(found),
        Err(error) => Err(broken(path, &error)),
    }
}

/// The client's certificate with its key, which is wiped once the library has taken it in.
fn certified(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsFault> {
    let mut secret = private_key(key)?;
    let signing = ring::sign::any_supported_type(&secret);
    secret.zeroize();
    let unusable = |error: rustls::Error| TlsFault::File { path: key.to_owned(), why: error.to_string() };
    let certified = CertifiedKey::new(certificates(cert)?, signing.map_err(unusable)?);
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsFault::KeyMismatch { cert: cert.to_owned(), key: key.to_owned() })
        }
        Err(rustls::Error::InconsistentKeys(_)) | Ok(()) => Ok(certified),
        Err(error) => Err(TlsFault::File { path: cert.to_owned(), why: error.to_string() }),
    }
}

fn own(path: &Path) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let why = |error: rustls::Error| TlsFault::File { path: path.to_owned(), why: error.to_string() };
        roots.add(certificate).map_err(why)?;
    }
    Ok(roots)
}

/// What the system trusts; single certificates there that cannot be used are left out.
fn system() -> Result<RootCertStore, TlsFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        _ if added > 0 => Ok(roots),
        None => Err(TlsFault::NoRoots("it has none".to_owned())),
        Some(error) => Err(TlsFault::NoRoots(error.to_string())),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(no(path, "certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(broken(path, &error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let bytes = read(path)?;
    if bytes.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
        return Err(TlsFault::EncryptedKey(path.to_owned()));
    }
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(no(path, "private key")),
        Err(error) => Err(broken(path, &error)),
    }
}

/// In the header of a key that has a passphrase, of either format.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

fn no(path: &Path, what: &'static str) -> TlsFault {
    TlsFault::Missing { path: path.to_owned(), what }
}

/// What is wrong with a PEM file. Nothing of the file is repeated: it may be a key.
fn broken(path: &Path, error: &pem::Error) -> TlsFault {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "a block of it has no end line: it was cut short",
        pem::Error::IllegalSectionStart { .. } => "a block of it has a first line that cannot be read",
        pem::Error::Base64Decode(_) => "a block of it is not base64",
        _ => "it is no PEM file",
    };
    TlsFault::File { path: path.to_owned(), why: why.to_owned() }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsFault> {
    let read = || -> io::Result<Zeroizing<Vec<u8>>> {
        let file = open_regular(path, OpenMode::Read)?;
        let size = usize::try_from(file.metadata()?.len().min(MAX_BYTES)).unwrap_or_default();
        // Room from the start: a vector that grows leaves copies of a key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(64)));
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > MAX_BYTES => {
            Err(TlsFault::File { path: path.to_owned(), why: format!("it is longer than {} MiB", MAX_BYTES >> 20) })
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(TlsFault::File { path: path.to_owned(), why: error.to_string() }),
    }
}
