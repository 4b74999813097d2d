//! A bounded in-memory cache of recently proxied pictures.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;

/// Maximum size, in bytes; beyond it, everything is dropped.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// The recently fetched pictures.
#[derive(Default)]
pub struct PictureCache(Mutex<CachedPictures>);

/// Media type and bytes by address.
#[derive(Default)]
struct CachedPictures {
    pictures: HashMap<String, (&'static str, Bytes)>,
    bytes: usize,
}

impl PictureCache {
    pub fn get(&self, url: &str) -> Option<(&'static str, Bytes)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pictures.get(url).cloned()
    }

    pub fn keep(&self, url: &str, kind: &'static str, bytes: Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes.len() > KEPT_BYTES_MAX {
            *kept = CachedPictures::default();
        }
        kept.bytes += bytes.len();
        kept.pictures.insert(url.to_owned(), (kind, bytes));
    }
}
