//! TLS to mail servers: trusted certificates, and explanations of failures.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem, pem::PemObject};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Why TLS cannot be set up with the operator's certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("it holds no certificate in PEM: {0}")]
    BrokenPem(pem::Error),
    #[error("it holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")")]
    NoCertificate,
    #[error("it cannot be used: {0}")]
    Unusable(VerifierBuilderError),
    #[error("TLS cannot be set up: {0}")]
    NotSetUp(Error),
}

/// The certificates in a PEM text.
///
/// # Errors
/// When there is none.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(TlsError::BrokenPem)?;
    if found.is_empty() { Err(TlsError::NoCertificate) } else { Ok(found) }
}

/// How many authorities the system trusts, and what of their certificates could not be read.
pub fn system_roots() -> (usize, Vec<String>) {
    let found = rustls_native_certs::load_native_certs();
    (found.certs.len(), found.errors.iter().map(ToString::to_string).collect())
}

/// TLS that trusts the system's authorities and the operator's own certificates: authorities, or the exact certificate of a
/// server.
///
/// # Errors
/// When the PEM text holds no certificate that can be used.
pub fn client_config(extra_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let own = extra_pem.map(certificates).transpose()?.unwrap_or_default();
    // A certificate that cannot be an authority is trusted only as itself.
    roots.add_parsable_certificates(own.iter().cloned());
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let authorities = if roots.is_empty() {
        None
    } else {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        Some(builder.build().map_err(TlsError::Unusable)?)
    };
    let trusted = PinnedVerifier { authorities, own, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::NotSetUp)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trusted))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Accepts a certificate issued by an authority, or named by the operator itself; for the latter, host name and issuer do not
/// matter.
#[derive(Debug)]
struct PinnedVerifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(certificate, intermediates, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        let Err(fault) = verified else { return verified };
        let is_outdated = matches!(
            &fault,
            Error::InvalidCertificate(
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
            )
        );
        if !is_outdated && self.own.iter().any(|own| own.as_ref() == certificate.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(fault)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why TLS with a server failed, in words that say what to do; `has_ca_file` says whether the operator named a certificate.
pub fn explain(error: &std::io::Error, host: &str, has_ca_file: bool) -> String {
    let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return format!("TLS failed: {error}");
    };
    match fault {
        Error::InvalidCertificate(fault) => of_certificate(fault, host, has_ca_file),
        Error::InvalidMessage(_) => "it does not speak TLS there: smtps:// is TLS from the first byte (mostly port 465), smtp:// begins with STARTTLS (mostly 587)".into(),
        other => format!("TLS failed: {other}"),
    }
}

fn of_certificate(fault: &CertificateError, host: &str, has_ca_file: bool) -> String {
    match fault {
        CertificateError::BadSignature if !has_ca_file => "its certificate is signed by another key than that of the authority which it names: name its authority's certificate, or its own, in a PEM file as [mail] ca_file".into(),
        CertificateError::BadSignature => "its certificate is signed by another key than the one of that name in ca_file: was it renewed?".into(),
        CertificateError::UnknownIssuer => "no authority trusted by this machine signed its certificate: name its authority's certificate, or its own if it is self-signed, in a PEM file as [mail] ca_file".into(),
        CertificateError::NotValidForName => format!("its certificate is not for the name {host}"),
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            format!("its certificate is for {}, and not for {host}", presented.join(", "))
        }
        CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate names no host in subjectAltName, and so not {host}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is the clock of this machine right?".into()
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") && !has_ca_file => {
            "it presents a CA certificate that no authority trusted by this machine signed: save exactly that certificate as a PEM file, and name it as [mail] ca_file".into()
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it presents a CA certificate that is not the one in ca_file: save exactly that certificate in [mail] ca_file".into()
        }
        other => format!("its certificate cannot be used: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As webpki calls it.
    #[derive(Debug)]
    struct CaUsedAsEndEntity;

    impl std::fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("CaUsedAsEndEntity")
        }
    }

    impl std::error::Error for CaUsedAsEndEntity {}

    #[test]
    fn a_self_signed_certificate_is_trusted_where_it_is_named_and_faults_are_words() {
        let host = ServerName::try_from("mail.example").unwrap();
        let made = |names: &[&str], is_authority: bool, years: std::ops::Range<i32>| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut wanted = rcgen::CertificateParams::new(names).unwrap();
            if is_authority {
                wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }
            wanted.not_before = rcgen::date_time_ymd(years.start, 1, 1);
            wanted.not_after = rcgen::date_time_ymd(years.end, 1, 1);
            wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
        };
        let verdict = |shown: &rcgen::Certificate, named: &rcgen::Certificate| {
            let certificate = |of: &rcgen::Certificate| of.der().clone();
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates([certificate(named)]);
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            let trusted =
                PinnedVerifier { authorities: builder.build().ok(), own: vec![certificate(named)], provider };
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_700_000_000));
            match trusted.verify_server_cert(&certificate(shown), &[], &host, &[], now) {
                Ok(_) => String::new(),
                Err(fault) => explain(&std::io::Error::other(fault), "mail.example", true),
            }
        };
        let good = made(&["mail.example"], false, 2020..2040);
        let authority = made(&["mail.example"], true, 2020..2040);
        let nameless = made(&[], true, 2020..2040);
        for certificate in [&good, &authority, &nameless] {
            assert_eq!(verdict(certificate, certificate), "");
        }
        assert!(verdict(&good, &authority).contains("ca_file"), "{}", verdict(&good, &authority));
        // Without a ca_file, the advice is to name one.
        let of_authority = || CertificateError::Other(rustls::OtherError(Arc::new(CaUsedAsEndEntity)));
        for (fault, has_ca_file, want) in [
            (of_authority(), false, "no authority trusted by this machine signed"),
            (of_authority(), true, "not the one in ca_file"),
            (CertificateError::BadSignature, false, "name its authority's certificate"),
            (CertificateError::BadSignature, true, "was it renewed?"),
        ] {
            let said = of_certificate(&fault, "mail.example", has_ca_file);
            assert!(said.contains(want), "{said}");
        }
        let old = made(&["mail.example"], false, 2019..2020);
        assert!(verdict(&old, &old).contains("has expired"));
        assert!(client_config(Some(b"nothing")).unwrap_err().to_string().contains("no certificate"));
    }
}
