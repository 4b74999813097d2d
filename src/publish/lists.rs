//! Lists for programs: the sources as OPML 2.0, the pages as a sitemap.

use crate::model::publication::Publication;
use crate::support::text::escaped;
use crate::view::Catalog;

/// The list of pages, at the address of the channel.
pub const SITEMAP: &str = "sitemap.xml";

/// Renders the enabled sources.
pub fn opml(catalog: Catalog) -> Vec<u8> {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\">\n<head><title>{}</title></head>\n<body>\n",
        escaped(&super::xml_safe(&catalog.channel.title))
    );
    for source in catalog.sources.iter().filter(|source| source.is_enabled) {
        let name = escaped(&super::xml_safe(&source.partner));
        let Some(url) = source.public_address().map(|url| escaped(&url)) else { continue };
        let language = source
            .language
            .as_ref()
            .map(|language| format!(" language=\"{}\"", escaped(language)))
            .unwrap_or_default();
        // Anything but a feed is a link (OPML 2.0, "Other attributes").
        let kind = if source.kind.is_for_readers() {
            format!("type=\"rss\" xmlUrl=\"{url}\"")
        } else {
            format!("type=\"link\" url=\"{url}\"")
        };
        out.push_str(&format!("<outline text=\"{name}\" title=\"{name}\" {kind}{language}/>\n"));
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
