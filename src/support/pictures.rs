//! Pictures that a page loads later: where their tags keep the real address, and what stands in its place meanwhile.

/// Attributes in which nothing but lazily loaded pictures have their address.
const LAZY: [&str; 11] = [
    "data-cfsrc",
    "data-lazy-src",
    "data-src",
    "data-original",
    "data-lazy",
    "data-hi-res-src",
    "nitro-lazy-src",
    "data-opt-src",
    "data-ezsrc",
    "data-litespeed-src",
    "data-pagespeed-lazy-src",
];
/// Attributes that other programs use as well, beside the address of a picture.
const BESIDE: [&str; 6] =
    ["data-orig-file", "data-large-file", "data-url", "data-img-src", "data-image", "data-img-url"];
/// The same as the first for sets of sizes.
const LAZY_SETS: [&str; 5] =
    ["data-srcset", "data-lazy-srcset", "data-original-set", "nitro-lazy-srcset", "data-opt-srcset"];

/// Whether the value of an attribute may be the address of a picture.
pub fn is_picture_address(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && !text.starts_with("data:")
        && !text.starts_with("about:")
        && !text.starts_with(['{', '[', '#'])
}

/// The address of a picture by the attributes of its tag: what is loaded later, the widest of a set, or else its own; `None` where
/// it has nothing but what stands in its place.
pub fn real_address<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    let one = |names: &[&str]| {
        names.iter().find_map(|name| attribute(name).filter(|value| is_picture_address(value)))
    };
    let set = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| attribute(name).and_then(widest).filter(|value| is_picture_address(value)))
    };
    let own = || attribute("src").filter(|src| is_picture_address(src) && !is_placeholder(src));
    one(&LAZY)
        .or_else(|| set(&LAZY_SETS))
        .or_else(|| set(&["srcset"]))
        .or_else(own)
        .or_else(|| one(&BESIDE))
        .map(str::trim)
}

/// Whether a tag names a picture that is loaded later: it has the size of what stands in its place.
pub fn is_lazy<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
    LAZY.iter().chain(&LAZY_SETS).any(|name| attribute(name).is_some_and(is_picture_address))
}

/// Whether the class of a tag says that its picture is loaded later.
pub fn is_lazy_class(class: &str) -> bool {
    class.to_ascii_lowercase().contains("lazy")
}

/// Whether an address is that of a picture which only keeps the place of another one: by its name, or as a drawing in the place of a
/// photograph.
pub fn stands_for(own: &str, real: &str) -> bool {
    let end = |address: &str| {
        let path = address.split(['?', '#']).next().unwrap_or(address);
        path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
    };
    is_placeholder(own) || matches!(end(own).as_str(), "gif" | "svg") && end(own) != end(real)
}

/// Whether an address is, by its name, that of a picture which only keeps the place of another.
pub fn is_placeholder(src: &str) -> bool {
    let lower = src.to_ascii_lowercase();
    [
        "placeholder",
        "blank.",
        "spacer",
        "transparent",
        "lazy",
        "loading",
        "loader",
        "preload",
        "1x1",
        "pixel",
        "dummy",
        "empty.",
        "clear.",
    ]
    .iter()
    .any(|sign| lower.contains(sign))
}

/// The widest candidate of a `srcset`.
pub fn widest(srcset: &str) -> Option<&str> {
    let width = |descriptor: Option<&str>| {
        descriptor.and_then(|d| d.trim_end_matches(['w', 'x']).parse::<f64>().ok()).unwrap_or(1.0)
    };
    // An address may contain commas: it ends at white space, its descriptor at the next comma.
    let (mut best, mut rest): (Option<(&str, f64)>, &str) = (None, srcset);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return best.map(|(url, _)| url);
        }
        let (url, after) = rest.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((rest, ""));
        let (descriptor, next) = match url.ends_with(',') {
            true => (None, after),
            false => {
                let (descriptor, next) = after.split_once(',').unwrap_or((after, ""));
                (Some(descriptor.trim()), next)
            }
        };
        let candidate = (url.trim_end_matches(','), width(descriptor));
        if best.is_none_or(|best| candidate.1 >= best.1) {
            best = Some(candidate);
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::text::attribute_of;

    #[test]
    fn a_picture_that_is_loaded_later_has_its_real_address() {
        for (tag, want) in [
            ("<img src='/a.jpg'", Some("/a.jpg")),
            ("<img src='data:image/gif;base64,x' data-srcset='/s.jpg 300w, /a.jpg 900w'", Some("/a.jpg")),
            ("<img src='/grey.gif' data-original='/a.jpg'", Some("/a.jpg")),
            ("<img src='/thumb.jpg' data-src='/a.jpg'", Some("/a.jpg")),
            ("<img src='/a.jpg' data-large-file='/large.jpg'", Some("/a.jpg")),
            ("<img src='/blank.gif' data-large-file='/a.jpg'", Some("/a.jpg")),
            ("<img src='' srcset='/s.jpg 1x, /a.jpg 2x'", Some("/a.jpg")),
            ("<img src='data:image/gif;base64,x'", None),
            ("<img src='/lazy-placeholder.svg'", None),
            ("<img data-src='{{ picture }}' src='/a.jpg'", Some("/a.jpg")),
            ("<img src='/blank.gif' nitro-lazy-src='/a.jpg'", Some("/a.jpg")),
            ("<img src='/small.svg' data-opt-src='/a.jpg'", Some("/a.jpg")),
            ("<img src='#' data-src='/a.jpg'", Some("/a.jpg")),
            ("<img src='#'", None),
        ] {
            assert_eq!(real_address(|name| attribute_of(tag, name)), want, "{tag}");
        }
    }
}
