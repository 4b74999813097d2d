//! `[[admin.account]]`: who may sign in under `/admin`.

use super::ConfigContext;
use super::section::Section;
use super::values::secret;
use crate::model::admin::{AdminAccount, AdminRole};
use crate::model::password::{PHC_BEGIN, PasswordHash};
use crate::support::text::without_controls;

/// Of the name of an account, in characters.
pub(super) const NAME_CHARS_MAX: usize = 64;

pub(super) fn read_admin(section: &Section, surroundings: &ConfigContext) -> Vec<AdminAccount> {
    let sections = section.tables("account").into_iter();
    sections.filter_map(|section| read_account(&section, surroundings)).collect()
}

/// An account; a faulty one is none.
fn read_account(section: &Section, surroundings: &ConfigContext) -> Option<AdminAccount> {
    section.needs("name", "name is missing: write the name that somebody signs in with");
    section.needs("password", "password is missing: write what `courant admin hash-password` prints, or \"env:NAME\" or \"file:PATH\" for where it is");
    let name = section.parsed("name", |text| {
        let name = text.trim();
        let is_plain = name == without_controls(name) && name.chars().count() <= NAME_CHARS_MAX;
        match is_plain && !name.is_empty() {
            true => Ok(name.to_owned()),
            false => Err(format!("\"{text}\" is no name: use 1 to {NAME_CHARS_MAX} characters")),
        }
    });
    let role = section.choice("role", &AdminRole::ALL).unwrap_or(AdminRole::Viewer);
    let password = section.parsed("password", |text| {
        section.note_open_file("password", text, surroundings.folder);
        // A hash may stand here: nobody can sign in with it.
        if text.trim().starts_with(PHC_BEGIN) {
            return PasswordHash::parse(text);
        }
        if !text.starts_with("env:") && !text.starts_with("file:") {
            return Err(
                "a password must not stand in this file: write what `courant admin hash-password` prints"
                    .into(),
            );
        }
        PasswordHash::parse(&secret(text, surroundings)?)
    });
    Some(AdminAccount { name: name?, role, password: password? })
}
