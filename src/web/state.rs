//! What requests that change something work on.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::Notify;

use super::limits::Limits;
use super::pictures::Pictures;
use crate::config::ServeConfig;
use crate::deliver::message::Sender;
use crate::model::channel::Channel;
use crate::model::digest::Newsletter;
use crate::model::publication::{Images, Publication};
use crate::model::source::Source;
use crate::model::subscriber::SubscriptionOptions;
use crate::model::topic::Topic;
use crate::pipeline::mail::MailContext;
use crate::pipeline::refresh::Refresher;
use crate::publish::planet::Setting;
use crate::support::clock::Clock;
use crate::support::telemetry::Metrics;
use crate::support::templates::Templates;
use crate::view::Catalog;

/// Shared by all of them.
pub struct AppState {
    pub refresher: Refresher,
    pub channel: Channel,
    /// Those that people can have pages and mails in, the channel's own before the others.
    pub languages: Vec<&'static str>,
    pub topics: Vec<Topic>,
    pub sources: Vec<Source>,
    pub publications: Vec<Publication>,
    pub images: Images,
    pub pictures: Pictures,
    pub newsletter: Newsletter,
    pub serve: ServeConfig,
    pub subscription_options: SubscriptionOptions,
    pub sender: Sender,
    pub templates: Templates,
    pub clock: Clock,
    /// A longer push is refused.
    pub body_bytes_max: usize,
    pub limits: Limits,
    pub metrics: std::sync::Arc<Metrics>,
    /// We are the hub of our own feeds.
    pub is_hub: bool,
    pub verifying: std::sync::Arc<tokio::sync::Semaphore>,
    pub searching: tokio::sync::Semaphore,
    /// Rung when a mail waits that somebody is looking out for.
    pub mail_waits: std::sync::Arc<Notify>,
}

impl AppState {
    /// The path that all of the channel lives under: nothing, or `/news`.
    pub fn base(&self) -> String {
        self.channel.path()
    }

    /// What mail is made with, now.
    pub fn mail_context(&self) -> MailContext<'_> {
        let catalog = Catalog { channel: &self.channel, topics: &self.topics, sources: &self.sources };
        MailContext {
            catalog,
            newsletter: &self.newsletter,
            templates: &self.templates,
            sender: &self.sender,
            now: self.clock.now(),
        }
    }

    /// How pages of the planet are made.
    pub fn setting(&self) -> Setting<'_> {
        let catalog = Catalog { channel: &self.channel, topics: &self.topics, sources: &self.sources };
        Setting { catalog, publications: &self.publications, images: self.images, key: &self.sender.key }
    }

    /// A page from a template; never kept by a cache, for it is somebody's own.
    pub(super) fn page(&self, status: StatusCode, template: &str, data: &Value) -> Response {
        match self.templates.render(template, data) {
            Ok(html) => (
                status,
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")],
                html,
            )
                .into_response(),
            Err(error) => failed(&error.into()),
        }
    }
}

/// The cause goes to the log and never to the page.
pub(super) fn failed(error: &anyhow::Error) -> Response {
    tracing::error!("a request failed: {error:#}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
