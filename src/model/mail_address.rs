//! Mail addresses acceptable to mail servers, and detection of typing errors.

use unicode_normalization::UnicodeNormalization as _;

use crate::support::text::is_unseen;

/// A mail address. Its domain is in lower case and ASCII (RFC 5891); the local part is in Unicode's
/// form NFKC, since an accent may be a letter's or a sign of its own, and keyboards have wide letters (RFC 6532, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(String);

/// RFC 5321 section 4.5.3.1, in bytes.
const LOCAL_BYTES_MAX: usize = 64;
const ADDRESS_BYTES_MAX: usize = 254;

/// Domains of most private mailboxes; a domain that is nearly one of them is probably a typing error.
const COMMON_DOMAINS: [&str; 22] = [
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "hotmail.fr",
    "hotmail.es",
    "outlook.com",
    "outlook.fr",
    "outlook.es",
    "live.com",
    "yahoo.com",
    "yahoo.fr",
    "yahoo.es",
    "icloud.com",
    "protonmail.com",
    "proton.me",
    "orange.fr",
    "wanadoo.fr",
    "laposte.net",
    "free.fr",
    "sfr.fr",
    "gmx.net",
    "aol.com",
];

/// Domains under which one provider takes mail for the same mailbox.
const DOMAINS_OF_ONE: [&[&str]; 4] = [
    &["gmail.com", "googlemail.com"],
    &["icloud.com", "me.com", "mac.com"],
    &["proton.me", "protonmail.com", "protonmail.ch", "pm.me"],
    &["yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua"],
];

/// Real domains that are a letter away from those.
const NEIGHBOURS: [&str; 12] = [
    "mail.com",
    "ymail.com",
    "email.com",
    "fmail.com",
    "gmx.com",
    "gmx.de",
    "hotmail.it",
    "hotmail.de",
    "yahoo.it",
    "outlook.de",
    "outlook.it",
    "live.fr",
];

/// Top-level domains that are usually typing errors.
const WRONG_ENDINGS: [(&str, &str); 6] = [
    (".con", ".com"),
    (".cmo", ".com"),
    (".ocm", ".com"),
    (".comm", ".com"),
    (".ogr", ".org"),
    (".rog", ".org"),
];

/// Domains that do not exist on the public Internet (RFC 2606, 6761, 6762, 7686, 8375, 9476).
const NEVER_DOMAINS: [&str; 17] = [
    "alt",
    "arpa",
    "corp",
    "domain",
    "home",
    "internal",
    "intern",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mailhost",
    "onion",
    "private",
    "test",
];

/// A domain in lower case and ASCII (RFC 5891); `None` if invalid.
pub fn ascii_domain(domain: &str) -> Option<String> {
    if domain.starts_with('[') {
        return Some(domain.to_owned());
    }
    match url::Host::parse(domain.trim_end_matches('.')) {
        Ok(url::Host::Domain(domain)) => Some(domain),
        _ => None,
    }
}

/// What no reader stands behind, as `plain_local` writes it (RFC 2142 for some).
const NEVER_LOCAL: [&str; 12] = [
    "abuse",
    "bounce",
    "bounces",
    "devnull",
    "donotreply",
    "fbl",
    "mailerdaemon",
    "nobody",
    "noreply",
    "spambox",
    "spam",
    "uucp",
];

/// The part before the @ in lower case, without its tag and without separators of words.
fn plain_local(local: &str) -> String {
    let name = local.split('+').next().unwrap_or_default();
    name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).flat_map(char::to_lowercase).collect()
}

impl Address {
    /// Parses `ana@example.org`; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Address, String> {
        let text = text.trim();
        let wrong = |why: &str| Err(format!("\"{text}\" is not a valid mail address: {why}"));
        let Some((local, domain)) = text.rsplit_once('@') else { return wrong("it has no @") };
        let local: String = local.nfkc().collect();
        if local.is_empty() || local.len() > LOCAL_BYTES_MAX {
            return wrong("there must be 1 to 64 characters before the @");
        }
        let Some(domain) = ascii_domain(domain) else { return wrong("there is no domain after the @") };
        let whole = format!("{local}@{domain}");
        if whole.len() > ADDRESS_BYTES_MAX || whole.parse::<lettre::Address>().is_err() {
            return wrong("write it as name@example.org");
        }
        Ok(Address(whole))
    }

    /// Parses an address that can receive mail from anywhere: no quoted local part, no IP address as domain, no domain that is
    /// never public. Invisible characters are removed.
    pub fn parse_public(text: &str) -> Result<Address, String> {
        let seen: String = text.chars().filter(|c| !is_unseen(*c)).collect();
        let address = Address::parse(&seen)?;
        let (local, domain) = address.0.rsplit_once('@').unwrap_or_default();
        let wrong = |why: &str| Err(format!("\"{}\" is not a valid mail address: {why}", seen.trim()));
        let is_dotted = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        if !is_dotted
            || local.contains(|c: char| "\"\\(),:;<>@[]".contains(c) || c.is_whitespace() || c.is_control())
        {
            return wrong("mail servers do not accept what is before the @");
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = ending(domain);
        if !domain.contains('.')
            || !domain.split('.').all(is_label)
            || last.len() < 2
            || last.bytes().all(|b| b.is_ascii_digit())
        {
            return wrong("there is no Internet domain after the @");
        }
        if NEVER_DOMAINS.iter().any(|never| {
            domain == *never || domain.strip_suffix(never).is_some_and(|rest| rest.ends_with('.'))
        }) {
            return wrong("no mail can be sent to its domain");
        }
        if NEVER_LOCAL.contains(&plain_local(local).as_str()) {
            return wrong("it is a role address (noreply, abuse, postmaster) where nobody reads newsletters");
        }
        Ok(address)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mailbox that most providers deliver this address to: in lower case, without a subaddress (RFC 5233), dots and dashes, at the
    /// first of a provider's domains. Only for counting: two people may share it.
    pub fn mailbox(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let user = local.split_once('+').map_or(local, |(user, _)| user);
        let provider = DOMAINS_OF_ONE.iter().find(|domains| domains.contains(&domain));
        let domain = provider.map_or(domain, |domains| domains[0]);
        format!("{}@{domain}", user.replace(['.', '-', '_'], "")).to_lowercase()
    }

    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The address that was probably meant, if the domain looks like a typing error.
    pub fn hint(&self) -> Option<String> {
        let (local, domain) = self.0.rsplit_once('@')?;
        if COMMON_DOMAINS.contains(&domain) || NEIGHBOURS.contains(&domain) {
            return None;
        }
        let near = COMMON_DOMAINS.iter().find(|common| {
            common.len() > 6 && strsim::osa_distance(domain, common) == 1 && ending(domain) == ending(common)
        });
        let near = near.or_else(|| {
            COMMON_DOMAINS.iter().find(|common| {
                common.len() > 8 && ending(common) == "com" && strsim::osa_distance(domain, common) == 1
            })
        });
        let ending = WRONG_ENDINGS
            .iter()
            .find_map(|(wrong, right)| Some(format!("{}{right}", domain.strip_suffix(wrong)?)));
        near.map(|near| (*near).to_owned()).or(ending).map(|domain| format!("{local}@{domain}"))
    }

    /// Whether its domain is one of those that stand in examples (RFC 2606), to which no mail can be sent.
    pub fn is_example(&self) -> bool {
        ending(self.domain()) == "example"
    }

    /// The address abbreviated, for output that may end up in a log.
    pub fn masked(&self) -> String {
        let first = self.0.chars().next().unwrap_or('…');
        format!("{first}…@{}", self.domain())
    }
}

fn ending(domain: &str) -> &str {
    domain.rsplit('.').next().unwrap_or_default()
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_their_domains_in_ascii() {
        for (text, want) in [
            (" ana@Example.ORG ", "ana@example.org"),
            ("ana+news@example.org", "ana+news@example.org"),
            ("ana@bücher.example", "ana@xn--bcher-kva.example"),
            ("José@españa.example", "José@xn--espaa-rta.example"),
            ("o'brien@example.org", "o'brien@example.org"),
            ("jose\u{301}@example.org", "jos\u{e9}@example.org"),
            ("\u{ff45}\u{ff56}\u{ff41}@example.org", "eva@example.org"),
        ] {
            assert_eq!(Address::parse(text).unwrap().as_str(), want);
        }
        for text in [
            "",
            "ana",
            "@example.org",
            "ana@",
            "ana@ex ample.org",
            "a b@example.org",
            "ana@example..org",
            "ana\r\nBcc: x@example.org",
            "ana@example.org, bob@example.org",
            "ana\u{ff20}x@example.org",
        ] {
            assert!(Address::parse(text).unwrap_err().contains("not a valid mail address"), "{text}");
        }
    }

    #[test]
    fn addresses_that_can_never_be_mailed_are_no_public_ones() {
        for text in [
            "\"ana lopez\"@example.org",
            "\"ana\"@example.org",
            "ana@[192.0.2.1]",
            "ana@192.0.2.1",
            "ana@localhost",
            "ana@example",
            "ana@printer.local",
            "ana@host.localdomain",
            "ana@mail.test",
            "ana@x.invalid",
            "ana@sub_domain.example.org",
            "ana@-x.example.org",
            "ana@x-.example.org",
            "ana@example.123",
            "ana..b@example.org",
            ".ana@example.org",
            "ana.@example.org",
            "ana(work)@example.org",
        ] {
            assert!(Address::parse_public(text).is_err(), "{text}");
        }
        for (text, want) in [
            ("\u{200b}luis@example.org\u{a0}", "luis@example.org"),
            ("ana+news@example.org.", "ana+news@example.org"),
            ("a'b@sub-domain.example.org", "a'b@sub-domain.example.org"),
            ("josé@пример.example", "josé@xn--e1afmkfd.example"),
            ("ana@latest.example.org", "ana@latest.example.org"),
        ] {
            assert_eq!(Address::parse_public(text).unwrap().as_str(), want);
        }
    }

    #[test]
    fn domains_of_examples_are_known_by_their_ending() {
        let is_example = |text: &str| Address::parse_public(text).unwrap().is_example();
        assert!(is_example("ana@x.example") && is_example("ana@a.b.Example"));
        assert!(!is_example("ana@example.org") && !is_example("ana@x.example.com"));
    }

    #[test]
    fn spellings_of_one_mailbox_are_counted_together() {
        let mailbox = |text: &str| Address::parse(text).unwrap().mailbox();
        for same in [
            "ana.diaz@gmail.com",
            "Ana.Diaz+news@gmail.com",
            "a.n.a.diaz@GMAIL.com",
            "anadiaz@googlemail.com",
        ] {
            assert_eq!(mailbox(same), "anadiaz@gmail.com");
        }
        assert_eq!(mailbox("ana_diaz@pm.me"), mailbox("ana-diaz+x@protonmail.com"));
        assert_ne!(mailbox("ana@example.org"), mailbox("anb@example.org"));
    }

    #[test]
    fn slips_of_the_finger_are_hinted_and_nothing_else() {
        let hint = |text: &str| Address::parse(text).unwrap().hint();
        assert_eq!(hint("ana@gmial.com").as_deref(), Some("ana@gmail.com"));
        assert_eq!(hint("ana@hotmal.com").as_deref(), Some("ana@hotmail.com"));
        assert_eq!(hint("ana@yahoo.con").as_deref(), Some("ana@yahoo.com"));
        assert_eq!(hint("ana@opengov.ogr").as_deref(), Some("ana@opengov.org"));
        for right in [
            "ana@gmail.com",
            "ana@gmx.de",
            "ana@mail.com",
            "ana@example.org",
            "ana@ymail.com",
            "ana@yahoo.com.mx",
        ] {
            assert_eq!(hint(right), None, "{right}");
        }
    }
}
