//! A place in an object store: `[publish] to`.

use std::fmt;

/// Length of the name of a bucket.
const BUCKET_LENGTH: std::ops::RangeInclusive<usize> = 3..=63;
/// Length of a prefix, so that every file has a name below the limit of S3, 1,024 bytes.
const PREFIX_LENGTH_MAX: usize = 512;
const EXAMPLE: &str = "write \"s3://bucket\" or \"s3://bucket/prefix\"";

/// The address of the published files in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    pub bucket: String,
    /// What the names of all objects begin with, without a slash at its end; empty for the whole bucket.
    pub prefix: String,
}

impl BucketUrl {
    /// # Errors
    /// In words, when it is no such address. What could be a secret is not repeated.
    pub fn parse(url: &str) -> Result<BucketUrl, String> {
        let Some(place) = url.strip_prefix("s3://") else {
            return Err(match url.contains("://") {
                true => format!("only buckets of S3 are supported: {EXAMPLE}"),
                false => {
                    format!("\"{url}\" is not the address of a bucket: {EXAMPLE}; a folder stands under dir")
                }
            });
        };
        if place.contains('@') {
            return Err(format!(
                "credentials do not belong here but into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: {EXAMPLE}"
            ));
        }
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_bucket = BUCKET_LENGTH.contains(&bucket.len())
            && bucket.bytes().all(|c| is_plain(c) || matches!(c, b'-' | b'.'))
            && [bucket.bytes().next(), bucket.bytes().last()].into_iter().flatten().all(is_plain)
            && !bucket.contains("..");
        if !is_bucket {
            return Err(format!(
                "\"{bucket}\" is not the name of a bucket (3 to 63 lower-case letters, digits, hyphens and dots): {EXAMPLE}"
            ));
        }
        let prefix = prefix.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(prefix);
        let is_part = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'=' | b'+'))
        };
        if !prefix.is_empty() && (prefix.len() > PREFIX_LENGTH_MAX || !prefix.split('/').all(is_part)) {
            return Err(format!(
                "\"{prefix}\" cannot begin the names of objects (letters, digits, and - _ . = + between single slashes): {EXAMPLE}"
            ));
        }
        Ok(BucketUrl { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_buckets_are_read_and_others_refused_without_their_secrets() {
        for (url, shown, prefix) in [
            ("s3://news", "s3://news", ""),
            ("s3://news/", "s3://news", ""),
            ("s3://my.news-1/a/b_c", "s3://my.news-1/a/b_c", "a/b_c"),
            ("s3://news/a/", "s3://news/a", "a"),
        ] {
            let read = BucketUrl::parse(url).unwrap();
            assert_eq!((read.to_string().as_str(), read.prefix.as_str()), (shown, prefix));
        }
        for (url, why) in [
            ("public", "a folder stands under dir"),
            ("gs://news", "only buckets of S3"),
            ("https://key:secret@s3.example/news", "only buckets of S3"),
            ("s3://key:secret@news", "credentials do not belong here"),
            ("s3://", "not the name of a bucket"),
            ("s3://ab", "not the name of a bucket"),
            ("s3://News", "not the name of a bucket"),
            ("s3://-news", "not the name of a bucket"),
            ("s3://ne..ws", "not the name of a bucket"),
            ("s3://news/a//b", "cannot begin"),
            ("s3://news//", "cannot begin"),
            ("s3://news/../x", "cannot begin"),
            ("s3://news/a?b", "cannot begin"),
            ("s3://news/é", "cannot begin"),
        ] {
            let said = BucketUrl::parse(url).unwrap_err();
            assert!(said.contains(why) && !said.contains("secret@"), "{url}: {said}");
        }
    }
}
