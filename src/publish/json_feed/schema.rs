//! The structure of a JSON Feed 1.1 document. What a document does not have is left out; an extension is a key of ours that
//! begins with an underscore (JSON Feed 1.1, "Extensions").

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::feed::Enclosure;

/// A feed.
#[derive(Debug, Default, Serialize)]
pub struct JsonFeed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_page_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<JsonAuthor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<Value>,
    #[serde(rename = "_courant", skip_serializing_if = "Option::is_none")]
    pub extension: Option<Value>,
    pub items: Vec<JsonItem>,
}

/// An item of a feed.
#[derive(Debug, Default, Serialize)]
pub struct JsonItem {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_html: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_published: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<JsonAuthor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Enclosure>,
    #[serde(rename = "_courant", skip_serializing_if = "Option::is_none")]
    pub extension: Option<Value>,
}

/// An author of a feed or an item.
#[derive(Debug, Default, Serialize)]
pub struct JsonAuthor {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(rename = "_courant", skip_serializing_if = "Option::is_none")]
    pub extension: Option<Value>,
}

impl JsonFeed {
    /// The document, with its keys in alphabetical order.
    pub fn to_value(&self) -> Value {
        let mut document = json!(self);
        document["version"] = json!("https://jsonfeed.org/version/1.1");
        document
    }
}
