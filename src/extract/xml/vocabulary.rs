//! The vocabularies that documents are written in, by the address of their namespace or by their usual prefix.

/// The known vocabularies. Unknown default namespaces count as `Core`: feeds declare dozens of them for plain RSS and Atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    Core,
    Atom,
    DublinCore,
    DcTerms,
    Content,
    Itunes,
    Media,
    Syndication,
    /// When and where something takes place: `ev` of RSS 1.0, and xCal.
    Event,
    Rdf,
    Xhtml,
    Other,
}

pub(super) fn vocabulary_of_uri(uri: &str) -> Option<Vocabulary> {
    let uri = uri.trim().trim_end_matches('/').to_ascii_lowercase();
    Some(match uri.as_str() {
        "http://www.w3.org/2005/atom" | "http://purl.org/atom/ns#" | "http://purl.org/atom/app#" => {
            Vocabulary::Atom
        }
        "http://purl.org/dc/elements/1.1" | "http://purl.org/dc/elements/1.0" => Vocabulary::DublinCore,
        "http://purl.org/dc/terms" => Vocabulary::DcTerms,
        "http://purl.org/rss/1.0/modules/content" => Vocabulary::Content,
        "http://www.itunes.com/dtds/podcast-1.0.dtd" | "http://example.com/dtds/podcast-1.0.dtd" => {
            Vocabulary::Itunes
        }
        "http://search.yahoo.com/mrss"
        | "http://www.rssboard.org/media-rss"
        | "http://tools.search.yahoo.com/mrss" => Vocabulary::Media,
        "http://purl.org/rss/1.0/modules/event" | "urn:ietf:params:xml:ns:xcal" => Vocabulary::Event,
        "http://purl.org/rss/1.0/modules/syndication" => Vocabulary::Syndication,
        "http://www.w3.org/1999/02/22-rdf-syntax-ns#" => Vocabulary::Rdf,
        "http://www.w3.org/1999/xhtml" => Vocabulary::Xhtml,
        "http://purl.org/rss/1.0"
        | "http://my.netscape.com/rdf/simple/0.9"
        | "http://channel.netscape.com/rdf/simple/0.9"
        | "http://backend.userland.com/rss"
        | "http://backend.userland.com/rss2"
        | "http://blogs.law.harvard.edu/tech/rss"
        | "http://backend.userland.com/rss191"
        | "http://purl.org/net/rss1.1#"
        | "http://cyber.law.harvard.edu/rss/rss.html" => Vocabulary::Core,
        _ => return None,
    })
}

/// The vocabulary of an undeclared prefix.
pub(super) fn vocabulary_of_bare_prefix(prefix: &str) -> Vocabulary {
    match prefix.to_ascii_lowercase().as_str() {
        "atom" | "atom10" | "atom03" | "a10" => Vocabulary::Atom,
        "dc" => Vocabulary::DublinCore,
        "dcterms" => Vocabulary::DcTerms,
        "content" => Vocabulary::Content,
        "itunes" => Vocabulary::Itunes,
        "media" => Vocabulary::Media,
        "sy" | "syn" => Vocabulary::Syndication,
        "rdf" => Vocabulary::Rdf,
        "xhtml" | "xh" | "html" | "h" => Vocabulary::Xhtml,
        "rss" | "rss1" | "rss11" | "cdf" => Vocabulary::Core,
        _ => Vocabulary::Other,
    }
}
