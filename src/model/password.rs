//! Passwords of people who sign in, kept as what Argon2id (RFC 9106) makes of them, written as a PHC string.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::support::text::hex;

/// How every hash of ours begins.
pub const PHC_BEGIN: &str = "$argon2id$";
/// What a new hash costs: the second choice of OWASP's cheat sheet, 19 MiB and two passes, which a small machine can bear.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// What a hash may cost at most: a log-in must not take all memory, or minutes.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 8;
const HASH_BYTES: usize = 32;
const HASH_BYTES_MAX: usize = 64;
const SALT_BYTES_MIN: usize = 8;
const SALT_BYTES_MAX: usize = 64;
/// Of a password, in bytes: whoever sends a longer one wants to keep us busy.
pub const PASSWORD_BYTES_MAX: usize = 512;
/// Of a password, in characters (NIST SP 800-63B).
pub const PASSWORD_CHARS_MIN: usize = 12;

/// The hash of a password; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl PasswordHash {
    /// Hashes a new password with a salt that cannot be guessed.
    ///
    /// # Errors
    /// In words, when the password is too short or too long.
    pub fn of(password: &str, salt: &[u8]) -> Result<PasswordHash, String> {
        if password.chars().count() < PASSWORD_CHARS_MIN {
            return Err(format!("the password is too short: use {PASSWORD_CHARS_MIN} characters or more"));
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(format!("the password is too long: use {PASSWORD_BYTES_MAX} bytes at most"));
        }
        let bare = PasswordHash {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: 1,
            salt: salt.to_vec(),
            hash: vec![0; HASH_BYTES],
        };
        let hash = bare.derived(password).ok_or("the password cannot be hashed")?;
        Ok(PasswordHash { hash, ..bare })
    }

    /// Reads a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
    ///
    /// # Errors
    /// In words, when it is none, or one that would cost too much.
    pub fn parse(text: &str) -> Result<PasswordHash, String> {
        let wrong = || "this is no hash of Argon2id: `courant admin hash-password` makes one".to_owned();
        let rest = text.trim().strip_prefix(PHC_BEGIN).ok_or_else(wrong)?;
        let [version, costs, salt, hash] = rest.split('$').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        if version != "v=19" {
            return Err(wrong());
        }
        let (mut memory_kib, mut passes, mut lanes) = (0, 0, 0);
        for cost in costs.split(',') {
            let (name, value) = cost.split_once('=').ok_or_else(wrong)?;
            let value: u32 = value.parse().map_err(|_| wrong())?;
            match name {
                "m" => memory_kib = value,
                "t" => passes = value,
                "p" => lanes = value,
                _ => return Err(wrong()),
            }
        }
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| wrong());
        let read = PasswordHash { memory_kib, passes, lanes, salt: bytes(salt)?, hash: bytes(hash)? };
        if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
            return Err(format!(
                "a log-in with this hash would cost too much: at most m={MEMORY_KIB_MAX}, t={PASSES_MAX} and p={LANES_MAX}"
            ));
        }
        let is_whole = (SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&read.salt.len())
            && (HASH_BYTES..=HASH_BYTES_MAX).contains(&read.hash.len())
            && read.params().is_some();
        if is_whole { Ok(read) } else { Err(wrong()) }
    }

    /// As a PHC string.
    pub fn written_out(&self) -> String {
        let base64 = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        format!(
            "{PHC_BEGIN}v=19$m={},t={},p={}${}${}",
            self.memory_kib,
            self.passes,
            self.lanes,
            base64(&self.salt),
            base64(&self.hash)
        )
    }

    /// Whether this is the hash of a password. Takes as long as its costs say, and is to be kept off threads that others wait for.
    pub fn is_of(&self, password: &str) -> bool {
        if password.len() > PASSWORD_BYTES_MAX {
            return false;
        }
        let Some(derived) = self.derived(password) else { return false };
        // All bytes are looked at, whichever differ.
        let differing = derived.iter().zip(&self.hash).fold(0, |seen, (ours, given)| seen | (ours ^ given));
        derived.len() == self.hash.len() && differing == 0
    }

    /// What changes with the password, and tells nothing of it: sessions end when it does.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.written_out()))
    }

    fn params(&self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(self.hash.len())).ok()
    }

    fn derived(&self, password: &str) -> Option<Vec<u8>> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params()?);
        let mut derived = vec![0; self.hash.len()];
        argon2.hash_password_into(password.as_bytes(), &self.salt, &mut derived).ok()?;
        Some(derived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written_and_knows_its_password_only() {
        let hash = PasswordHash::of("correct horse battery", b"0123456789abcdef").unwrap();
        let text = hash.written_out();
        // As the reference implementation has it.
        let reference = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$69I7qCjDTsQwhQqFvpQJiqEI0lGQvxC84fXE0Ktxca4";
        assert_eq!(text, reference);
        let read = PasswordHash::parse(&format!("{text}\n")).unwrap();
        assert!(read == hash && read.is_of("correct horse battery") && !read.is_of("correct horse batterz"));
        assert!(!read.is_of("") && !read.is_of(&"x".repeat(PASSWORD_BYTES_MAX + 1)));
        assert_eq!(format!("{read:?}"), "PasswordHash(…)");
        let other = PasswordHash::of("correct horse battery", b"another salt now").unwrap();
        assert_ne!(other.fingerprint(), hash.fingerprint());
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused_in_words() {
        assert!(PasswordHash::of("short", b"0123456789abcdef").unwrap_err().contains("12 characters"));
        let salt_and_hash = "MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let of = |begin: &str| PasswordHash::parse(&format!("{begin}${salt_and_hash}"));
        assert!(of("$argon2id$v=19$m=64,t=1,p=1").is_ok());
        for wrong in [
            "$argon2i$v=19$m=64,t=1,p=1",
            "$argon2id$v=16$m=64,t=1,p=1",
            "$argon2id$v=19$m=64,t=1",
            "$argon2id$v=19$m=64,t=1,p=1,x=1",
            "$2b$10$m=64",
            "secret",
        ] {
            assert!(of(wrong).unwrap_err().contains("hash-password"), "{wrong}");
        }
        assert!(of("$argon2id$v=19$m=99999999,t=1,p=1").unwrap_err().contains("cost too much"));
    }
}
