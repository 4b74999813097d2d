//! Certificates as servers show them, and the time for which they hold. Nothing of them is trusted: whoever asks sends nothing.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// Tags of DER (X.690) that stand before the validity of a certificate (RFC 5280 section 4.1).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Takes note of the certificate that a server shows, be it good or not.
#[derive(Debug)]
pub struct CertificateObserver {
    seen: Mutex<Option<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl CertificateObserver {
    /// An observer, and the settings of a connection that it watches.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<(Arc<CertificateObserver>, Arc<ClientConfig>), Error> {
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let observer = Arc::new(CertificateObserver { seen: Mutex::default(), provider: provider.clone() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(observer.clone())
            .with_no_client_auth();
        Ok((observer, Arc::new(config)))
    }

    /// The time for which the certificate that was shown holds.
    pub fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        validity(self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_deref()?)
    }
}

impl ServerCertVerifier for CertificateObserver {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The time for which a certificate holds; `None` if it cannot be read.
fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (certificate, _) = content(der, SEQUENCE)?;
    let (mut rest, _) = content(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, algorithm and issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (validity, _) = content(rest, SEQUENCE)?;
    let (tag, from, rest) = element(validity)?;
    let (until_tag, until, _) = element(rest)?;
    Some((moment(tag, from)?, moment(until_tag, until)?))
}

/// The content of the first element, which has to have this tag, and what follows it.
fn content(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // In so many bytes; a certificate needs no more than three.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A time of a certificate (RFC 5280 section 4.1.2.5): two digits of a year are of 1950 to 2049.
fn moment(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let whole = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", whole).ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_certificate_is_read_and_no_bytes_are_too_odd() {
        let made = |from: i32, until: i32| {
            let mut wanted = rcgen::CertificateParams::new(vec!["x.example".to_owned()]).unwrap();
            wanted.not_before = rcgen::date_time_ymd(from, 3, 9);
            wanted.not_after = rcgen::date_time_ymd(until, 12, 31);
            wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
        };
        for (from, until) in [(1998, 2049), (2020, 2050), (2022, 2150)] {
            let (first, last) = validity(&made(from, until)).unwrap();
            assert_eq!(first.to_string(), format!("{from}-03-09T00:00:00Z"));
            assert_eq!(last.to_string(), format!("{until}-12-31T00:00:00Z"));
        }
        let good = made(2022, 2023);
        for end in 0..good.len() {
            // A part of one is none, and nothing more.
            let _ = validity(&good[..end]);
            let mut odd = good.clone();
            odd[end] ^= 0xff;
            let _ = validity(&odd);
        }
        assert_eq!(validity(b""), None);
        assert_eq!(validity(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
