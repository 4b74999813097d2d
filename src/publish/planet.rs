//! The planet: the channel as a web page.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::story::Story;
use crate::phrases::phrases;
use crate::templates::{TemplateError, Templates};
use crate::view::{Frame, StoryView, view};

/// Where the page stands under the address of the channel.
pub const PATH: &str = "index.html";

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    description: &'a str,
    language: &'a str,
    feed: &'static str,
    has_sign_up: bool,
    days: Vec<Day>,
    t: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Day {
    day: String,
    date: String,
    stories: Vec<StoryView>,
}

/// Renders the page.
///
/// # Errors
/// When a template of the operator's is at fault.
pub fn render(frame: Frame, stories: &[Story], templates: &Templates) -> Result<String, TemplateError> {
    let language = frame.channel.language.as_str();
    let mut days: Vec<Day> = Vec::new();
    for story in stories.iter().map(|story| view(frame, story, language)) {
        match days.last_mut() {
            Some(day) if day.day == story.day => day.stories.push(story),
            _ => days.push(Day { day: story.day.clone(), date: story.date.clone(), stories: vec![story] }),
        }
    }
    let page = Page {
        title: &frame.channel.title,
        description: &frame.channel.description,
        language,
        feed: super::atom::PATH,
        has_sign_up: frame.channel.has_sign_up,
        days,
        t: phrases(language),
    };
    templates.render("planet/index.html", &page)
}
