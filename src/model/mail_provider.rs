//! Who keeps a mailbox, as far as the domain of an address tells. Domains of organisations are kept by anybody.

/// Domains, or with a dot at the end all that begin so, by the name that people know the provider by.
const PROVIDERS: [(&str, &[&str]); 16] = [
    ("Google", &["gmail.com", "googlemail.com"]),
    ("Microsoft", &["outlook.", "hotmail.", "live.", "msn.com", "passport.com"]),
    ("Yahoo", &["yahoo.", "ymail.com", "rocketmail.com", "aol.", "aim.com"]),
    ("Apple", &["icloud.com", "me.com", "mac.com"]),
    ("Proton", &["proton.me", "protonmail.com", "protonmail.ch", "pm.me"]),
    ("GMX, web.de", &["gmx.", "web.de", "mail.com", "email.com"]),
    ("T-Online", &["t-online.de", "magenta.de"]),
    ("Orange", &["orange.fr", "wanadoo.fr"]),
    ("Free", &["free.fr"]),
    ("SFR", &["sfr.fr", "neuf.fr", "cegetel.net"]),
    ("La Poste", &["laposte.net"]),
    ("Libero", &["libero.it", "virgilio.it", "iol.it"]),
    ("Yandex", &["yandex.", "ya.ru"]),
    ("Mail.ru", &["mail.ru", "inbox.ru", "list.ru", "bk.ru"]),
    ("Tencent", &["qq.com", "foxmail.com"]),
    ("NetEase", &["163.com", "126.com", "yeah.net"]),
];

/// What all other domains are counted under.
pub const OTHER_PROVIDER: &str = "";

/// The provider of the mailboxes of a domain; `OTHER_PROVIDER` if its name does not tell.
pub fn provider_of(domain: &str) -> &'static str {
    let domain = domain.to_ascii_lowercase();
    let is_it = |known: &&str| match known.strip_suffix('.') {
        // One label more, or two as in yahoo.co.uk: a long rest is somebody else's.
        Some(brand) => domain
            .strip_prefix(brand)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|rest| rest.split('.').all(|label| (2..=3).contains(&label.len()))),
        None => domain == **known,
    };
    let found = PROVIDERS.iter().find(|(_, domains)| domains.iter().any(is_it));
    found.map_or(OTHER_PROVIDER, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_domains_and_not_by_what_begins_like_one() {
        for (domain, provider) in [
            ("gmail.com", "Google"),
            ("Yahoo.co.uk", "Yahoo"),
            ("hotmail.fr", "Microsoft"),
            ("gmx.net", "GMX, web.de"),
            ("live.example", ""),
            ("gmail.com.example.org", ""),
            ("example.org", ""),
            ("", ""),
        ] {
            assert_eq!(provider_of(domain), provider, "{domain}");
        }
    }
}
