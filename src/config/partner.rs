//! `[[partner]]`: what partners get besides their page.

use super::section::Section;
use crate::model::mail_address::Address;
use crate::model::partner::Partner;
use crate::model::source::SourceList;
use crate::support::i18n;
use crate::support::text::did_you_mean;

/// The partners, each by the name that sources have.
pub(super) fn read_partners(sections: Vec<Section>, sources: &SourceList, has_address: bool) -> Vec<Partner> {
    let mut known: Vec<&str> = sources.iter().map(|source| source.partner.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let mut partners: Vec<Partner> = Vec::new();
    for section in sections {
        section.needs("name", "name is missing: write the partner of a [[source]]");
        let name = section.string("name").unwrap_or_default();
        let recipients = section.list("monthly_mail", Address::parse);
        let language = section.parsed("language", i18n::parse_interface_language);
        if !name.is_empty() && !known.contains(&name.as_str()) {
            let near = did_you_mean(&name, known.iter().copied());
            section.note("name", format!("no source has the partner \"{name}\"{near}"));
        }
        if partners.iter().any(|other| other.name == name) {
            section.fault(section.at, format!("the name \"{name}\" is taken by an earlier partner"));
        }
        if !recipients.is_empty() && !has_address {
            section.fault(section.at, "monthly_mail leads to the page of the partner: set url in [channel]");
        }
        partners.push(Partner { name, recipients, language });
    }
    partners
}
