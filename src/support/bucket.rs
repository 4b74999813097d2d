//! Files in a bucket of an object store that speaks the protocol of S3.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, BackoffConfig, ClientConfigKey, GetOptions, ObjectStore as _,
    PutOptions, RetryConfig,
};

/// Requests to the store at a time.
const REQUESTS: usize = 16;
/// A request that fails is made again so many times, with growing pauses, and not after this time.
const RETRIES: usize = 4;
const RETRIED_FOR: Duration = Duration::from_secs(60);
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long it is believed that the bucket holds what was uploaded.
const BELIEVED_FOR: Duration = Duration::from_secs(3_600);

/// Why a bucket cannot be used, and what to do about it. Contains no secrets.
#[derive(Debug, thiserror::Error)]
#[error("{place} cannot be {action}: {reason}")]
pub struct BucketError {
    place: String,
    action: &'static str,
    reason: String,
}

/// A file with the headers that it is served with.
pub struct Upload {
    pub path: String,
    pub bytes: Bytes,
    pub media_type: String,
    pub cache_control: &'static str,
}

/// A file as the bucket has it.
pub struct StoredObject {
    pub bytes: Bytes,
    pub modified: SystemTime,
}

/// A bucket, or what is below a prefix in one.
pub struct Bucket {
    client: AmazonS3,
    /// What names begin with, without a slash at the end; may be empty.
    prefix: String,
    /// For people: `s3://bucket/prefix`.
    place: String,
    /// The address of the store, if it is not that of Amazon.
    endpoint: Option<String>,
    /// Whether the environment has a key; else the machine's metadata service is asked for one.
    has_key: bool,
    looked: Mutex<Option<Instant>>,
}

impl Bucket {
    /// `place` is for people; `variables` are those of the environment that begin with `AWS_`.
    ///
    /// # Errors
    /// In words, when the variables do not fit together.
    pub fn new<'a>(
        place: &str,
        (bucket, prefix): (&str, &str),
        variables: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Bucket, String> {
        let mut builder = AmazonS3Builder::new().with_config(
            AmazonS3ConfigKey::Client(ClientConfigKey::UserAgent),
            concat!("courant/", env!("CARGO_PKG_VERSION")),
        );
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            // Others are for other programs.
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
            .iter()
            .find_map(|key| builder.get_config_value(key));
        let endpoint = endpoint.map(|endpoint| checked_endpoint(&endpoint, &builder)).transpose()?;
        let has_key = builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId).is_some();
        let backoff = BackoffConfig { init_backoff: PAUSE_FIRST, max_backoff: PAUSE_MAX, base: 2.0 };
        let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRIED_FOR };
        let client = builder.with_bucket_name(bucket).with_retry(retry).build().map_err(|error| {
            format!(
                "the variables of the environment that begin with AWS_ do not fit together: {}",
                last(&error)
            )
        })?;
        Ok(Bucket {
            client,
            prefix: prefix.to_owned(),
            place: place.to_owned(),
            endpoint,
            has_key,
            looked: Mutex::new(None),
        })
    }

    /// For people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Tells this bucket from those of the same name in other stores.
    pub fn id(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{} at {endpoint}", self.place),
            None => self.place.clone(),
        }
    }

    /// Whether it is time to look again what is there.
    pub fn is_look_due(&self) -> bool {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_none_or(|looked| looked.elapsed() >= BELIEVED_FOR)
    }

    /// Notes that it was looked, and that what was missing is on its way.
    pub fn set_looked(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn object(&self, path: &str) -> Result<Path, object_store::Error> {
        let name = if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) };
        Ok(Path::parse(name)?)
    }

    /// Writes files, some at a time. Answers those that were written, with their entity tags, and why others were not.
    pub async fn put(&self, files: Vec<Upload>) -> (Vec<(String, String)>, Option<BucketError>) {
        let puts = files.into_iter().map(|file| self.put_one(file));
        let mut puts = futures_util::stream::iter(puts).buffer_unordered(REQUESTS);
        let mut written = Vec::new();
        while let Some(put) = puts.next().await {
            match put {
                Ok(done) => written.push(done),
                // Others would fail alike: they are left to the next time.
                Err(error) => return (written, Some(self.error("written to", &error))),
            }
        }
        (written, None)
    }

    async fn put_one(&self, file: Upload) -> Result<(String, String), object_store::Error> {
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, AttributeValue::from(file.media_type)),
            (Attribute::CacheControl, AttributeValue::from(file.cache_control)),
        ]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        let put = self.client.put_opts(&self.object(&file.path)?, file.bytes.into(), options).await?;
        Ok((file.path, tag(put.e_tag)))
    }

    /// Reads a file; `None` if there is none, or one that is larger than `bytes_max`.
    ///
    /// # Errors
    /// When the store cannot be reached, or refuses.
    pub async fn get(&self, path: &str, bytes_max: u64) -> Result<Option<StoredObject>, BucketError> {
        let read = async {
            let found = self.client.get_opts(&self.object(path)?, GetOptions::default()).await?;
            if found.meta.size > bytes_max {
                return Ok(None);
            }
            let modified = SystemTime::from(found.meta.last_modified);
            Ok(Some(StoredObject { bytes: found.bytes().await?, modified }))
        };
        match read.await {
            Err(error) if is_missing_object(&error) => Ok(None),
            read => read.map_err(|error| self.error("read", &error)),
        }
    }

    /// Deletes files; those that are not there are as good as deleted.
    ///
    /// # Errors
    /// When the store cannot be reached, or refuses.
    pub async fn delete(&self, paths: &[String]) -> Result<(), BucketError> {
        let objects: Vec<_> = paths.iter().map(|path| self.object(path)).collect();
        let deletions = self.client.delete_stream(futures_util::stream::iter(objects).boxed());
        let is_done = |done: Result<Path, object_store::Error>| async move {
            match done {
                Err(error) if !is_missing_object(&error) => Err(error),
                _ => Ok(()),
            }
        };
        deletions.then(is_done).try_collect::<()>().await.map_err(|error| self.error("written to", &error))
    }

    /// The names of all that is there, ours and others', with their entity tags; `None` if another's name cannot be read.
    ///
    /// # Errors
    /// When the store cannot be reached, or refuses.
    pub async fn list(&self) -> Result<Option<HashMap<String, String>>, BucketError> {
        let prefix = Path::from(self.prefix.as_str());
        let list = self.client.list((!self.prefix.is_empty()).then_some(&prefix));
        let named = list.map_ok(|object| {
            let name = object.location.as_ref();
            let name = name.strip_prefix(&self.prefix).unwrap_or(name).trim_start_matches('/');
            (name.to_owned(), tag(object.e_tag))
        });
        match named.try_collect().await {
            Ok(listed) => Ok(Some(listed)),
            Err(object_store::Error::InvalidPath { source }) => {
                tracing::warn!(
                    "what is missing in {} cannot be found out, since a name there cannot be read: {source}",
                    self.place
                );
                Ok(None)
            }
            Err(error) => Err(self.error("listed", &error)),
        }
    }

    /// What an error means to the operator.
    fn error(&self, action: &'static str, error: &object_store::Error) -> BucketError {
        let at = self.endpoint.as_deref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        let reason = match Answer::of(error) {
            Answer::Status(status, code) => {
                let said = format!("the store{at} answered {status}{code}");
                match status {
                    401 | 403 => format!(
                        "{said}: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that this key may list, read, write and delete there"
                    ),
                    404 => format!("{said}: create the bucket, or name another in [publish] to"),
                    300..=399 => format!("{said}: set AWS_REGION to the region of the bucket"),
                    _ => format!("{said}, also when it was asked again: see whether it works"),
                }
            }
            Answer::None(why) => format!(
                "the store{at} does not answer ({why}): see whether it works, and check AWS_ENDPOINT_URL and AWS_REGION"
            ),
            Answer::Other(why) => why,
        };
        let no_key = if self.has_key { "" } else { "; no AWS_ACCESS_KEY_ID is set" };
        BucketError { place: self.place.clone(), action, reason: format!("{reason}{no_key}") }
    }
}

/// The address of a store for people, if requests to it may be made.
fn checked_endpoint(endpoint: &str, builder: &AmazonS3Builder) -> Result<String, String> {
    let Ok(mut url) = url::Url::parse(endpoint) else {
        return Err("AWS_ENDPOINT_URL is not an address: write https://HOST".to_owned());
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("AWS_ENDPOINT_URL must begin with https://".to_owned());
    }
    let is_http_wanted = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    if url.scheme() == "http" && is_http_wanted.as_deref() != Some("true") {
        return Err("AWS_ENDPOINT_URL begins with http://, where anybody on the way could change what is published: write https://, or set AWS_ALLOW_HTTP=true if that is meant".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into AWS_ENDPOINT_URL but into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
    }
    url.set_query(None);
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// An entity tag without its quotes, which not all answers have.
fn tag(tag: Option<String>) -> String {
    tag.unwrap_or_default().trim_matches('"').to_owned()
}

/// Whether an object is missing, and not its bucket.
fn is_missing_object(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        && !error.to_string().contains("<Code>NoSuchBucket<")
}

/// What became of a request that failed.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A status with the code that explains it.
    Status(u16, String),
    /// Nothing was answered, and why.
    None(String),
    Other(String),
}

impl Answer {
    /// The library tells the status in words only.
    fn of(error: &(dyn std::error::Error + 'static)) -> Answer {
        const STATUS: &str = "non-2xx status code: ";
        let text = error.to_string();
        if text.contains("redirect without LOCATION") {
            return Answer::Status(301, String::new());
        }
        let status = text.split_once(STATUS).and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        if let Some(status) = status {
            return Answer::Status(status, code(&text));
        }
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<HttpError>() {
                return Answer::None(last(error));
            }
            next = error.source();
        }
        Answer::Other(last(error))
    }
}

/// The code in an answer of the store.
fn code(body: &str) -> String {
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map(|(code, _)| code).filter(|code| code.bytes().all(|c| c.is_ascii_alphanumeric()));
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// The innermost reason.
fn last(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(endpoint: &str, allow_http: &str) -> Result<String, String> {
        let allow = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
        checked_endpoint(endpoint, &AmazonS3Builder::new().with_config(allow, allow_http))
    }

    #[test]
    fn an_endpoint_is_encrypted_unless_another_is_asked_for() {
        assert_eq!(endpoint("https://s3.example/", "false"), Ok("https://s3.example".into()));
        assert_eq!(endpoint("http://127.0.0.1:9000", "true"), Ok("http://127.0.0.1:9000".into()));
        for (address, why) in [
            ("http://127.0.0.1:9000", "AWS_ALLOW_HTTP=true"),
            ("ftp://s3.example", "must begin with https://"),
            ("s3.example:9000", "must begin with https://"),
            ("nowhere", "not an address"),
            ("https://me:secret@s3.example", "do not belong"),
        ] {
            let said = endpoint(address, "false").unwrap_err();
            assert!(said.contains(why) && !said.contains("secret"), "{address}: {said}");
        }
    }

    #[test]
    fn only_the_code_of_an_answer_is_shown() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(code(body), " (SignatureDoesNotMatch)");
        assert_eq!(code("<Code>\u{1b}[31m</Code>"), "");
        assert_eq!(code("<html>Bad Gateway</html>"), "");
    }
}
