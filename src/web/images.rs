//! Proxies pictures of stories: readers' browsers contact no other host, and sources do not learn who reads. Whoever asks for
//! slow pictures takes no place of the pipeline, nor of pictures of other hosts.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use url::Url;

use super::state::{AppState, busy};
use crate::fetch::client::{Client, FetchError};
use crate::fetch::host_limits::HostLimits;
use crate::model::publication::Images;
use crate::model::token::IMAGE;

/// A larger picture is not a thumbnail, in bytes.
const PICTURE_BYTES_MAX: usize = 2 << 20;
/// Pictures fetched at a time, in all and of one host, and the time for one, from when it is asked for.
const PICTURES_MAX: usize = 16;
const PICTURES_PER_HOST_MAX: usize = 4;
const PICTURE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of the cache, in bytes, and what a picture costs beside its address and bytes.
const KEPT_BYTES_MAX: u64 = 64 << 20;
const PICTURE_OVERHEAD_BYTES: usize = 512;
/// What most pictures are larger than: only a hint for the cache.
const PICTURE_BYTES_USUAL: u64 = 32 << 10;

/// Media types that are safe to serve; SVG can contain scripts and is excluded.
const KINDS: [(&str, &[u8]); 6] = [
    ("image/jpeg", b"\xFF\xD8\xFF"),
    ("image/png", b"\x89PNG\r\n\x1A\n"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
    ("image/avif", b"\0\0\0"),
    ("image/bmp", b"BM"),
];

/// What fetches and keeps pictures.
pub struct Pictures {
    client: Client,
    hosts: HostLimits,
    places: Semaphore,
    /// By address.
    kept: Cache<String, Picture, PictureWeighter>,
}

#[derive(Clone)]
struct Picture {
    kind: &'static str,
    bytes: Bytes,
}

#[derive(Clone)]
struct PictureWeighter;

impl Weighter<String, Picture> for PictureWeighter {
    fn weight(&self, address: &String, picture: &Picture) -> u64 {
        (PICTURE_OVERHEAD_BYTES + address.len() + picture.bytes.len()) as u64
    }
}

impl Pictures {
    pub fn new(client: &Client) -> Pictures {
        let usual = (KEPT_BYTES_MAX / PICTURE_BYTES_USUAL) as usize;
        Pictures {
            client: client.apart(PICTURES_MAX, PICTURE_TIMEOUT),
            hosts: HostLimits::new(PICTURES_PER_HOST_MAX),
            places: Semaphore::new(PICTURES_MAX),
            kept: Cache::with_weighter(usual, KEPT_BYTES_MAX, PictureWeighter),
        }
    }

    /// Fetches a picture, after those before it. The place at its host comes first: who waits for that takes none of all.
    async fn fetch(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let _at_host = self.hosts.enter(url).await;
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        self.client.take(url, PICTURE_BYTES_MAX).await
    }
}

/// Serves a picture by the token in one of our pages, so that nobody else decides what we fetch.
pub(super) async fn picture(State(app): State<Arc<AppState>>, Path(token): Path<String>) -> Response {
    let address = app.sender.key.verify(IMAGE, &token).filter(|_| app.images == Images::Proxy);
    let Some((address, url)) =
        address.and_then(|address| Some((address.clone(), Url::parse(&address).ok()?)))
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Some(picture) = app.pictures.kept.get(&address) {
        return shown(picture);
    }
    let bytes = match tokio::time::timeout(PICTURE_TIMEOUT, app.pictures.fetch(&url)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return StatusCode::BAD_GATEWAY.into_response(),
        Err(_) => return busy(StatusCode::SERVICE_UNAVAILABLE.into_response()),
    };
    // The type is detected from the first bytes, not taken from the server.
    let Some((kind, _)) = KINDS.iter().find(|(_, start)| bytes.starts_with(start)) else {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    };
    let picture = Picture { kind, bytes: Bytes::from(bytes) };
    app.pictures.kept.insert(address, picture.clone());
    shown(picture)
}

fn shown(picture: Picture) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(picture.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=604800, immutable")),
    ];
    (headers, picture.bytes).into_response()
}
