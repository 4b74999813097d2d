//! The recipients of the configured digests, as they are now: what was queued for somebody else is not sent.

use std::collections::{HashMap, HashSet};

use crate::model::digest::{Digest, DigestId};
use crate::model::token::SigningKey;

/// The keyed hashes of the recipients of each configured digest.
#[derive(Debug, Default)]
pub struct DigestRecipients(HashMap<String, HashSet<String>>);

impl DigestRecipients {
    pub fn new(digests: &[Digest], key: &SigningKey) -> DigestRecipients {
        let mut readers = DigestRecipients::default();
        for digest in digests {
            if let DigestId::Configured(id) = &digest.id {
                let of = readers.0.entry(id.clone()).or_default();
                of.extend(digest.recipients.iter().map(|recipient| key.hash(recipient.as_str())));
            }
        }
        readers
    }

    pub(super) fn has(&self, digest: &str, hash: &str) -> bool {
        self.0.get(digest).is_some_and(|readers| readers.contains(hash))
    }
}
