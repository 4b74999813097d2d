//! Filter rules of a source: which entries to keep or drop, and how to rewrite titles.

use regex::Regex;

use super::entry::Entry;
use super::topic::TopicMatch;

/// The field that a rule examines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleField {
    Title,
    Url,
    Content,
    Author,
    Topic,
}

impl RuleField {
    pub const ALL: [(&'static str, RuleField); 5] = [
        ("title", RuleField::Title),
        ("url", RuleField::Url),
        ("content", RuleField::Content),
        ("author", RuleField::Author),
        ("topic", RuleField::Topic),
    ];
}

/// A pattern for one field.
#[derive(Debug, Clone)]
pub struct Rule {
    pub field: RuleField,
    pub pattern: Regex,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = RuleField::ALL.iter().find(|(_, field)| *field == self.field).map_or("", |(name, _)| name);
        write!(f, "{name} = \"{}\"", self.pattern)
    }
}

/// `[source.keep]`, `[source.drop]`, `[source.rewrite]`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// If there are any, an entry has to match one of them.
    pub keep: Vec<Rule>,
    pub drop: Vec<Rule>,
    /// Patterns replaced in titles, in this order.
    pub rewrite: Vec<(Regex, String)>,
}

/// The result of the rules for an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOutcome {
    Kept,
    /// With the rule, in words.
    Dropped(String),
}

impl Filter {
    /// The title after all rewriting, and the patterns that changed it.
    pub fn rewritten(&self, title: &str) -> (String, Vec<String>) {
        let mut title = title.to_owned();
        let mut used = Vec::new();
        for (pattern, with) in &self.rewrite {
            let changed = pattern.replace_all(&title, with.as_str()).trim().to_owned();
            // A title is never rewritten to nothing.
            if changed != title && !changed.is_empty() {
                used.push(format!("rewrite \"{pattern}\""));
                title = changed;
            }
        }
        (title, used)
    }

    /// Whether an entry at this address may be kept, for all that the address says: other rules of `keep` may still fit.
    pub fn accepts_url(&self, url: &str) -> bool {
        let fits = |rule: &Rule| rule.field == RuleField::Url && rule.pattern.is_match(url);
        let by_address = self.keep.iter().all(|rule| rule.field == RuleField::Url);
        !self.drop.iter().any(fits) && (self.keep.is_empty() || !by_address || self.keep.iter().any(fits))
    }

    pub fn verdict(&self, entry: &Entry, topics: &[TopicMatch]) -> RuleOutcome {
        let fits = |rule: &&Rule| match rule.field {
            RuleField::Title => rule.pattern.is_match(&entry.title),
            RuleField::Url => entry.url.as_deref().is_some_and(|url| rule.pattern.is_match(url)),
            RuleField::Content => {
                rule.pattern.is_match(&entry.summary)
                    || entry.content_html.as_deref().is_some_and(|html| rule.pattern.is_match(html))
            }
            RuleField::Author => entry
                .authors
                .iter()
                .any(|author| author.name.as_deref().is_some_and(|name| rule.pattern.is_match(name))),
            RuleField::Topic => topics.iter().any(|topic| rule.pattern.is_match(&topic.topic)),
        };
        if let Some(rule) = self.drop.iter().find(fits) {
            return RuleOutcome::Dropped(format!("drop {rule}"));
        }
        if !self.keep.is_empty() && !self.keep.iter().any(|rule| fits(&rule)) {
            return RuleOutcome::Dropped("no rule of keep fits".into());
        }
        RuleOutcome::Kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_stripped_and_never_to_nothing() {
        let filter = Filter {
            rewrite: vec![
                (Regex::new(r" [|–] OGP$").unwrap(), String::new()),
                (Regex::new("^.*$").unwrap(), String::new()),
            ],
            ..Filter::default()
        };
        assert_eq!(
            filter.rewritten("Open justice | OGP"),
            ("Open justice".into(), vec!["rewrite \" [|–] OGP$\"".into()])
        );
        assert_eq!(filter.rewritten("Open justice").0, "Open justice");
    }
}
