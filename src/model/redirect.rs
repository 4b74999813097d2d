//! Addresses that only lead on to another one, which they contain: those of redirecting services, of mail filters that look at each
//! link before its reader does ("safe links"), and of senders that count clicks.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use url::Url;

use crate::support::text::percent_decoded;

/// One filter may wrap what another one wrapped.
const LAYERS_MAX: usize = 4;

/// Services with the target in a parameter: host, the start of the path, and the names of the parameter.
const REDIRECTORS: [(&str, &str, &[&str]); 27] = [
    ("google.", "/url", &["url", "q"]),
    ("news.google.", "/news/url", &["url"]),
    ("facebook.com", "/l.php", &["u"]),
    ("instagram.com", "/", &["u"]),
    ("bing.com", "/news/apiclick.aspx", &["url"]),
    ("vk.com", "/away.php", &["to"]),
    ("t.umblr.com", "/redirect", &["z"]),
    ("youtube.com", "/redirect", &["q"]),
    ("linkedin.com", "/redir/redirect", &["url"]),
    ("slack-redir.net", "/link", &["url"]),
    ("steamcommunity.com", "/linkfilter", &["url", "u"]),
    ("duckduckgo.com", "/l/", &["uddg"]),
    ("out.reddit.com", "/", &["url"]),
    ("exit.sc", "/", &["url"]),
    ("deref-gmx.net", "/mail/client/*/dereferrer/", &["redirectUrl"]),
    ("deref-gmx.com", "/mail/client/*/dereferrer/", &["redirectUrl"]),
    ("deref-web.de", "/mail/client/*/dereferrer/", &["redirectUrl"]),
    ("deref-mail.com", "/mail/client/*/dereferrer/", &["redirectUrl"]),
    // Mail filters.
    ("safelinks.protection.outlook.com", "/", &["url"]),
    ("safelinks.protection.outlook.com", "/ap/*/", &["url"]),
    ("safelinks.protection.office365.us", "/", &["url"]),
    ("urldefense.proofpoint.com", "/v1/url", &["u"]),
    ("linkprotect.cudasvc.com", "/url", &["a"]),
    ("trendmicro.com", "/wis/clicktime/v1/query", &["url"]),
    ("trendmicro.com", "/wis/clicktime/v2/query", &["url"]),
    ("clicktime.symantec.com", "/*", &["u"]),
    ("protection.sophos.com", "/", &["u"]),
];

/// The target of an address that only leads on, if it contains one; `None` for all other addresses.
pub fn behind_redirect(address: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for _ in 0..LAYERS_MAX {
        let Some(behind) = behind_one(found.as_deref().unwrap_or(address)) else { break };
        found = Some(behind);
    }
    found
}

fn behind_one(address: &str) -> Option<String> {
    // Most addresses need not be parsed.
    let may_lead_on = address.contains(['?', '&'])
        || ["/amp/s/", "/v3/__", "/CL0/", "/L0/", "://secure-web.cisco.com/", "/RU="]
            .iter()
            .any(|sign| address.contains(sign));
    if !may_lead_on {
        return None;
    }
    let address = address.trim();
    let url = Url::parse(address).ok().filter(is_web)?;
    let host = url.host_str()?;
    let target = in_path(host, &url, address).or_else(|| in_parameter(host, &url))?;
    Url::parse(&target).ok().filter(|to| is_web(to) && to.host_str().is_some()).map(|_| target)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn is_of(host: &str, known: &str) -> bool {
    let host = host.strip_prefix("www.").unwrap_or(host);
    if known.ends_with('.') {
        return host.starts_with(known);
    }
    host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The target in a parameter; in some, it is encoded further.
fn in_parameter(host: &str, url: &Url) -> Option<String> {
    let has_path = |pattern: &str| match pattern.split_once('*') {
        Some((start, end)) => {
            let rest = url.path().strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        }
        None => url.path() == pattern,
    };
    let value = |names: &[&str]| {
        let named = |name: &&str| url.query_pairs().find(|(key, _)| key == name);
        names.iter().find_map(named).map(|(_, value)| value.into_owned())
    };
    if is_of(host, "urldefense.proofpoint.com") && url.path() == "/v2/url" {
        return percent_decoded(&value(&["u"])?.replace('-', "%").replace('_', "/"));
    }
    if is_of(host, "disq.us") && url.path() == "/url" {
        // Behind the target stands a hash of it.
        return value(&["url"])?.rsplit_once(':').map(|(target, _)| target.to_owned());
    }
    let (.., names) = REDIRECTORS.iter().find(|(known, path, _)| is_of(host, known) && has_path(path))?;
    let target = value(names)?;
    if is_of(host, "protection.sophos.com") {
        return String::from_utf8(decoded(&target)?).ok();
    }
    Some(target)
}

/// The target in the path.
fn in_path(host: &str, url: &Url, address: &str) -> Option<String> {
    let encoded = |sign: &str| {
        let (_, rest) = address.split_once(sign)?;
        percent_decoded(rest.split(['/', '?', '#']).next()?)
    };
    if let Some(rest) = url.path().strip_prefix("/amp/s/").filter(|_| host.starts_with("www.google.")) {
        return Some(format!("https://{rest}"));
    }
    if is_of(host, "urldefense.com") || is_of(host, "urldefense.us") {
        return in_third_version(address);
    }
    if is_of(host, "awstrack.me") {
        return encoded("/L0/");
    }
    if is_of(host, "secure-web.cisco.com") {
        let (_, target) = url.path().trim_start_matches('/').split_once('/')?;
        return percent_decoded(target);
    }
    if is_of(host, "search.yahoo.com") {
        return encoded("/RU=");
    }
    if is_of(host, "govdelivery.com") {
        let old = || address.rsplit_once("&&&").map(|(_, target)| target.to_owned());
        return encoded("/CL0/").or_else(old);
    }
    None
}

/// `https://urldefense.com/v3/__TARGET__;REPLACED!!…`: each `*` of the target stands for the next of the characters that were replaced,
/// and `**A`, `**B` and so on for two, three and more of them.
fn in_third_version(address: &str) -> Option<String> {
    const RUNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (_, rest) = address.split_once("/v3/__")?;
    let (target, rest) = rest.rsplit_once("__;")?;
    let replaced = String::from_utf8(decoded(rest.split('!').next()?)?).ok()?;
    let (mut replaced, mut out, mut rest) = (replaced.chars(), String::new(), target);
    while let Some((before, after)) = rest.split_once('*') {
        out.push_str(before);
        let run = after.strip_prefix('*').and_then(|after| {
            let sign = *after.as_bytes().first()?;
            Some((RUNS.iter().position(|known| *known == sign)? + 2, &after[1..]))
        });
        let (count, after) = run.unwrap_or((1, after));
        out.extend(replaced.by_ref().take(count));
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Base64 (RFC 4648) in either alphabet, with padding or without.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let plain = text.replace('-', "+").replace('_', "/");
    GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leads_on_to_another_page_is_left_out() {
        for (address, want) in [
            (
                "https://www.google.com/url?rct=j&url=https://x.org/a%3Fb%3D1&ct=ga",
                Some("https://x.org/a?b=1"),
            ),
            ("https://www.google.fr/url?q=https://x.org/a", Some("https://x.org/a")),
            ("https://l.facebook.com/l.php?u=https%3A%2F%2Fx.org%2Fa&h=1", Some("https://x.org/a")),
            ("https://www.google.com/amp/s/x.org/a", Some("https://x.org/a")),
            ("https://duckduckgo.com/l/?uddg=https%3A%2F%2Fx.org%2Fa&rut=1", Some("https://x.org/a")),
            (
                "https://r.search.yahoo.com/_ylt=A/RV=2/RU=https%3a%2f%2fx.org%2fa/RK=2/RS=x",
                Some("https://x.org/a"),
            ),
            ("https://disq.us/url?url=https%3A%2F%2Fx.org%2Fa%3AhAsh&cuid=1", Some("https://x.org/a")),
            (
                "https://deref-gmx.net/mail/client/k/dereferrer/?redirectUrl=https%3A%2F%2Fx.org%2Fa",
                Some("https://x.org/a"),
            ),
            ("https://www.google.com/url?url=javascript:alert(1)", None),
            ("https://www.google.com/search?q=https://x.org/a", None),
            ("https://x.org/url?url=https://y.org/", None),
            ("https://x.org/CL0/https:%2F%2Fy.org%2F/1/a", None),
        ] {
            assert_eq!(behind_redirect(address).as_deref(), want, "{address}");
        }
    }

    #[test]
    fn what_filters_and_counters_of_mail_wrap_is_unwrapped() {
        for (address, want) in [
            (
                "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.org%2Fa%3Fb%3D1&data=05%7C&reserved=0",
                Some("https://x.org/a?b=1"),
            ),
            (
                "https://nam02.safelinks.protection.outlook.com/ap/w-59584e83/?url=https%3A%2F%2Fx.org%2Fa&data=05",
                Some("https://x.org/a"),
            ),
            (
                "https://urldefense.proofpoint.com/v1/url?u=https%3A%2F%2Fx.org%2Fa&k=1",
                Some("https://x.org/a"),
            ),
            (
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__x.org_a-5Fb-2Dc-3Fd-3D1&d=Dw",
                Some("https://x.org/a_b-c?d=1"),
            ),
            ("https://urldefense.com/v3/__https://x.org/a__;!!A!b$", Some("https://x.org/a")),
            (
                "https://urldefense.com/v3/__https://x.org/a*b=1*c=2__;PyY!!A!b$",
                Some("https://x.org/a?b=1&c=2"),
            ),
            ("https://urldefense.us/v3/__https://x.org/a**Ab__;Pz8!!A!b$", Some("https://x.org/a??b")),
            (
                "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fx.org%2fa&c=E,1&typo=1",
                Some("https://x.org/a"),
            ),
            ("https://secure-web.cisco.com/1Ab-c/https%3A%2F%2Fx.org%2Fa", Some("https://x.org/a")),
            (
                "https://x-ctp.trendmicro.com:443/wis/clicktime/v1/query?url=https%3a%2f%2fx.org%2fa&umid=1",
                Some("https://x.org/a"),
            ),
            ("https://clicktime.symantec.com/3AbC?u=https%3A%2F%2Fx.org%2Fa", Some("https://x.org/a")),
            (
                "https://eu-west-1.protection.sophos.com/?d=x.org&u=aHR0cHM6Ly94Lm9yZy9h&i=1",
                Some("https://x.org/a"),
            ),
            (
                "https://a.r.us-east-1.awstrack.me/L0/https:%2F%2Fx.org%2Fa%3Fb=1/1/01/c=2",
                Some("https://x.org/a?b=1"),
            ),
            ("https://links-2.govdelivery.com/CL0/https:%2F%2Fx.org%2Fa/1/01/b=3", Some("https://x.org/a")),
            (
                "http://links.govdelivery.com/track?type=click&enid=Z&&&100&&&https://x.org/a",
                Some("https://x.org/a"),
            ),
            (
                "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dhttps%253A%252F%252Fx.org%252Fa&data=1",
                Some("https://x.org/a"),
            ),
            ("https://urldefense.com/v3/__javascript:alert(1)__;!!A!b$", None),
            ("https://urldefense.com/v3/nothing", None),
            ("https://secure-web.cisco.com/1Ab-c/", None),
        ] {
            assert_eq!(behind_redirect(address).as_deref(), want, "{address}");
        }
    }
}
