//! Utilities without knowledge of feeds: time, files, text, texts of the interface, templates, logs.

pub mod bucket;
pub mod certificate;
pub mod clock;
pub mod files;
pub mod i18n;
pub mod mail;
pub mod markup;
pub mod notify;
pub mod pictures;
pub mod process;
pub mod public_folder;
pub mod sentence;
pub mod stopwords;
pub mod telemetry;
pub mod templates;
pub mod terminal;
pub mod text;
