//! What the operator notes of a subscriber beside what they chose: tags and attributes, by which segments select.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::subscriber::FieldFault;
use crate::support::text::one_line;

/// Tags of one subscriber; no list needs more to tell people apart.
pub const TAGS_MAX: usize = 50;
pub const TAG_CHARS_MAX: usize = 60;
/// Attributes of one subscriber, and the length of their names and values in characters.
pub const ATTRIBUTES_MAX: usize = 50;
pub const NAME_CHARS_MAX: usize = 40;
pub const VALUE_CHARS_MAX: usize = 200;

/// Characters that part tags in a table, or quote them.
const PARTING: [char; 5] = [',', ';', '|', '"', '\\'];

/// The tags and attributes of a subscriber.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    #[serde(default)]
    pub tags: BTreeSet<String>,
    /// Values by their names; an empty one is none.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// New tags or attributes in the place of all that there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    pub tags: Option<BTreeSet<String>>,
    pub attributes: Option<BTreeMap<String, String>>,
}

impl ProfileChange {
    /// Parses lists that are there.
    ///
    /// # Errors
    /// All their faults.
    pub fn parse(
        tags: Option<&[String]>,
        attributes: Option<&BTreeMap<String, String>>,
    ) -> Result<ProfileChange, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let tags = tags.map(|tags| {
            let parsed = tags.iter().map(|tag| parse_tag(tag).map_err(|fault| ("tags", fault)));
            parsed
                .filter_map(|tag| tag.map_err(|fault| faults.push(fault)).ok())
                .collect::<BTreeSet<String>>()
        });
        let attributes = attributes.map(|attributes| {
            let parsed = attributes.iter().map(|(name, value)| Ok((parse_name(name)?, parse_value(value)?)));
            let read = parsed.filter_map(|pair: Result<(String, String), String>| {
                pair.map_err(|fault| faults.push(("attributes", fault))).ok()
            });
            read.filter(|(_, value)| !value.is_empty()).collect::<BTreeMap<String, String>>()
        });
        let change = ProfileChange { tags, attributes };
        faults.extend(change.over(Profile::default()).too_much());
        if faults.is_empty() { Ok(change) } else { Err(faults) }
    }

    /// A profile with these changes.
    pub fn over(&self, known: Profile) -> Profile {
        Profile {
            tags: self.tags.clone().unwrap_or(known.tags),
            attributes: self.attributes.clone().unwrap_or(known.attributes),
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.tags.is_none() && self.attributes.is_none()
    }
}

/// A change of some of what is noted of subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileEdit {
    AddTags(Vec<String>),
    RemoveTags(Vec<String>),
    /// A name and its value; an empty one takes the attribute away.
    SetAttribute(String, String),
}

impl ProfileEdit {
    /// A profile with this change.
    pub fn over(&self, mut known: Profile) -> Profile {
        match self {
            ProfileEdit::AddTags(tags) => known.tags.extend(tags.iter().cloned()),
            ProfileEdit::RemoveTags(tags) => known.tags.retain(|tag| !tags.contains(tag)),
            ProfileEdit::SetAttribute(name, value) => known.set(name.clone(), value.clone()),
        }
        known
    }
}

impl Profile {
    /// Why there is more than there may be, if so.
    pub fn too_much(&self) -> Option<FieldFault> {
        if self.tags.len() > TAGS_MAX {
            return Some(("tags", format!("there are more than {TAGS_MAX} tags")));
        }
        (self.attributes.len() > ATTRIBUTES_MAX)
            .then(|| ("attributes", format!("there are more than {ATTRIBUTES_MAX} attributes")))
    }

    /// The value of an attribute; empty without it.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Sets an attribute; an empty value takes it away.
    pub fn set(&mut self, name: String, value: String) {
        if value.is_empty() {
            self.attributes.remove(&name);
        } else {
            self.attributes.insert(name, value);
        }
    }

    /// For people, in one line; empty without any.
    pub fn summary(&self) -> String {
        let tags = self.tags.iter().map(|tag| format!("#{tag}"));
        let attributes = self.attributes.iter().map(|(name, value)| format!("{name}={value}"));
        tags.chain(attributes).collect::<Vec<_>>().join(" ")
    }
}

/// Parses a tag: one line of text in small letters.
///
/// # Errors
/// In words, when it is empty, too long, or has a character that parts tags.
pub fn parse_tag(text: &str) -> Result<String, String> {
    let tag = one_line(text).trim_start_matches('#').trim().to_lowercase();
    if tag.is_empty() {
        return Err("a tag is empty".into());
    }
    if tag.chars().count() > TAG_CHARS_MAX {
        return Err(format!("\"{tag}\" is no tag: it has more than {TAG_CHARS_MAX} characters"));
    }
    match tag.chars().find(|c| PARTING.contains(c)) {
        Some(parting) => Err(format!("\"{tag}\" is no tag: {parting} stands between tags")),
        None => Ok(tag),
    }
}

/// Parses the name of an attribute: letters, digits, `_` and `-`, in small letters, a letter first.
///
/// # Errors
/// In words, when it is none.
pub fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim().to_lowercase();
    let is_fine = name.starts_with(char::is_alphabetic)
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        && name.chars().count() <= NAME_CHARS_MAX;
    if is_fine {
        return Ok(name);
    }
    Err(format!(
        "\"{name}\" is no name of an attribute: write up to {NAME_CHARS_MAX} letters, digits, _ and -, a letter first"
    ))
}

/// Parses the value of an attribute: one line of text.
///
/// # Errors
/// In words, when it is too long.
pub fn parse_value(text: &str) -> Result<String, String> {
    let value = one_line(text);
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(format!("a value has more than {VALUE_CHARS_MAX} characters"));
    }
    Ok(value)
}

/// Parses `NAME=VALUE`.
///
/// # Errors
/// In words, when it is none.
pub fn parse_attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("\"{text}\" is no attribute: write NAME=VALUE"))?;
    Ok((parse_name(name)?, parse_value(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_are_read_alike_however_they_are_written() {
        assert_eq!(parse_tag("  #VIP \n 2022 ").as_deref(), Ok("vip 2022"));
        assert_eq!(parse_attribute("Country = Perú ").unwrap(), ("country".into(), "Perú".into()));
        assert_eq!(parse_attribute("ciudad=").unwrap(), ("ciudad".into(), String::new()));
        for wrong in ["", " # ", "a,b", "a;b", "a|b", "a\"b", &"x".repeat(61)] {
            assert!(parse_tag(wrong).is_err(), "{wrong}");
        }
        for wrong in ["country", "=x", "1=x", "a b=x", &format!("a={}", "x".repeat(201))] {
            assert!(parse_attribute(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_change_replaces_what_it_names_and_is_bounded() {
        let tags: Vec<String> = (0..51).map(|n| format!("t{n}")).collect();
        assert!(ProfileChange::parse(Some(&tags), None).unwrap_err()[0].1.contains("more than 50"));
        let known = ProfileChange::parse(Some(&tags[..2]), None).unwrap().over(Profile::default());
        let attributes = BTreeMap::from([("Town".to_owned(), "Lima".to_owned()), ("x".into(), " ".into())]);
        let change = ProfileChange::parse(None, Some(&attributes)).unwrap();
        assert_eq!(change.over(known).summary(), "#t0 #t1 town=Lima");
        let wrong = BTreeMap::from([("a b".to_owned(), String::new())]);
        let faults = ProfileChange::parse(Some(&["a,b".into()]), Some(&wrong)).unwrap_err();
        assert_eq!(faults.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["tags", "attributes"]);
    }
}
