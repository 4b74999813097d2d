//! Where an element of a page leads: by `href`, or by what its script does when it is clicked on.

use std::sync::LazyLock;

use regex::Regex;
use scraper::ElementRef;

use super::selector;

/// Attributes in which scripts of themes keep the address that a click on an element leads to.
const DATA_ATTRIBUTES: [&str; 4] = ["data-href", "data-link", "data-url", "data-permalink"];
/// Elements that may lead somewhere.
pub(in crate::extract) const WIDE: &str =
    "a[href], [onclick], [data-href], [data-link], [data-url], [data-permalink]";

static NAVIGATES: LazyLock<Regex> = LazyLock::new(|| {
    let calls = r"location(?:\.href)?\s*=|location\.(?:assign|replace)\s*\(|window\.open\s*\(|\b(?:goto|go|navigate|navigateTo|openUrl|redirect)\s*\(";
    Regex::new(&format!(r#"(?i)(?:{calls})\s*['"]([^'"\s]+)['"]"#)).expect("a pattern of our own")
});

/// Whether an address in a page is that of another page, or of a route or a part of this one that has an address of its own.
fn leads_on(address: &str) -> bool {
    let address = address.trim();
    let is_route = address.starts_with("#/") || address.starts_with("#!");
    let is_none =
        ["#", "javascript:", "mailto:", "tel:", "data:"].iter().any(|start| address.starts_with(start));
    !address.is_empty() && (is_route || !is_none)
}

/// The address of a part of the same page, `#part`, if there is such a part.
fn part<'a>(element: ElementRef<'a>, address: &'a str) -> Option<&'a str> {
    let id = address.trim().strip_prefix('#').filter(|id| !id.is_empty())?;
    let mut others = element.tree().nodes().filter_map(ElementRef::wrap);
    others.any(|other| other.attr("id") == Some(id)).then_some(address)
}

/// Where an element itself leads.
pub(in crate::extract) fn own_target(element: ElementRef<'_>) -> Option<&str> {
    let href = element.attr("href").filter(|_| element.value().name() != "link");
    if let Some(href) = href.filter(|href| leads_on(href)) {
        return Some(href);
    }
    let clicked = || element.attr("onclick").and_then(|script| NAVIGATES.captures(script)?.get(1));
    let kept = || DATA_ATTRIBUTES.iter().find_map(|name| element.attr(name));
    clicked()
        .map(|address| address.as_str())
        .or_else(kept)
        .filter(|address| leads_on(address))
        .or_else(|| part(element, href?))
}

/// Where an element leads, or else the first link in it, or what else in it leads somewhere.
pub(super) fn target_of(element: ElementRef<'_>) -> Option<&str> {
    let within = |css: &str| element.select(&selector(css)).find_map(own_target);
    own_target(element).or_else(|| within("a[href]")).or_else(|| within(WIDE))
}
