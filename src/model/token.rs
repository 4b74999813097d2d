//! Signed tokens: what a link in a mail says, and that we said it. Nobody can make one, and none has to be stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The purpose of the tokens that mails are left by.
pub const UNSUBSCRIBE: &str = "unsubscribe";

/// Of the signature, in bytes: 128 bits cannot be guessed, and keep the address short.
const MAC_BYTES: usize = 16;

/// The secret that tokens are signed with; never printed.
#[derive(Clone)]
pub struct SigningKey(String);

impl SigningKey {
    pub fn new(secret: String) -> SigningKey {
        SigningKey(secret)
    }

    fn mac(&self, purpose: &str, payload: &str) -> Option<Vec<u8>> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        Some(mac.chain_update(purpose).chain_update([0]).chain_update(payload).finalize().into_bytes()[..MAC_BYTES].to_vec())
    }

    /// A token for one purpose: it is worth nothing for another.
    pub fn sign(&self, purpose: &str, payload: &str) -> String {
        let mac = self.mac(purpose, payload).unwrap_or_default();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac))
    }

    /// What a token says, if it is ours and for this purpose.
    pub fn verify(&self, purpose: &str, token: &str) -> Option<String> {
        let (payload, mac) = token.split_once('.')?;
        let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let own = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        let is_ours = mac.len() == MAC_BYTES && own.chain_update(purpose).chain_update([0]).chain_update(&payload).verify_truncated_left(&mac).is_ok();
        is_ours.then_some(payload)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_ours_whole_and_for_one_purpose() {
        let key = SigningKey::new("secret".into());
        let token = key.sign("unsubscribe", "weekly ana@example.org");
        assert_eq!(key.verify("unsubscribe", &token).as_deref(), Some("weekly ana@example.org"));
        assert_eq!(key.verify("confirm", &token), None);
        assert_eq!(SigningKey::new("other".into()).verify("unsubscribe", &token), None);
        for forged in ["", ".", "a.b", &token[..token.len() - 1], &token.replacen('d', "e", 1), &format!("{}.", token.split('.').next().unwrap())] {
            assert_eq!(key.verify("unsubscribe", forged), None, "{forged}");
        }
    }
}
