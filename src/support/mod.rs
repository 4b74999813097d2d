//! What any part may use, and what knows nothing of feeds: time, files, text, words of the interface, templates, logs.

pub mod clock;
pub mod files;
pub mod i18n;
pub mod stopwords;
pub mod telemetry;
pub mod templates;
pub mod text;
