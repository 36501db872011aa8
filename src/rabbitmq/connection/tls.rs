//! Reads the certificates for `amqps`, for every connection, since they may have been renewed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;
use crate::limits::LONGEST_PEM;
use crate::outcome::SourceError;

/// Trusts the system's authorities and the file's, and shows the client certificate, where there
/// is one.
///
/// # Errors
///
/// The key, its file, and what is wrong with it.
pub(in crate::rabbitmq) fn connector(tls: &Tls) -> Result<RustlsConnector, SourceError> {
    let mut config = match (RustlsConnectorConfig::new_with_native_certs(), &tls.ca_file) {
        (Ok(config), _) => config,
        // A small container has no authorities of its own, and with a private one needs none.
        (Err(_), Some(_)) => RustlsConnectorConfig::default(),
        (Err(error), None) => {
            return Err(SourceError::Failed(format!(
                "the system's root certificates: {error}; install them, or set amqp.ca_file"
            )));
        }
    };
    if let Some(file) = &tls.ca_file {
        config.add_parsable_certificates(authorities(file)?);
    }
    match (&tls.cert_file, &tls.key_file) {
        (Some(cert), Some(key)) => config
            .connector_with_single_cert(certificates("cert_file", cert)?, private_key(key)?)
            .map_err(|error| {
                let (cert, key) = (cert.display(), key.display());
                let wrong = explain_pair(&error);
                SourceError::Failed(format!(
                    "amqp.cert_file {cert} and amqp.key_file {key}: {wrong}"
                ))
            }),
        _ => config
            .connector_with_no_client_auth()
            .map_err(|error| SourceError::Failed(error.to_string())),
    }
}

/// What is wrong with each of the files, or with all together.
pub(in crate::rabbitmq) fn faults(tls: &Tls) -> Vec<SourceError> {
    let Tls { ca_file, cert_file, key_file } = tls;
    let of_files = [
        ca_file.as_deref().and_then(|file| authorities(file).err()),
        cert_file.as_deref().and_then(|file| certificates("cert_file", file).err()),
        key_file.as_deref().and_then(|file| private_key(file).err()),
    ];
    let of_files: Vec<_> = of_files.into_iter().flatten().collect();
    if of_files.is_empty() { connector(tls).err().into_iter().collect() } else { of_files }
}

fn explain_pair(error: &io::Error) -> String {
    let said = error.to_string();
    if said.contains("KeyMismatch") {
        return "the key is not the certificate's; give the pair".to_owned();
    }
    said
}

/// The library's own words show lines as lists of numbers.
fn explain_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a section has no END line; the file may be cut off".to_owned()
        }
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line in it is malformed".to_owned(),
        other => other.to_string(),
    }
}

fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let certificates = certificates("ca_file", file)?;
    // What can't be used would be passed over in silence later.
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        let malformed = "an invalid certificate is in it; give X.509 certificates as PEM";
        store.add(certificate.clone()).map_err(|_| wrong("ca_file", file, &malformed))?;
    }
    Ok(certificates)
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let pem = read(key, file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(key, file, &explain_pem(&error)))?;
    if certificates.is_empty() {
        return Err(wrong(key, file, &"no certificate is in it; give a PEM file"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, SourceError> {
    let pem = read("key_file", file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            wrong("key_file", file, &"no private key is in it; give an unencrypted PEM file")
        }
        error => wrong("key_file", file, &explain_pem(&error)),
    })
}

fn read(key: &str, file: &Path) -> Result<Vec<u8>, SourceError> {
    let mut pem = Vec::new();
    let read = File::open(file).and_then(|it| it.take(LONGEST_PEM + 1).read_to_end(&mut pem));
    read.map_err(|error| wrong(key, file, &error))?;
    if pem.len() as u64 > LONGEST_PEM {
        return Err(wrong(
            key,
            file,
            &"it has more than 4 MiB; give a PEM file of certificates or of a key",
        ));
    }
    Ok(pem)
}

fn wrong(key: &str, file: &Path, what: &dyn std::fmt::Display) -> SourceError {
    SourceError::Failed(format!("amqp.{key} {}: {what}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_off_is_said_to_be_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.pem");
        for (text, words) in [
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "no END line; the file may be cut off"),
            ("-----BEGIN CERTIFICATE\nAAAA\n", "a BEGIN line in it is malformed"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = certificates("ca_file", &path).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains('['), "{error}");
        }
    }

    #[test]
    fn a_file_that_never_ends_is_read_no_further_than_certificates_may_be() {
        for key in ["ca_file", "cert_file", "key_file"] {
            let error = read(key, Path::new("/dev/zero")).unwrap_err().to_string();
            let expected = format!("amqp.{key} /dev/zero: it has more than 4 MiB");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
