//! Proxies pictures of stories: readers' browsers contact no other host, and sources do not learn who reads.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::state::AppState;
use crate::model::publication::Images;
use crate::model::token::IMAGE;

/// A larger picture is not a thumbnail, in bytes.
const PICTURE_BYTES_MAX: usize = 2 << 20;

/// Media types that are safe to serve; SVG can contain scripts and is excluded.
const KINDS: [(&str, &[u8]); 6] = [
    ("image/jpeg", b"\xFF\xD8\xFF"),
    ("image/png", b"\x89PNG\r\n\x1A\n"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
    ("image/avif", b"\0\0\0"),
    ("image/bmp", b"BM"),
];

/// Serves a picture by the token in one of our pages, so that nobody else decides what we fetch.
pub(super) async fn picture(State(app): State<Arc<AppState>>, Path(token): Path<String>) -> Response {
    let address = app.sender.key.verify(IMAGE, &token).filter(|_| app.images == Images::Proxy);
    let Some((address, url)) =
        address.and_then(|address| Some((address.clone(), Url::parse(&address).ok()?)))
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Some((kind, bytes)) = app.pictures.get(&address) {
        return shown(kind, bytes);
    }
    let Ok(bytes) = app.refresher.client.take(&url, PICTURE_BYTES_MAX).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    // The type is detected from the first bytes, not taken from the server.
    let Some((kind, _)) = KINDS.iter().find(|(_, start)| bytes.starts_with(start)) else {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    };
    let bytes = Bytes::from(bytes);
    app.pictures.keep(&address, kind, bytes.clone());
    shown(kind, bytes)
}

fn shown(kind: &'static str, bytes: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=604800, immutable")),
    ];
    (headers, bytes).into_response()
}
