//! Templates (Tera): compiled in, and overridden one by one by the operator's folder. HTML is escaped.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tera::{Context, ErrorKind, Kwargs, State, Tera};

use crate::support::text;

/// Name and text of every built-in template.
pub const BUILT_IN: &[(&str, &str)] = &[
    // Templates that others extend or include come first.
    ("brand/footer.html", include_str!("../../templates/brand/footer.html")),
    ("planet/about.html", include_str!("../../templates/planet/about.html")),
    ("planet/index.html", include_str!("../../templates/planet/index.html")),
    ("planet/favicon.svg", include_str!("../../templates/planet/favicon.svg")),
    ("digest/subject.txt", include_str!("../../templates/digest/subject.txt")),
    ("digest/body.txt", include_str!("../../templates/digest/body.txt")),
    ("digest/body.html", include_str!("../../templates/digest/body.html")),
    ("welcome/subject.txt", include_str!("../../templates/welcome/subject.txt")),
    ("welcome/body.txt", include_str!("../../templates/welcome/body.txt")),
    ("welcome/body.html", include_str!("../../templates/welcome/body.html")),
    ("campaign/subject.txt", include_str!("../../templates/campaign/subject.txt")),
    ("campaign/body.txt", include_str!("../../templates/campaign/body.txt")),
    ("campaign/body.html", include_str!("../../templates/campaign/body.html")),
    ("reengagement/subject.txt", include_str!("../../templates/reengagement/subject.txt")),
    ("reengagement/body.txt", include_str!("../../templates/reengagement/body.txt")),
    ("reengagement/body.html", include_str!("../../templates/reengagement/body.html")),
    ("web/base.html", include_str!("../../templates/web/base.html")),
    ("web/fields.html", include_str!("../../templates/web/fields.html")),
    ("web/message.html", include_str!("../../templates/web/message.html")),
    ("web/subscribe.html", include_str!("../../templates/web/subscribe.html")),
    ("web/preferences.html", include_str!("../../templates/web/preferences.html")),
    ("web/desk_story.html", include_str!("../../templates/web/desk_story.html")),
    ("web/desk.html", include_str!("../../templates/web/desk.html")),
    ("web/privacy.html", include_str!("../../templates/web/privacy.html")),
    ("web/issues.html", include_str!("../../templates/web/issues.html")),
    ("admin/base.html", include_str!("../../templates/admin/base.html")),
    ("admin/languages.html", include_str!("../../templates/admin/languages.html")),
    ("admin/message.html", include_str!("../../templates/admin/message.html")),
    ("admin/login.html", include_str!("../../templates/admin/login.html")),
    ("admin/plot.html", include_str!("../../templates/admin/plot.html")),
    ("admin/source_state.html", include_str!("../../templates/admin/source_state.html")),
    ("admin/sources.html", include_str!("../../templates/admin/sources.html")),
    ("admin/source.html", include_str!("../../templates/admin/source.html")),
    ("admin/judge_entry.html", include_str!("../../templates/admin/judge_entry.html")),
    ("admin/judge.html", include_str!("../../templates/admin/judge.html")),
    ("admin/counts.html", include_str!("../../templates/admin/counts.html")),
    ("admin/mail.html", include_str!("../../templates/admin/mail.html")),
    ("admin/add.html", include_str!("../../templates/admin/add.html")),
    ("admin/proposals.html", include_str!("../../templates/admin/proposals.html")),
    ("web/partner.html", include_str!("../../templates/web/partner.html")),
    ("partner/subject.txt", include_str!("../../templates/partner/subject.txt")),
    ("partner/body.txt", include_str!("../../templates/partner/body.txt")),
    ("partner/body.html", include_str!("../../templates/partner/body.html")),
    ("confirm/subject.txt", include_str!("../../templates/confirm/subject.txt")),
    ("confirm/body.txt", include_str!("../../templates/confirm/body.txt")),
    ("confirm/body.html", include_str!("../../templates/confirm/body.html")),
    ("draft/subject.txt", include_str!("../../templates/draft/subject.txt")),
    ("draft/body.txt", include_str!("../../templates/draft/body.txt")),
    ("draft/body.html", include_str!("../../templates/draft/body.html")),
    ("operator/subject.txt", include_str!("../../templates/operator/subject.txt")),
    ("operator/body.txt", include_str!("../../templates/operator/body.txt")),
    ("operator/body.html", include_str!("../../templates/operator/body.html")),
    ("send/matrix.json", include_str!("../../templates/send/matrix.json")),
    ("send/ntfy.json", include_str!("../../templates/send/ntfy.json")),
    ("send/slack.json", include_str!("../../templates/send/slack.json")),
    ("send/discord.json", include_str!("../../templates/send/discord.json")),
    ("send/telegram.json", include_str!("../../templates/send/telegram.json")),
    ("send/mastodon.json", include_str!("../../templates/send/mastodon.json")),
];

/// A fault in a template: its name, and Tera's message.
#[derive(Debug, thiserror::Error)]
#[error("template {name}: {cause}")]
pub struct TemplateError {
    name: String,
    cause: String,
}

/// All templates.
#[derive(Clone)]
pub struct Templates {
    /// Parsed on first use: most commands render none.
    tera: Arc<OnceLock<Tera>>,
    /// For each name, a display name of its file and its text.
    sources: BTreeMap<&'static str, (String, String)>,
    fingerprint: String,
    /// `brand` in every template.
    brand: tera::Value,
}

/// Minimum length of a shortened title, in characters.
const TITLE_CHARS_MIN: usize = 24;

impl Templates {
    /// Loads the built-in templates, and overrides them with those in `folder`, which may not exist.
    ///
    /// # Errors
    /// When one of the operator's templates cannot be read or parsed.
    pub fn load(folder: &Path) -> Result<Templates, TemplateError> {
        let mut has_own = false;
        let mut digest = Sha256::new();
        let mut sources = BTreeMap::new();
        for (name, text) in BUILT_IN {
            let path = folder.join(name);
            let own = match std::fs::read_to_string(&path) {
                Ok(own) => Some(own),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => {
                    return Err(TemplateError { name: path.display().to_string(), cause: error.to_string() });
                }
            };
            let shown = own.as_ref().map_or_else(|| (*name).to_owned(), |_| path.display().to_string());
            digest.update(own.as_deref().unwrap_or(text));
            let text = own.as_deref().unwrap_or(text);
            has_own |= own.is_some();
            sources.insert(*name, (shown, text.to_owned()));
        }
        let templates = Templates {
            tera: Arc::default(),
            sources,
            fingerprint: text::hex(&digest.finalize()),
            brand: tera::Value::from_serializable(&serde_json::Map::new()),
        };
        if has_own {
            // The operator's templates may be faulty, which should be reported before any work is done.
            templates.tera()?;
        }
        Ok(templates)
    }

    /// With what all of them see as `brand`.
    #[must_use]
    pub fn branded(self, brand: &impl Serialize) -> Templates {
        let text = serde_json::to_string(brand).unwrap_or_default();
        let fingerprint = text::hex(&Sha256::digest(format!("{} {text}", self.fingerprint)));
        Templates { fingerprint, brand: tera::Value::from_serializable(brand), ..self }
    }

    fn tera(&self) -> Result<&Tera, TemplateError> {
        if let Some(tera) = self.tera.get() {
            return Ok(tera);
        }
        let mut tera = Tera::default();
        tera.register_filter("json", json);
        tera.register_filter("unmentioned", unmentioned);
        for (name, _) in BUILT_IN {
            tera.add_raw_template(name, &self.sources[name].1).map_err(|error| self.fault(name, &error))?;
        }
        Ok(self.tera.get_or_init(|| tera))
    }

    /// A hash of all templates, to detect changes.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Renders a template without variables.
    ///
    /// # Errors
    /// When it has variables.
    pub fn text(&self, name: &str) -> Result<String, TemplateError> {
        self.render(name, &serde_json::Map::new())
    }

    /// Renders a template by name.
    ///
    /// # Errors
    /// When it refers to a missing variable or template.
    pub fn render(&self, name: &str, data: &impl Serialize) -> Result<String, TemplateError> {
        let fault = |error| self.fault(name, &error);
        let mut context = Context::from_serialize(data).map_err(fault)?;
        context.insert_value("brand", self.brand.clone());
        self.tera()?.render(name, &context).map_err(fault)
    }

    /// Renders a template that makes JSON.
    ///
    /// # Errors
    /// When it refers to a missing variable or template, or makes something else.
    pub fn render_json(&self, name: &str, data: &impl Serialize) -> Result<Value, TemplateError> {
        let text = self.render(name, data)?;
        serde_json::from_str(&text).map_err(|error| {
            let shown = self.sources.get(name).map_or(name, |(shown, _)| shown).to_owned();
            TemplateError { name: shown, cause: format!("what it makes is no JSON: {error}") }
        })
    }

    /// Renders a template of one line that has room for `chars_max` characters. A long title, which all mails have in common, gives way
    /// to what is said of this one.
    ///
    /// # Errors
    /// When it refers to a missing variable or template.
    pub fn render_line(
        &self,
        name: &str,
        data: &impl Serialize,
        chars_max: usize,
    ) -> Result<String, TemplateError> {
        let line = text::one_line(&self.render(name, data)?);
        let excess = line.chars().count().saturating_sub(chars_max);
        if excess == 0 {
            return Ok(line);
        }
        let Ok(mut data) = serde_json::to_value(data) else { return Ok(line) };
        let title = data.get("title").and_then(|title| title.as_str()).unwrap_or_default().to_owned();
        let count = title.chars().count();
        let kept = count.saturating_sub(excess).max(TITLE_CHARS_MIN);
        if kept >= count {
            return Ok(line);
        }
        data["title"] = text::fitting(&title, kept).into();
        Ok(text::one_line(&self.render(name, &data)?))
    }

    /// The place and cause of a fault, in one line.
    fn fault(&self, name: &str, error: &tera::Error) -> TemplateError {
        let shown = |name: &str| self.sources.get(name).map_or(name, |(shown, _)| shown).to_owned();
        match error.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => TemplateError {
                name: format!("{}, line {}", shown(report.filename()), report.span().start_line),
                cause: text::one_line(report.message()),
            },
            _ => TemplateError { name: shown(name), cause: text::one_line(&error.to_string()) },
        }
    }
}

/// A value as it stands in JSON.
fn json(value: &tera::Value, _: Kwargs, _: &State) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

/// A text that mentions nobody: what stands after an @ is no name any more (U+2060, of which nothing is seen).
fn unmentioned(text: &str, _: Kwargs, _: &State) -> String {
    text.replace('@', "@\u{2060}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_title_gives_way_to_what_a_mail_is_about() {
        let templates = Templates::load(Path::new("none")).unwrap();
        let subject = |title: &str, lead: &str| {
            let data = serde_json::json!({ "title": title, "lead": lead, "t": { "colon": ":" } });
            templates.render_line("digest/subject.txt", &data, 78).unwrap()
        };
        assert_eq!(subject("News", "A story"), "News: A story");
        let long = "The quarterly news of the association of friends of open government in all towns";
        let line = subject(long, "The harbour publishes its records");
        assert!(line.ends_with("…: The harbour publishes its records"), "{line}");
        assert!(line.starts_with("The quarterly news of the") && line.chars().count() <= 78, "{line}");
        assert!(subject(long, "").starts_with("The quarterly news of the association"));
    }

    #[test]
    fn a_fault_names_the_template_and_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("digest")).unwrap();
        std::fs::write(folder.path().join("digest/subject.txt"), "a\n\n{{ nonsense }}").unwrap();
        let templates = Templates::load(folder.path()).unwrap();
        let error = templates.render("digest/subject.txt", &serde_json::json!({})).unwrap_err().to_string();
        assert!(error.contains("digest/subject.txt, line 3") && error.contains("nonsense"), "{error}");
        std::fs::write(folder.path().join("digest/subject.txt"), "a\n{% if %}").unwrap();
        let error = Templates::load(folder.path()).err().unwrap().to_string();
        assert!(error.contains("subject.txt, line 2: "), "{error}");
    }
}
