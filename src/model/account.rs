//! Accounts on networks: where what they write is read.

use url::Url;

/// Hosts that Telegram shows its public pages under.
const TELEGRAM: [&str; 3] = ["t.me", "telegram.me", "telegram.dog"];
/// First parts of Telegram's paths that name no channel.
const TELEGRAM_OTHERS: [&str; 9] =
    ["joinchat", "addstickers", "addemoji", "share", "proxy", "socks", "login", "iv", "c"];

/// The two parts of `@name@host`.
fn handle(text: &str) -> Option<(&str, &str)> {
    let (name, host) = text.trim().strip_prefix('@')?.split_once('@')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (!name.is_empty() && name.chars().all(is_name) && host.contains('.') && !host.contains(['/', '@', ' ']))
        .then_some((name, host))
}

/// The feed of a Mastodon account that is written as `@name@host`: nothing else is.
pub fn feed_of_handle(text: &str) -> Option<Url> {
    let (name, host) = handle(text)?;
    Url::parse(&format!("https://{host}/@{name}.rss")).ok()
}

/// The feed of the account whose page stands at an address: `https://host/@name`, `https://host/users/name`, and what is below it
/// (`/with_replies`, `/tagged/budget`). A page about an account of another host leads to that host.
pub fn feed_of_account(page: &Url) -> Option<Url> {
    let path = page.path().trim_end_matches('/');
    let mut parts = path.trim_start_matches('/').split('/');
    let first = parts.next()?;
    let name = match (first.strip_prefix('@'), first) {
        (Some(name), _) => name,
        (None, "users") => parts.next()?,
        _ => return None,
    };
    if name.contains('@') {
        return feed_of_handle(&format!("@{name}"));
    }
    let mut feed = page.clone();
    if !path.ends_with(".rss") {
        feed.set_path(&format!("{path}.rss"));
    }
    feed.set_query(None);
    feed.set_fragment(None);
    (!name.is_empty()).then_some(feed)
}

/// Whether an address is one of Telegram's.
pub fn is_telegram(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| TELEGRAM.contains(&host.trim_start_matches("www.")))
}

/// The public page of a Telegram channel: of `https://t.me/NAME`, of one of its posts, or of that page itself. `None` for
/// anything else, and for an invitation, which shows nothing in public.
pub fn telegram_page(url: &Url) -> Option<Url> {
    let mut parts = url.path_segments()?.filter(|part| !part.is_empty());
    let name = match parts.next()? {
        "s" => parts.next()?,
        name => name,
    };
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !TELEGRAM_OTHERS.contains(&name))
        .then(|| Url::parse(&format!("https://t.me/s/{name}")).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_its_feed_however_it_is_written() {
        for (text, feed) in [
            ("@town@social.example", Some("https://social.example/@town.rss")),
            ("@town", None),
            ("@@social.example", None),
            ("@town@social.example/x", None),
            ("town@social.example", None),
        ] {
            assert_eq!(feed_of_handle(text).map(String::from).as_deref(), feed, "{text}");
        }
        for (text, feed) in [
            ("https://social.example/@town", Some("https://social.example/@town.rss")),
            ("https://social.example/@town/", Some("https://social.example/@town.rss")),
            ("https://social.example/@town.rss", Some("https://social.example/@town.rss")),
            (
                "https://social.example/@town/tagged/budget?x=1#y",
                Some("https://social.example/@town/tagged/budget.rss"),
            ),
            ("https://social.example/users/town", Some("https://social.example/users/town.rss")),
            ("https://other.example/@town@social.example", Some("https://social.example/@town.rss")),
            ("https://social.example/about", None),
            ("https://social.example/@", None),
        ] {
            assert_eq!(
                feed_of_account(&Url::parse(text).unwrap()).map(String::from).as_deref(),
                feed,
                "{text}"
            );
        }
    }

    #[test]
    fn a_channel_is_read_at_its_public_page() {
        for (text, page) in [
            ("https://t.me/town_news", Some("https://t.me/s/town_news")),
            ("https://t.me/s/town_news?before=20", Some("https://t.me/s/town_news")),
            ("https://telegram.me/town_news/123", Some("https://t.me/s/town_news")),
            ("https://t.me/+AbCdEf", None),
            ("https://t.me/joinchat/AbCdEf", None),
            ("https://t.me/", None),
        ] {
            assert_eq!(
                telegram_page(&Url::parse(text).unwrap()).map(String::from).as_deref(),
                page,
                "{text}"
            );
        }
        assert!(is_telegram(&Url::parse("https://t.me/x").unwrap()));
        assert!(!is_telegram(&Url::parse("https://not-t.me/x").unwrap()));
    }
}
