//! robots.txt (RFC 9309): which pages a crawler may request, and how slowly. Pure. Feeds are made for programs, so this applies
//! to pages only.

use crate::support::text::unescaped;

/// How much of a robots.txt is read, in bytes: RFC 9309 section 2.5 requires at least 500 KiB.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// Maximum number of rules per file.
const RULES_MAX: usize = 5_000;

/// The rules of a site for us.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Robots {
    /// Patterns, and whether each allows.
    rules: Vec<(String, bool)>,
    /// `Crawl-delay`, in seconds.
    pub crawl_delay_seconds: Option<f64>,
    /// `Sitemap` lines, in any group.
    pub sitemaps: Vec<String>,
    /// The file could not be fetched: nothing may be requested (section 2.3.1.4).
    is_closed: bool,
}

impl Robots {
    /// The whole site is off limits.
    pub fn closed() -> Robots {
        Robots { is_closed: true, ..Robots::default() }
    }

    /// Reads the group for `product` (our product token, case-insensitive), or else the one for `*`.
    pub fn parse(text: &str, product: &str) -> Robots {
        let mut own = Robots::default();
        let mut others = Robots::default();
        let (mut has_own, mut is_reading_agents) = (false, false);
        let (mut in_own, mut in_others) = (false, false);
        let mut sitemaps = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("").trim().trim_start_matches('\u{FEFF}');
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if !is_reading_agents {
                    (in_own, in_others) = (false, false);
                }
                is_reading_agents = true;
                let agent = value.split(['/', ' ']).next().unwrap_or("");
                in_own |= agent.eq_ignore_ascii_case(product);
                in_others |= agent == "*";
                has_own |= in_own;
                continue;
            }
            if key == "sitemap" {
                if sitemaps.len() < 20 {
                    sitemaps.push(value.to_owned());
                }
                continue;
            }
            is_reading_agents = false;
            if in_own {
                own.add(&key, value);
            }
            if in_others {
                others.add(&key, value);
            }
        }
        Robots { sitemaps, ..if has_own { own } else { others } }
    }

    /// Adds a line of a group.
    fn add(&mut self, key: &str, value: &str) {
        match key {
            // An empty rule has no effect.
            "allow" | "disallow" if !value.is_empty() && self.rules.len() < RULES_MAX => {
                self.rules.push((normal(value), key == "allow"))
            }
            "crawl-delay" => {
                self.crawl_delay_seconds =
                    value.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
            }
            _ => {}
        }
    }

    /// Whether a path with query may be requested: the longest matching rule decides, and among equals one that allows (section
    /// 2.2.2).
    pub fn allows(&self, path_and_query: &str) -> bool {
        if self.is_closed {
            return false;
        }
        let path = normal(path_and_query);
        let fitting = self.rules.iter().filter(|(pattern, _)| fits(pattern, &path));
        fitting.max_by_key(|(pattern, allows)| (pattern.len(), *allows)).is_none_or(|(_, allows)| *allows)
    }
}

/// Normalizes percent escapes: upper-case hexadecimal, and only where needed.
fn normal(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (byte, _) in unescaped(path) {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Matches a pattern: `*` matches anything, a final `$` matches the end. Linear in practice, quadratic at worst: backtracks over
/// one star at most.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, is_anchored) =
        pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return !is_anchored || rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() && is_anchored {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_of_the_right_group_decides() {
        let text = "User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /private\nAllow: /private/open\nDisallow: /*.pdf$\nCrawl-delay: 2.5\n";
        let robots = Robots::parse(text, "courant");
        assert_eq!(robots.crawl_delay_seconds, Some(2.5));
        for (path, want) in [
            ("/", true),
            ("/private/x", false),
            ("/private/open/x", true),
            ("/a.pdf", false),
            ("/a.pdf?x", true),
            ("/%70rivate", false),
        ] {
            assert_eq!(robots.allows(path), want, "{path}");
        }
        assert!(!Robots::parse(text, "OTHER").allows("/"));
    }

    #[test]
    fn agents_share_a_group_and_an_own_group_hides_the_star() {
        let text = "User-agent: a\nUser-agent: Courant/1.0\nDisallow: /a\nUser-agent: *\nDisallow: /\n";
        let robots = Robots::parse(text, "courant");
        assert!(!robots.allows("/a") && robots.allows("/b"));
        assert!(!Robots::parse(text, "someone").allows("/b"));
    }

    #[test]
    fn nothing_said_is_everything_allowed_and_a_closed_site_nothing() {
        assert!(Robots::parse("", "courant").allows("/x"));
        assert!(Robots::parse("User-agent: *\nDisallow:\n", "courant").allows("/x"));
        assert!(!Robots::closed().allows("/"));
    }
}
