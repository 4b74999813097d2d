//! The headers that published files are served with, by us and by whoever serves them from a bucket.

use super::{ATOM, OPML, formats};

/// Clients revalidate after this many seconds; immutable files can be kept.
const FRESH: &str = "public, max-age=60";
const FOREVER: &str = "public, max-age=31536000, immutable";

/// `Cache-Control` of the file at a path.
pub fn cache_control(path: &str) -> &'static str {
    if is_archive(path) { FOREVER } else { FRESH }
}

/// Whether a path is an archive document, which never changes: `…/archive/12.xml`. A topic may also be named "archive".
fn is_archive(path: &str) -> bool {
    let number =
        path.strip_prefix("archive/").or_else(|| path.rsplit_once("/archive/").map(|(_, name)| name));
    let number = number.and_then(|name| name.strip_suffix(".xml"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `Content-Type` of the file at a path.
pub fn media_type(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let file = if is_archive(path) { ATOM } else { name };
    if let Some(format) = formats::of_file(file) {
        return format!("{}; charset=utf-8", format.media_type);
    }
    let other = match name.rsplit('.').next().unwrap_or_default() {
        _ if name == OPML => "text/x-opml; charset=utf-8",
        "html" | "" => "text/html; charset=utf-8",
        "xml" => "application/xml; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    };
    other.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_archive_documents_are_for_ever() {
        assert!(is_archive("archive/1.xml") && is_archive("topics/archive/archive/12.xml"));
        assert!(
            !is_archive("topics/archive/atom.xml")
                && !is_archive("topics/archive/")
                && !is_archive("archive/.xml")
        );
        assert_eq!(media_type("topics/archive/rss.xml"), "application/rss+xml; charset=utf-8");
        assert_eq!(
            (media_type("index.html"), media_type("archive/2.xml")),
            ("text/html; charset=utf-8".into(), "application/atom+xml; charset=utf-8".into())
        );
    }
}
