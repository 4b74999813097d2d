//! Serves the published files from memory: each is read once, with its entity tag and, on demand, its compressed forms (RFC 9110).
//! That one changed, on disk or in the bucket, is noticed at a later request.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::pipeline::destination::{Destination, FILE_BYTES_MAX};
use crate::publish::formats;
use crate::publish::headers::{cache_control, media_type};
use crate::store::Store;
use crate::support::bucket::Bucket;
use crate::support::public_folder::{self, Found};
use crate::support::text::{hex, percent_decoded};

/// Maximum size of the cache, in bytes, names and compressed forms included; what was asked for least is dropped first.
const HELD_BYTES_MAX: u64 = 128 << 20;
/// What a file costs beside its name and bytes, and the size that most are below: only a hint for the cache.
const FILE_OVERHEAD_BYTES: usize = 1 << 10;
const FILE_BYTES_USUAL: u64 = 64 << 10;
/// Smaller files gain nothing from compression, in bytes.
const COMPRESSED_BYTES_MIN: usize = 512;
/// Number of response headers, including those of the server.
const HEADERS: usize = 16;
/// Interval after which it is looked again whether a file changed: on disk, and in the store what was uploaded.
const LOOK_AGAIN_MILLIS: u64 = 200;
const LOOK_AGAIN_IN_STORE_MILLIS: u64 = 1_000;
/// Files read from a bucket at a time, and how long a reader waits for one.
const BUCKET_READS: usize = 16;
const BUCKET_TIMEOUT: Duration = Duration::from_secs(10);

/// The published files.
pub struct Files {
    origin: FileOrigin,
    /// By their names, which are the same however an address spells them.
    held: Cache<String, HeldFile, FileWeighter>,
    started: Instant,
}

/// Where the files come from.
enum FileOrigin {
    Folder(PathBuf),
    /// What is in it stands in the store, so that nobody who asks for what is not there makes a request to the bucket.
    Bucket {
        bucket: Arc<Bucket>,
        store: Store,
        places: Semaphore,
    },
}

/// A file with what it took of memory when it was kept.
#[derive(Clone)]
struct HeldFile {
    file: Arc<File>,
    bytes: usize,
}

impl From<&Arc<File>> for HeldFile {
    fn from(file: &Arc<File>) -> HeldFile {
        HeldFile { file: file.clone(), bytes: file.bytes_held() }
    }
}

#[derive(Clone)]
struct FileWeighter;

impl Weighter<String, HeldFile> for FileWeighter {
    fn weight(&self, name: &String, held: &HeldFile) -> u64 {
        (FILE_OVERHEAD_BYTES + 2 * name.len() + held.bytes) as u64
    }
}

/// By what it shows that a file is another one.
#[derive(PartialEq, Eq)]
enum FileVersion {
    OnDisk { modified: SystemTime, length: u64 },
    Uploaded { hash: String },
}

/// A file as served.
struct File {
    version: FileVersion,
    modified: SystemTime,
    /// When it was last looked whether it changed, in milliseconds since the start.
    looked_at: AtomicU64,
    media_type: HeaderValue,
    is_text: bool,
    /// Whether pages of others may show what is in it.
    is_feed: bool,
    cache_control: HeaderValue,
    last_modified: HeaderValue,
    plain: Encoded,
    gzip: OnceLock<Option<Encoded>>,
    brotli: OnceLock<Option<Encoded>>,
    zstd: OnceLock<Option<Encoded>>,
}

/// A monotonic clock, only for deciding when to check the disk; responses do not depend on it.
fn millis_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// One representation of a file, with its own strong entity tag.
struct Encoded {
    bytes: Bytes,
    etag: HeaderValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Files {
    pub fn new(destination: &Destination, store: &Store) -> Files {
        let options = OptionsBuilder::new()
            .weight_capacity(HELD_BYTES_MAX)
            .estimated_items_capacity((HELD_BYTES_MAX / FILE_BYTES_USUAL) as usize)
            // A share of the capacity would be too small for a large file.
            .shards(1)
            .build();
        let held = match options {
            Ok(options) => Cache::with_options(options, FileWeighter, Default::default(), Default::default()),
            Err(_) => Cache::with_weighter(0, HELD_BYTES_MAX, FileWeighter),
        };
        let origin = match destination {
            Destination::Folder(folder) => FileOrigin::Folder(folder.clone()),
            Destination::Bucket(bucket) => FileOrigin::Bucket {
                bucket: bucket.clone(),
                store: store.clone(),
                places: Semaphore::new(BUCKET_READS),
            },
        };
        Files { origin, held, started: Instant::now() }
    }

    /// Answers a GET or HEAD request.
    pub async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed here\n");
        }
        let Some(name) = file_name(path) else { return nothing_here() };
        let known = self.held.get(&name);
        let held = match known {
            Some(held) if self.is_fresh(&held.file) => held,
            known => {
                let found = match &self.origin {
                    FileOrigin::Folder(folder) => self.look(folder, &name, known),
                    FileOrigin::Bucket { bucket, store, places } => {
                        self.look_in_bucket((bucket, store, places), &name, known).await
                    }
                };
                match found {
                    Ok(held) => held,
                    Err(response) => return *response,
                }
            }
        };
        let response = held.file.answer(method, headers);
        let now = HeldFile::from(&held.file);
        if now.bytes != held.bytes {
            // It is weighed again, now with another form.
            self.held.insert(name, now);
        }
        response
    }

    /// The file as it is on disk now, or else the answer.
    fn look(
        &self,
        folder: &Path,
        name: &str,
        known: Option<HeldFile>,
    ) -> Result<HeldFile, Box<Response<Body>>> {
        let (file, metadata) = match public_folder::open(folder, name) {
            Ok(Found::File(file, metadata)) => (file, metadata),
            // A folder is served as its index, at the address that relative links in it assume.
            Ok(Found::Folder) => return Err(redirect(&format!("/{name}/")).into()),
            Err(_) => {
                self.held.remove(name);
                return Err(nothing_here().into());
            }
        };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let version = FileVersion::OnDisk { modified, length: metadata.len() };
        let held = match known.filter(|held| held.file.version == version) {
            Some(held) => held,
            None if metadata.len() > FILE_BYTES_MAX => {
                let text = "this file is too large to be one of ours\n";
                return Err(plain(StatusCode::NOT_FOUND, text).into());
            }
            None => {
                let bytes = public_folder::read(file, &metadata).map_err(|_| nothing_here())?;
                self.keep(name, File::new(bytes.into(), modified, version, name))
            }
        };
        self.set_looked_at(&held.file);
        Ok(held)
    }

    /// The file as it was uploaded last, or else the answer. While store or bucket fail, what is held is served on.
    async fn look_in_bucket(
        &self,
        (bucket, store, places): (&Bucket, &Store, &Semaphore),
        name: &str,
        known: Option<HeldFile>,
    ) -> Result<HeldFile, Box<Response<Body>>> {
        let index = format!("{name}/index.html");
        let Ok(mut uploaded) = store.read(|r| r.uploads().hashes(&bucket.id(), &[name, &index])) else {
            return known.ok_or_else(|| not_now().into());
        };
        let Some(hash) = uploaded.remove(name) else {
            self.held.remove(name);
            let is_folder = uploaded.contains_key(&index);
            return Err(if is_folder { redirect(&format!("/{name}/")) } else { nothing_here() }.into());
        };
        // Without a hash, an upload is under way.
        let is_known = !hash.is_empty();
        let version = FileVersion::Uploaded { hash };
        let held = match &known {
            Some(held) if is_known && held.file.version == version => held.clone(),
            _ => {
                let read = async {
                    // The semaphore is never closed; an error would only mean no limit.
                    let _place = places.acquire().await;
                    bucket.get(name, FILE_BYTES_MAX).await
                };
                match tokio::time::timeout(BUCKET_TIMEOUT, read).await {
                    Ok(Ok(Some(object))) => {
                        self.keep(name, File::new(object.bytes, object.modified, version, name))
                    }
                    Ok(Ok(None)) => {
                        self.held.remove(name);
                        return Err(nothing_here().into());
                    }
                    Ok(Err(_)) | Err(_) => known.ok_or_else(not_now)?,
                }
            }
        };
        self.set_looked_at(&held.file);
        Ok(held)
    }

    fn keep(&self, name: &str, file: File) -> HeldFile {
        let held = HeldFile::from(&Arc::new(file));
        self.held.insert(name.to_owned(), held.clone());
        held
    }

    fn set_looked_at(&self, file: &File) {
        file.looked_at.store(millis_since(self.started), Ordering::Relaxed);
    }

    /// Whether it was looked recently whether a file changed.
    fn is_fresh(&self, file: &File) -> bool {
        let interval = match self.origin {
            FileOrigin::Folder(_) => LOOK_AGAIN_MILLIS,
            FileOrigin::Bucket { .. } => LOOK_AGAIN_IN_STORE_MILLIS,
        };
        millis_since(self.started).saturating_sub(file.looked_at.load(Ordering::Relaxed)) < interval
    }
}

fn nothing_here() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "there is nothing at this address\n")
}

fn not_now() -> Response<Body> {
    let text = "the pages cannot be read at the moment: try again in a few seconds\n";
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    response
}

/// The file that a path names, relative to the folder; `None` for paths outside of it and hidden files.
fn file_name(path: &str) -> Option<String> {
    let decoded = percent_decoded(path)?;
    let mut name = decoded.trim_start_matches('/').to_owned();
    if name.is_empty() || name.ends_with('/') {
        name.push_str("index.html");
    }
    let is_plain =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']);
    name.split('/').all(is_plain).then_some(name)
}

impl File {
    fn new(bytes: Bytes, modified: SystemTime, version: FileVersion, path: &str) -> File {
        let digest = hex(&Sha256::digest(&bytes)[..12]);
        let kind = media_type(path);
        File {
            version,
            modified,
            looked_at: AtomicU64::new(0),
            is_feed: path.rsplit('/').next().is_some_and(|name| formats::of_file(name).is_some()),
            is_text: ["text/", "xml", "json"].iter().any(|part| kind.contains(part)),
            media_type: HeaderValue::try_from(kind)
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream")),
            cache_control: HeaderValue::from_static(cache_control(path)),
            last_modified: HeaderValue::try_from(httpdate::fmt_http_date(modified))
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            plain: Encoded { bytes, etag: etag(&digest, "") },
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
            zstd: OnceLock::new(),
        }
    }

    /// The bytes of all forms.
    fn bytes_held(&self) -> usize {
        let made = [&self.gzip, &self.brotli, &self.zstd].into_iter().filter_map(|form| form.get()?.as_ref());
        made.chain([&self.plain]).map(|form| form.bytes.len()).sum()
    }

    /// The representation in a coding, made on first use; the plain one if it would not be smaller.
    fn form(&self, coding: Coding) -> (&Encoded, Coding) {
        if coding == Coding::Identity || !self.is_text || self.plain.bytes.len() < COMPRESSED_BYTES_MIN {
            return (&self.plain, Coding::Identity);
        }
        let made = match coding {
            Coding::Identity => return (&self.plain, coding),
            Coding::Gzip => self.gzip.get_or_init(|| self.compressed(coding)),
            Coding::Brotli => self.brotli.get_or_init(|| self.compressed(coding)),
            Coding::Zstd => self.zstd.get_or_init(|| self.compressed(coding)),
        };
        made.as_ref().map_or((&self.plain, Coding::Identity), |form| (form, coding))
    }

    fn compressed(&self, coding: Coding) -> Option<Encoded> {
        let plain = &self.plain.bytes;
        let bytes = match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(plain).ok()?;
                encoder.finish().ok()?
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                let parameters = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
                brotli::BrotliCompress(&mut plain.as_ref(), &mut out, &parameters).ok()?;
                out
            }
            Coding::Zstd => zstd::encode_all(plain.as_ref(), 6).ok()?,
            Coding::Identity => return None,
        };
        let own = self.plain.etag.to_str().ok()?.trim_matches('"').to_owned();
        (bytes.len() < plain.len())
            .then(|| Encoded { bytes: Bytes::from(bytes), etag: etag(&own, coding.name()) })
    }

    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<Body> {
        let (form, coding) = self.form(accepted(headers));
        let is_known = match headers.get(header::IF_NONE_MATCH) {
            Some(tags) => matches_tag(tags, &form.etag),
            None => headers
                .get(header::IF_MODIFIED_SINCE)
                .is_some_and(|since| is_unmodified(since, self.modified)),
        };
        let mut response = Response::new(match (is_known, method) {
            (false, &Method::GET) => Body::from(form.bytes.clone()),
            _ => Body::empty(),
        });
        let out = response.headers_mut();
        // Room for all headers of a response, so that they need not be moved.
        out.reserve(HEADERS);
        out.insert(header::ETAG, form.etag.clone());
        out.insert(header::CACHE_CONTROL, self.cache_control.clone());
        out.insert(header::LAST_MODIFIED, self.last_modified.clone());
        out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if self.is_feed {
            out.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        out.insert(header::CONTENT_TYPE, self.media_type.clone());
        out.insert(header::CONTENT_LENGTH, HeaderValue::from(form.bytes.len()));
        if coding != Coding::Identity {
            out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        response
    }
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

fn etag(digest: &str, coding: &str) -> HeaderValue {
    let text = if coding.is_empty() { format!("\"{digest}\"") } else { format!("\"{digest}-{coding}\"") };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The coding a client prefers among those it accepts (RFC 9110 section 12.5.3); among equals, the one that compresses best.
fn accepted(headers: &HeaderMap) -> Coding {
    let Some(accepted) = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return Coding::Identity;
    };
    let mut best = (0, Coding::Identity);
    for item in accepted.split(',') {
        let mut parts = item.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0));
        let (rank, coding) = match name {
            "br" => (3, Coding::Brotli),
            "zstd" => (2, Coding::Zstd),
            "gzip" | "x-gzip" | "*" => (1, Coding::Gzip),
            _ => continue,
        };
        let score = (weight.clamp(0.0, 1.0) * 1000.0) as u32 * 4 + rank;
        if weight > 0.0 && score > best.0 {
            best = (score, coding);
        }
    }
    best.1
}

/// Weak comparison (RFC 9110 section 13.1.2).
fn matches_tag(tags: &HeaderValue, own: &HeaderValue) -> bool {
    let (Ok(tags), Ok(own)) = (tags.to_str(), own.to_str()) else { return false };
    tags.trim() == "*" || tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == own)
}

fn is_unmodified(since: &HeaderValue, modified: SystemTime) -> bool {
    let Some(since) = since.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok()) else {
        return false;
    };
    // The header has a resolution of one second.
    modified.duration_since(since).map_or(true, |later| later.as_secs() == 0)
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = plain(StatusCode::MOVED_PERMANENTLY, "moved\n");
    if let Ok(location) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_folder() {
        for (path, want) in [
            ("/", Some("index.html")),
            ("/topics/x/", Some("topics/x/index.html")),
            ("/a%20b.xml", Some("a b.xml")),
            ("/../etc/passwd", None),
            ("/%2e%2e/etc/passwd", None),
            ("/a/..%2f..%2fetc/passwd", None),
            ("//etc/passwd", Some("etc/passwd")),
            ("/a//b", None),
            ("/.git/config", None),
            ("/a\\..\\b", None),
            ("/%00", None),
            ("/%", None),
            ("/%ff", None),
            ("/c:/x", None),
        ] {
            assert_eq!(file_name(path).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn the_best_coding_that_is_taken_is_given() {
        let of = |text: &'static str| {
            accepted(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]))
        };
        assert_eq!(of("gzip, deflate, br, zstd"), Coding::Brotli);
        assert_eq!(of("gzip;q=1, br;q=0.5"), Coding::Gzip);
        assert_eq!(of("br;q=0, gzip"), Coding::Gzip);
        assert_eq!(of("identity"), Coding::Identity);
        assert_eq!(accepted(&HeaderMap::new()), Coding::Identity);
    }
}
