//! Forms: their submitted values, and their fields with the current choice.

use serde::Serialize;

use super::state::AppState;
use crate::model::subscriber::{Choice, Preferences, SubscriptionOptions};
use crate::model::topic::Topic;
use crate::support::i18n::{self, capitalized, language_name, language_of, phrases};
use crate::support::text::printable;

/// The value of the checkbox for stories without a topic.
const OTHER: &str = "_other";

/// `application/x-www-form-urlencoded`, with repeated names for lists.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Form {
        // Values are shown again, and a page may hold no control characters.
        let pairs = url::form_urlencoded::parse(body).into_owned();
        Form(pairs.map(|(name, value)| (name, printable(value))).collect())
    }

    /// The first value of a name; empty if there is none.
    pub(super) fn one(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.trim())
    }

    /// All names and values, in order.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.clone())
            .collect()
    }
}

/// The choice in a form. While the checkbox for other stories is ticked, all topics are wanted except those that are not ticked.
pub(super) fn choice(form: &Form, subscription_options: &SubscriptionOptions) -> Choice {
    let mut topics = form.all("topics");
    let (mut without, has_other) = (Vec::new(), topics.iter().any(|topic| topic == OTHER));
    if has_other {
        without =
            subscription_options.topics.iter().filter(|topic| !topics.contains(topic)).cloned().collect();
        topics.clear();
    }
    Choice {
        language: form.one("language").into(),
        languages: form.all("languages"),
        topics,
        without,
        partners: form.all("partners"),
        cadence: form.one("cadence").into(),
        hour: form.one("hour").into(),
        timezone: form.one("timezone").into(),
        schedule: form.one("schedule").into(),
    }
}

/// Whether there are topics to choose from and none is ticked, which nobody means as "all".
pub(super) fn has_no_topic(form: &Form, subscription_options: &SubscriptionOptions) -> bool {
    !subscription_options.topics.is_empty() && form.all("topics").is_empty()
}

/// The choice that corresponds to existing preferences.
pub(super) fn of_preferences(preferences: &Preferences) -> Choice {
    let (cadence, hour, zone) = preferences.cadence.parts();
    let interests = preferences.interests.clone();
    Choice {
        language: preferences.language.clone(),
        languages: interests.languages,
        topics: interests.topics,
        without: interests.without,
        partners: interests.partners,
        cadence: cadence.into(),
        hour,
        timezone: zone,
        schedule: String::new(),
    }
}

#[derive(Serialize)]
struct FormField {
    value: String,
    label: String,
    is_chosen: bool,
}

/// The fields of a form, as shown by the template.
#[derive(Serialize)]
pub(super) struct FormFields {
    language: Vec<FormField>,
    languages: Vec<FormField>,
    topics: Vec<FormField>,
    partners: Vec<FormField>,
    cadence: Vec<FormField>,
    hour: Vec<FormField>,
    timezone: String,
    zones: Vec<String>,
}

impl FormFields {
    /// Shows all topics as not ticked, as submitted.
    pub(super) fn clear_topics(&mut self) {
        self.topics.iter_mut().for_each(|topic| topic.is_chosen = false);
    }
}

fn field(value: &str, label: &str, is_chosen: bool) -> FormField {
    FormField { value: value.into(), label: label.into(), is_chosen }
}

/// The languages in which stories can be chosen.
fn spoken<'a>(app: &'a AppState, choice: &'a Choice) -> Vec<&'a str> {
    let of_sources = app.sources.iter().filter_map(|source| source.language.as_deref()?.split('-').next());
    let mut spoken: Vec<&str> = of_sources.collect();
    spoken.extend(&app.languages);
    spoken.extend(choice.languages.iter().map(String::as_str));
    spoken.sort_unstable();
    spoken.dedup();
    spoken
}

/// The checkboxes of the topics, and one for stories without a topic.
fn topics(app: &AppState, choice: &Choice, language: &str) -> Vec<FormField> {
    let is_in = |list: &[String], id: &str| list.iter().any(|topic| topic == id);
    let has_topic = |id: &str| {
        if choice.topics.is_empty() { !is_in(&choice.without, id) } else { is_in(&choice.topics, id) }
    };
    let box_of = |topic: &Topic| field(&topic.id, topic.label(language), has_topic(&topic.id));
    let mut topics: Vec<FormField> = app.topics.iter().map(box_of).collect();
    if !topics.is_empty() {
        topics.push(field(OTHER, phrases(language)["other_topics"], choice.topics.is_empty()));
    }
    topics
}

/// The fields of a choice, for a reader of `language`.
pub(super) fn fields(app: &AppState, choice: &Choice, language: &str) -> FormFields {
    let t = phrases(language);
    let own = i18n::known(&choice.language);
    // A language that is no longer offered is kept if it was chosen.
    let mut languages = app.languages.clone();
    languages.extend(own.filter(|own| !app.languages.contains(own)));
    let cadence = if choice.cadence.is_empty() { "weekly" } else { &choice.cadence };
    let hour = choice.hour.split(':').next().and_then(|hour| hour.parse().ok()).unwrap_or(8);
    FormFields {
        language: languages
            .iter()
            .map(|tag| field(tag, &capitalized(language_of(tag)), Some(*tag) == own))
            .collect(),
        languages: spoken(app, choice)
            .into_iter()
            .map(|tag| {
                field(tag, &language_name(tag, language), choice.languages.iter().any(|own| own == tag))
            })
            .collect(),
        topics: topics(app, choice, language),
        partners: app
            .subscription_options
            .partners
            .iter()
            .map(|partner| field(partner, partner, choice.partners.contains(partner)))
            .collect(),
        cadence: ["instant", "daily", "weekly", "monthly"]
            .into_iter()
            .map(|name| field(name, t[name], name == cadence))
            .collect(),
        hour: (0..24)
            .map(|number: u8| field(&number.to_string(), &format!("{number:02}:00"), number == hour))
            .collect(),
        timezone: if choice.timezone.is_empty() { "UTC".into() } else { choice.timezone.clone() },
        zones: jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect(),
    }
}
