//! DKIM signatures (RFC 6376, RFC 8463) over a message as sent. Our own implementation: lettre's does not sign Content-Type,
//! which it folds afterwards, and allows headers to be added in transit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use sha2::{Digest as _, Sha256};

use super::records::PublicKey;

/// Headers that are oversigned, so that one added in transit breaks the signature (RFC 6376 section 8.15).
const OVERSIGNED: [&str; 9] = [
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Content-Type",
];
/// Headers that are signed as present. Both List-Unsubscribe headers must be signed (RFC 8058 section 4).
const SIGNED: [&str; 11] = [
    "Message-ID",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "Content-Language",
    "List-Id",
    "List-Archive",
    "List-Help",
    "Precedence",
    "Auto-Submitted",
    "Feedback-ID",
    "Sender",
];
/// Bytes of the signature per line.
const FOLDED: usize = 72;

/// A DKIM key.
pub struct DkimKey<'a> {
    pub domain: &'a str,
    pub selector: &'a str,
    /// RSA: PKCS#1 or PKCS#8 in PEM; Ed25519: 32 bytes in Base64.
    pub key: &'a str,
    pub is_ed25519: bool,
}

/// A public RSA key with its algorithm (SubjectPublicKeyInfo, RFC 5280 section 4.1), in DER.
fn with_algorithm(key: &[u8]) -> Vec<u8> {
    /// rsaEncryption, without parameters (RFC 3279 section 2.3.1).
    const RSA: [u8; 15] = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let element = |tag: u8, contents: &[u8]| {
        let length = contents.len().to_be_bytes();
        let short: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
        let mut out = vec![tag];
        if contents.len() >= 0x80 {
            out.push(0x80 | short.len() as u8);
        }
        out.extend(if contents.is_empty() { vec![0] } else { short });
        out.extend_from_slice(contents);
        out
    };
    // A bit string whose last byte is used whole.
    let bits = element(3, &[&[0], key].concat());
    element(0x30, &[&RSA[..], &bits].concat())
}

/// A key that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("the DKIM key of {domain} cannot be used: {fault}")]
pub struct KeyError {
    pub domain: String,
    pub fault: KeyFault,
}

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    #[error("it is not valid Base64")]
    Base64,
    #[error("it is not 32 bytes long")]
    Length,
    #[error("it is not a private key in PEM")]
    Pem,
    #[error("it is not an RSA key of 2048 to 4096 bits")]
    Rsa(KeyRejected),
    #[error("its domain is not valid")]
    Domain,
}

/// There are no random numbers for a signature.
#[derive(Debug, thiserror::Error)]
#[error("signing failed: no random numbers")]
pub struct SigningError;

/// Signs messages with one key.
#[derive(Debug)]
pub struct Signer {
    domain: String,
    selector: String,
    key: DkimSigningKey,
}

enum DkimSigningKey {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for DkimSigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DkimSigningKey(…)")
    }
}

impl Signer {
    /// # Errors
    /// When the key is unusable.
    pub fn new(key: &DkimKey) -> Result<Signer, KeyError> {
        let wrong = |fault| KeyError { domain: key.domain.to_owned(), fault };
        let signing = if key.is_ed25519 {
            let seed = BASE64.decode(key.key.trim()).map_err(|_| wrong(KeyFault::Base64))?;
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| wrong(KeyFault::Length))?;
            DkimSigningKey::Ed25519(Box::new(pair))
        } else {
            let pem = key.key.as_bytes();
            let pair = match PrivatePkcs1KeyDer::from_pem_slice(pem) {
                Ok(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
                Err(_) => {
                    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| wrong(KeyFault::Pem))?;
                    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
                }
            };
            let pair = pair.map_err(|error| wrong(KeyFault::Rsa(error)))?;
            DkimSigningKey::Rsa(Box::new(pair))
        };
        let domain =
            crate::model::mail_address::ascii_domain(key.domain).ok_or_else(|| wrong(KeyFault::Domain))?;
        Ok(Signer { domain, selector: key.selector.to_owned(), key: signing })
    }

    /// The key that receivers need.
    pub fn public_key(&self) -> PublicKey {
        let (domain, selector) = (self.domain.clone(), self.selector.clone());
        let (algorithm, bytes, bare) = match &self.key {
            DkimSigningKey::Rsa(pair) => {
                let bare = pair.public().as_ref().to_vec();
                ("rsa", with_algorithm(&bare), Some(bare))
            }
            DkimSigningKey::Ed25519(pair) => ("ed25519", pair.public_key().as_ref().to_vec(), None),
        };
        PublicKey { domain, selector, algorithm, bytes, bare }
    }

    /// The signature header of a message, with its line end. Headers and body are given exactly as sent.
    ///
    /// # Errors
    /// When no random numbers are available for signing.
    pub fn sign(&self, head: &str, body: &[u8]) -> Result<String, SigningError> {
        let headers = headers(head);
        let (mut names, mut signed) = (Vec::new(), String::new());
        let places =
            OVERSIGNED.iter().map(|name| (name, true)).chain(SIGNED.iter().map(|name| (name, false)));
        for (name, is_over) in places {
            // The last occurrence comes first (RFC 6376 section 5.4.2).
            for (_, value) in headers.iter().rev().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
                names.push(*name);
                signed.push_str(&relaxed(name, value));
                signed.push_str("\r\n");
            }
            if is_over {
                names.push(*name);
            }
        }
        let algorithm = match self.key {
            DkimSigningKey::Rsa(_) => "rsa-sha256",
            DkimSigningKey::Ed25519(_) => "ed25519-sha256",
        };
        let start = format!(
            "v=1; a={algorithm}; c=relaxed/relaxed;\r\n\td={}; s={};\r\n\tbh={};\r\n\th={};\r\n\tb=",
            self.domain,
            self.selector,
            BASE64.encode(Sha256::digest(relaxed_body(body))),
            names.join(":\r\n\t ").to_ascii_lowercase()
        );
        signed.push_str(&relaxed("DKIM-Signature", &start));
        let signature = BASE64.encode(self.key.sign(signed.as_bytes())?);
        let lines: Vec<&str> = (0..signature.len())
            .step_by(FOLDED)
            .map(|at| &signature[at..signature.len().min(at + FOLDED)])
            .collect();
        Ok(format!("DKIM-Signature: {start}{}\r\n", lines.join("\r\n\t ")))
    }
}

impl DkimSigningKey {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SigningError> {
        match self {
            DkimSigningKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
                    .map_err(|_| SigningError)?;
                Ok(signature)
            }
            // RFC 8463 section 3: what is signed is the hash.
            DkimSigningKey::Ed25519(pair) => Ok(pair.sign(&Sha256::digest(text)).as_ref().to_vec()),
        }
    }
}

/// Names and values of headers in order, still folded.
fn headers(head: &str) -> Vec<(&str, &str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        let mut end = 0;
        loop {
            end = rest[end..].find("\r\n").map_or(rest.len(), |at| end + at + 2);
            if !rest[end..].starts_with([' ', '\t']) {
                break;
            }
        }
        found.extend(rest[..end].split_once(':'));
        rest = &rest[end..];
    }
    found
}

/// Relaxed header canonicalization (RFC 6376 section 3.4.2), without the line end.
fn relaxed(name: &str, value: &str) -> String {
    let words: Vec<&str> = value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect();
    format!("{}:{}", name.to_ascii_lowercase(), words.join(" "))
}

/// Relaxed body canonicalization (RFC 6376 section 3.4.4).
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut is_space = false;
        for byte in line {
            if matches!(byte, b' ' | b'\t') {
                is_space = true;
                continue;
            }
            if std::mem::take(&mut is_space) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        out.extend_from_slice(b"\r\n");
    }
    while out.ends_with(b"\r\n\r\n") {
        out.truncate(out.len() - 2);
    }
    if out == b"\r\n" {
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_and_headers_are_relaxed_as_the_document_says() {
        for (body, want) in [
            // RFC 6376 section 3.4.5.
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("", ""),
            ("\r\n\r\n", ""),
            ("a", "a\r\n"),
            ("\r\na\r\n", "\r\na\r\n"),
        ] {
            assert_eq!(String::from_utf8(relaxed_body(body.as_bytes())).unwrap(), want, "{body:?}");
        }
        assert_eq!(relaxed("B ", " Y\t\r\n\tZ  "), "b :Y Z");
        assert_eq!(headers("A: b\r\n c\r\nD: e:f\r\n"), [("A", " b\r\n c\r\n"), ("D", " e:f\r\n")]);
    }

    #[test]
    fn a_key_that_is_none_is_explained() {
        let new = |key, is_ed25519| {
            Signer::new(&DkimKey { domain: "bücher.example", selector: "s", key, is_ed25519 })
        };
        assert!(new("AAAA", true).unwrap_err().to_string().contains("32 bytes"));
        assert!(new("x", false).unwrap_err().to_string().contains("not a private key in PEM"));
        let seed = BASE64.encode([7; 32]);
        let signer = new(&seed, true).unwrap();
        let signed = signer.sign("From: a@b.example\r\nSubject: x\r\n", b"text\r\n").unwrap();
        assert!(signed.contains("d=xn--bcher-kva.example;"), "{signed}");
        let listed: String =
            signed.split("\th=").nth(1).unwrap().split(';').next().unwrap().split_whitespace().collect();
        assert!(listed.starts_with("from:from:reply-to:to:cc:subject:subject:date:"), "{listed}");
        assert!(signed.lines().all(|line| line.len() <= 78), "{signed}");
    }
}
