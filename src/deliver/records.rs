//! What the records of a domain say about mail from it: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489). Pure: others ask for them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What of the records is not as receivers want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordVerdict {
    /// With what they say, in words.
    Good(String),
    /// Mail arrives, and might not for long.
    Doubtful {
        what: String,
        fix: String,
    },
    Bad {
        what: String,
        fix: String,
    },
}

fn bad(what: impl Into<String>, fix: impl Into<String>) -> RecordVerdict {
    RecordVerdict::Bad { what: what.into(), fix: fix.into() }
}

fn doubtful(what: impl Into<String>, fix: impl Into<String>) -> RecordVerdict {
    RecordVerdict::Doubtful { what: what.into(), fix: fix.into() }
}

/// The records with a version, whatever else a domain has.
fn with_version<'a>(records: &'a [String], version: &str) -> Vec<&'a str> {
    let is_one = |record: &&String| {
        let start = record.split([' ', ';']).next().unwrap_or_default();
        start.eq_ignore_ascii_case(version)
    };
    records.iter().filter(is_one).map(String::as_str).collect()
}

/// What the TXT records of a domain say about which servers send mail for it.
pub fn spf(domain: &str, records: &[String]) -> RecordVerdict {
    let found = with_version(records, "v=spf1");
    let record = match found.as_slice() {
        [] => {
            return bad(
                format!("{domain} does not say which servers send its mail"),
                format!(
                    "publish a TXT record at {domain}, such as \"v=spf1 mx -all\", with what your mail server or its provider names"
                ),
            );
        }
        [record] => *record,
        _ => {
            return bad(
                format!("{domain} has {} SPF records, so that none counts", found.len()),
                format!("make them one TXT record at {domain}"),
            );
        }
    };
    let terms: Vec<String> = record.split_whitespace().skip(1).map(str::to_ascii_lowercase).collect();
    let has = |wanted: &[&str]| terms.iter().any(|term| wanted.contains(&term.as_str()));
    if has(&["+all", "all"]) {
        return bad(
            format!("{domain} lets everybody send mail in its name (+all)"),
            format!("end the TXT record at {domain} with -all or ~all"),
        );
    }
    if !has(&["-all", "~all"]) && !terms.iter().any(|term| term.starts_with("redirect=")) {
        return doubtful(
            format!("the SPF record of {domain} does not say what holds for all other servers"),
            format!("end the TXT record at {domain} with -all or ~all"),
        );
    }
    RecordVerdict::Good(format!("{domain}: {record}"))
}

/// The tags of a record: `v=DKIM1; k=rsa; p=…`.
fn tags(record: &str) -> BTreeMap<String, String> {
    let tag = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.split_whitespace().collect::<String>()))
    };
    record.split(';').filter_map(tag).collect()
}

/// A DKIM key as its record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub domain: String,
    pub selector: String,
    /// `rsa` or `ed25519`.
    pub algorithm: &'static str,
    /// The value of `p` (RFC 6376 section 3.6.1, RFC 8463 section 4).
    pub bytes: Vec<u8>,
    /// Those of a plain RSA key without its algorithm, which some publish.
    pub bare: Option<Vec<u8>>,
}

impl PublicKey {
    /// Where its record is.
    pub fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }
}

/// What the TXT records at the name of a key say about it.
pub fn dkim(key: &PublicKey, records: &[String]) -> RecordVerdict {
    let (name, wanted) = (key.name(), STANDARD.encode(&key.bytes));
    let fix = format!("publish a TXT record at {name}: v=DKIM1; k={}; p={wanted}", key.algorithm);
    let keys: Vec<BTreeMap<String, String>> =
        records.iter().map(|record| tags(record)).filter(|tags| tags.contains_key("p")).collect();
    let published = match keys.as_slice() {
        [] => {
            return bad(format!("there is no key at {name}: receivers take the signatures for forged"), fix);
        }
        [tags] => tags,
        _ => return bad(format!("there are {} keys at {name}, so that none counts", keys.len()), fix),
    };
    let algorithm = published.get("k").map_or("rsa", String::as_str);
    let text = published.get("p").map(String::as_str).unwrap_or_default();
    if text.is_empty() {
        return bad(format!("the key at {name} is revoked"), fix);
    }
    let bytes = STANDARD.decode(text).unwrap_or_default();
    if algorithm != key.algorithm || bytes != key.bytes && key.bare.as_ref() != Some(&bytes) {
        return bad(format!("{name} has another key than [[mail.dkim]]: signatures do not fit"), fix);
    }
    if published.get("t").is_some_and(|flags| flags.split(':').any(|flag| flag == "y")) {
        let fix = format!("take t=y out of the record at {name} once signatures arrive intact");
        return doubtful(format!("the key at {name} says that it is only tried (t=y)"), fix);
    }
    RecordVerdict::Good(format!("{name} has the key that signs"))
}

/// The names at which a domain's DMARC record may be: its own, and those of the domains above it.
pub fn dmarc_names(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').filter(|label| !label.is_empty()).collect();
    let above = (0..labels.len().saturating_sub(1)).map(|at| labels[at..].join("."));
    above.take(DMARC_NAMES_MAX).map(|domain| format!("_dmarc.{domain}")).collect()
}

const DMARC_NAMES_MAX: usize = 5;

/// What a DMARC record, found at `name`, says about mail of a domain whose signatures are those of `signed_by`.
pub fn dmarc(domain: &str, name: &str, records: &[String], signed_by: &[&str]) -> RecordVerdict {
    let found = with_version(records, "v=DMARC1");
    let publish = format!(
        "publish a TXT record at _dmarc.{domain}, such as \"v=DMARC1; p=none; rua=mailto:postmaster@{domain}\""
    );
    let record = match found.as_slice() {
        [] => {
            return bad(
                format!("{domain} has no DMARC record, which large providers want of whoever sends to many"),
                publish,
            );
        }
        [record] => tags(record),
        _ => {
            return bad(
                format!("{name} has {} DMARC records, so that none counts", found.len()),
                format!("make them one TXT record at {name}"),
            );
        }
    };
    let policy = record.get("p").map(|policy| policy.to_ascii_lowercase()).unwrap_or_default();
    if !["none", "quarantine", "reject"].contains(&policy.as_str()) {
        return bad(
            format!("the DMARC record at {name} names no policy"),
            format!("write p=none, p=quarantine or p=reject into the TXT record at {name}"),
        );
    }
    let is_strict = record.get("adkim").is_some_and(|mode| mode.eq_ignore_ascii_case("s"));
    if !signed_by.is_empty() && !signed_by.iter().any(|signer| is_aligned(domain, signer, is_strict)) {
        return bad(
            format!(
                "mail from {domain} is signed by {}, which DMARC does not take for it",
                signed_by.join(", ")
            ),
            format!("sign with a key of {domain} in [[mail.dkim]]"),
        );
    }
    RecordVerdict::Good(format!("{name}: p={policy}"))
}

/// Whether the signature of a domain counts for mail from another one: they are the same, or one is below the other.
fn is_aligned(from: &str, signer: &str, is_strict: bool) -> bool {
    let (from, signer) = (from.to_ascii_lowercase(), signer.to_ascii_lowercase());
    let is_below = |one: &str, other: &str| {
        other.contains('.') && one.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'))
    };
    from == signer || !is_strict && (is_below(&from, &signer) || is_below(&signer, &from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(records: &[&str]) -> Vec<String> {
        records.iter().map(|record| (*record).to_owned()).collect()
    }

    /// `good`, or the beginning of what is said.
    #[track_caller]
    fn says(verdict: RecordVerdict, wanted: &str) {
        let said = match &verdict {
            RecordVerdict::Good(_) => "good".to_owned(),
            RecordVerdict::Doubtful { what, .. } => format!("doubtful: {what}"),
            RecordVerdict::Bad { what, .. } => format!("bad: {what}"),
        };
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }

    #[test]
    fn one_spf_record_says_who_sends_and_who_does_not() {
        for (records, wanted) in [
            (&["v=spf1 mx -all", "google-site-verification=x"][..], "good"),
            (&["V=SPF1 include:_spf.example ~ALL"], "good"),
            (&["v=spf1 redirect=_spf.example"], "good"),
            (&["something", "v=spf10 -all"], "bad: x.example does not say"),
            (&["v=spf1 -all", "v=spf1 mx -all"], "bad: x.example has 2 SPF records"),
            (&["v=spf1 mx +all"], "bad: x.example lets everybody"),
            (&["v=spf1 mx ?all"], "doubtful: the SPF record"),
        ] {
            says(spf("x.example", &texts(records)), wanted);
        }
    }

    #[test]
    fn the_published_key_is_the_one_that_signs() {
        let key = PublicKey {
            domain: "x.example".into(),
            selector: "s1".into(),
            algorithm: "rsa",
            bytes: vec![1, 2, 3],
            bare: Some(vec![3]),
        };
        for (records, wanted) in [
            (&["v=DKIM1; k=rsa; p=AQ ID"][..], "good"),
            (&["p=AQID"], "good"),
            (&["p=Aw=="], "good"),
            (&["v=DKIM1; p="], "bad: the key at s1._domainkey.x.example is revoked"),
            (&["v=DKIM1; p=AQIE"], "has another key"),
            (&["v=DKIM1; k=ed25519; p=AQID"], "has another key"),
            (&["v=DKIM1; t=y; p=AQID"], "doubtful"),
            (&["v=spf1 -all"], "there is no key"),
            (&["p=AQID", "p=AQID"], "there are 2 keys"),
        ] {
            says(dkim(&key, &texts(records)), wanted);
        }
    }

    #[test]
    fn dmarc_wants_a_policy_and_a_signature_of_the_domain_itself() {
        let all = ["v=DMARC1; p=none; rua=mailto:a@x.example"];
        for (records, signed_by, wanted) in [
            (&all[..], &["x.example"][..], "good"),
            (&all, &["mail.x.example"], "good"),
            (&all, &["provider.example", "x.example"], "good"),
            (&all, &[], "good"),
            (&all, &["provider.example"], "which DMARC does not take for it"),
            (&all, &["example"], "which DMARC does not take for it"),
            (&["v=DMARC1; p=reject; adkim=s"], &["mail.x.example"], "which DMARC does not take for it"),
            (&["v=DMARC1; rua=mailto:a@x.example"], &[], "names no policy"),
            (&["v=spf1 -all"], &[], "has no DMARC record"),
            (&["v=DMARC1; p=none", "v=DMARC1; p=none"], &[], "has 2 DMARC records"),
        ] {
            says(dmarc("x.example", "_dmarc.x.example", &texts(records), signed_by), wanted);
        }
        assert_eq!(dmarc_names("news.x.example"), ["_dmarc.news.x.example", "_dmarc.x.example"]);
    }
}
