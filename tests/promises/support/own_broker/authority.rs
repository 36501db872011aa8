//! A certificate authority of a test's own.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// PEM files: the authority's certificate, and what it has signed.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Signs a certificate for a server called `localhost`, which is not one for `127.0.0.1`, and
    /// one for a client. Another authority lies beside them, which has signed neither.
    pub fn create(folder: &Path) -> Self {
        let authority = Self { folder: folder.join("tls") };
        fs::create_dir(&authority.folder).unwrap();
        authority.found("other");
        let issuer = authority.found("authority");
        for (name, host) in [("server", "localhost"), ("client", "worker")] {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap();
            let certificate = certificate.signed_by(&key, &issuer).unwrap();
            fs::write(authority.certificate(name), certificate.pem()).unwrap();
            fs::write(authority.key(name), key.serialize_pem()).unwrap();
        }
        authority
    }

    fn found(&self, name: &str) -> Issuer<'static, KeyPair> {
        let key = KeyPair::generate().unwrap();
        let mut itself = CertificateParams::default();
        itself.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        itself.distinguished_name.push(DnType::CommonName, name);
        let certificate = itself.self_signed(&key).unwrap();
        fs::write(self.certificate(name), certificate.pem()).unwrap();
        Issuer::new(itself, key)
    }

    /// The PEM file of `authority`, `other`, `server` or `client`.
    pub fn certificate(&self, of: &str) -> String {
        self.folder.join(of).with_extension("pem").to_str().unwrap().to_owned()
    }

    /// The PEM file with the private key of `server` or `client`.
    pub fn key(&self, of: &str) -> String {
        self.folder.join(of).with_extension("key").to_str().unwrap().to_owned()
    }
}
