//! Signed tokens for links in mails: they cannot be forged, and need not be stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::support::text::{hex, unhex};

/// Purpose of unsubscribe tokens: a digest and the hash of an address.
pub const UNSUBSCRIBE: &str = "unsubscribe";
/// Purpose of tokens for a subscriber's preferences: the hash of an address.
pub const PREFERENCES: &str = "preferences";
/// Purpose of confirmation tokens: the hash of an address, and an expiry time.
pub const CONFIRM: &str = "confirm";
/// Purpose of form tokens: when the form was shown.
pub const FORM: &str = "form";
/// Purpose of tokens for proxied pictures: their address.
pub const IMAGE: &str = "image";
/// Purpose of return paths (VERP): a delivery.
pub const BOUNCE: &str = "bounce";

/// Purpose of tokens for the desk: a draft, and the hash of an editor's address.
pub const DESK: &str = "desk";

/// Purpose of the token for the private feed of alarms.
pub const ALARMS: &str = "alarms";

/// Purpose of tokens for the private page of a partner: which of its links it is, and its name.
pub const PARTNER: &str = "partner";

/// Purpose of the tokens in the forms of that page: the same.
pub const PARTNER_FORM: &str = "partner form";

/// Purpose of the tokens in forms under `/admin`: the hash of a session.
pub const ADMIN_FORM: &str = "admin form";

/// Length of a signature in bytes: 128 bits cannot be guessed, and keep addresses short.
const MAC_BYTES: usize = 16;

const MARK_BYTES: usize = 8;

/// The secret key for tokens; never printed.
#[derive(Clone)]
pub struct SigningKey(String);

impl SigningKey {
    pub fn new(secret: String) -> SigningKey {
        SigningKey(secret)
    }

    fn mac(&self, purpose: &str, payload: &str) -> Option<Vec<u8>> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        Some(
            mac.chain_update(purpose).chain_update([0]).chain_update(payload).finalize().into_bytes()
                [..MAC_BYTES]
                .to_vec(),
        )
    }

    /// A keyed hash in place of an address, for links and suppressions: 128 bits in hexadecimal.
    pub fn hash(&self, address: &str) -> String {
        hex(&self.mac("address", &address.to_lowercase()).unwrap_or_default())
    }

    /// An unguessable mark that a replay reproduces: 64 bits in hexadecimal.
    pub fn mark(&self, of: &str) -> String {
        hex(&self.mac("mark", of).unwrap_or_default()[..MARK_BYTES])
    }

    /// A token of digits, a hyphen and lower-case hexadecimal, short enough for the local part of a mail address.
    pub fn sign_short(&self, purpose: &str, number: i64) -> String {
        format!(
            "{number}-{}",
            hex(&self.mac(purpose, &number.to_string()).unwrap_or_default()[..SHORT_MAC_BYTES])
        )
    }

    /// The number in a short token, if we signed it for this purpose. Mail servers may have changed its case.
    pub fn verify_short(&self, purpose: &str, token: &str) -> Option<i64> {
        let number = token.split_once('-')?.0.parse().ok()?;
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .ok()?
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(i64::to_string(&number));
        let given = unhex(&token.split_once('-')?.1.to_ascii_lowercase())?;
        (given.len() == SHORT_MAC_BYTES && mac.verify_truncated_left(&given).is_ok()).then_some(number)
    }

    /// Signs a payload for one purpose; the token is invalid for any other.
    pub fn sign(&self, purpose: &str, payload: &str) -> String {
        let mac = self.mac(purpose, payload).unwrap_or_default();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac))
    }

    /// The payload of a token, if we signed it for this purpose.
    pub fn verify(&self, purpose: &str, token: &str) -> Option<String> {
        let (payload, mac) = token.split_once('.')?;
        let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let own = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        let is_ours = mac.len() == MAC_BYTES
            && own
                .chain_update(purpose)
                .chain_update([0])
                .chain_update(&payload)
                .verify_truncated_left(&mac)
                .is_ok();
        is_ours.then_some(payload)
    }
}

/// Return paths need less security than links: 80 bits.
const SHORT_MAC_BYTES: usize = 10;

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_token_survives_a_change_of_case_and_no_forgery() {
        let key = SigningKey::new("secret".into());
        let token = key.sign_short("bounce", 4711);
        assert!(
            token.len() <= 30
                && token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{token}"
        );
        assert_eq!(key.verify_short("bounce", &token.to_uppercase()), Some(4711));
        for forged in
            ["", "-", "4711-", &token.replacen("4711", "4712", 1), &token[..token.len() - 2], "4711-é"]
        {
            assert_eq!(key.verify_short("bounce", forged), None, "{forged}");
        }
        assert_eq!(key.hash("Ana@Example.org"), key.hash("ana@example.org"));
    }

    #[test]
    fn a_token_is_ours_whole_and_for_one_purpose() {
        let key = SigningKey::new("secret".into());
        let token = key.sign("unsubscribe", "weekly ana@example.org");
        assert_eq!(key.verify("unsubscribe", &token).as_deref(), Some("weekly ana@example.org"));
        assert_eq!(key.verify("confirm", &token), None);
        assert_eq!(SigningKey::new("other".into()).verify("unsubscribe", &token), None);
        for forged in [
            "",
            ".",
            "a.b",
            &token[..token.len() - 1],
            &token.replacen('d', "e", 1),
            &format!("{}.", token.split('.').next().unwrap()),
        ] {
            assert_eq!(key.verify("unsubscribe", forged), None, "{forged}");
        }
    }
}
