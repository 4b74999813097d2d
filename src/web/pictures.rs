//! The pictures that were handed on lately, in memory, bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;

/// Kept in memory, in bytes; beyond it all are let go.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// The pictures that were fetched lately.
#[derive(Default)]
pub struct Pictures(Mutex<Kept>);

/// By address: media type and bytes.
#[derive(Default)]
struct Kept {
    pictures: HashMap<String, (&'static str, Bytes)>,
    bytes: usize,
}

impl Pictures {
    pub fn get(&self, url: &str) -> Option<(&'static str, Bytes)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pictures.get(url).cloned()
    }

    pub fn keep(&self, url: &str, kind: &'static str, bytes: Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes.len() > KEPT_BYTES_MAX {
            *kept = Kept::default();
        }
        kept.bytes += bytes.len();
        kept.pictures.insert(url.to_owned(), (kind, bytes));
    }
}
