//! Lists for programs: the sources as OPML 2.0, the pages as a sitemap.

use crate::model::publication::Publication;
use crate::model::source::Source;
use crate::support::text::escaped;
use crate::view::Catalog;

/// The list of pages, at the address of the channel.
pub const SITEMAP: &str = "sitemap.xml";

/// The attribute by which another courant knows the ids of sources.
const IDS: &str = " xmlns:courant=\"https://github.com/courant-news/courant\"";

/// Renders a list of sources, those that are enabled; with their ids if it is for another courant.
pub fn opml<'a>(title: &str, sources: impl IntoIterator<Item = &'a Source>, has_ids: bool) -> Vec<u8> {
    let text = |text: &str| escaped(&super::xml_safe(text));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\"{}>\n<head><title>{}</title></head>\n<body>\n",
        if has_ids { IDS } else { "" },
        text(title)
    );
    for source in sources.into_iter().filter(|source| source.is_enabled) {
        let name = text(&source.partner);
        let Some(url) = source.public_address().map(|url| escaped(&url)) else { continue };
        let attribute = |name: &str, value: Option<&String>| {
            value.map(|value| format!(" {name}=\"{}\"", text(value))).unwrap_or_default()
        };
        let language = attribute("language", source.language.as_ref());
        let id = attribute("courant:source", has_ids.then_some(&source.id));
        // Anything but a feed is a link (OPML 2.0, "Other attributes").
        let kind = if source.kind.is_for_readers() && source.select.is_none() {
            format!("type=\"rss\" xmlUrl=\"{url}\"")
        } else {
            format!("type=\"link\" url=\"{url}\"")
        };
        out.push_str(&format!("<outline text=\"{name}\" title=\"{name}\" {kind}{language}{id}/>\n"));
    }
    out.push_str("</body>\n</opml>\n");
    out.into_bytes()
}

/// Maximum number of addresses in a sitemap, by its protocol.
const ADDRESSES_MAX: usize = 50_000;

/// Renders the sitemap: one page for each publication and for each day with stories.
pub fn sitemap(catalog: Catalog, publications: &[Publication], days: &[(String, u64)]) -> Vec<u8> {
    let pages = publications.iter().map(|publication| publication.path.as_str().to_owned());
    let days = days.iter().map(|(day, _)| super::planet::day_path(day));
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n".to_owned();
    for page in pages.chain(days).take(ADDRESSES_MAX) {
        out.push_str(&format!(
            "<url><loc>{}</loc></url>\n",
            escaped(&format!("{}/{page}", catalog.channel.url))
        ));
    }
    out.push_str("</urlset>\n");
    out.into_bytes()
}
