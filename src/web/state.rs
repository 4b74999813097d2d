//! The shared state of dynamic requests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::Notify;

use super::hubs::Verifications;
use super::images::Pictures;
use super::limits::Limits;
use super::search::SearchPool;
use crate::config::ServeConfig;
use crate::deliver::message::Sender;
use crate::model::admin::AdminAccount;
use crate::model::channel::Channel;
use crate::model::color::Color;
use crate::model::digest::{Digest, Newsletter};
use crate::model::publication::{Images, PublicationList};
use crate::model::segment::SubscriberSegment;
use crate::model::source::SourceList;
use crate::model::subscriber::SubscriptionOptions;
use crate::model::topic::Topic;
use crate::pipeline::mail::MailContext;
use crate::pipeline::refresh::Refresher;
use crate::publish::planet::SiteContext;
use crate::support::clock::Clock;
use crate::support::telemetry::Metrics;
use crate::support::templates::Templates;
use crate::view::Catalog;

/// The state shared by all requests.
pub struct AppState {
    pub refresher: Refresher,
    pub channel: Channel,
    /// Languages offered for pages and mails, the channel's own first.
    pub languages: Vec<&'static str>,
    pub topics: Vec<Topic>,
    pub sources: SourceList,
    pub publications: PublicationList,
    pub images: Images,
    pub pictures: Pictures,
    pub newsletter: Newsletter,
    pub digests: Vec<Digest>,
    pub serve: ServeConfig,
    /// Who may sign in under `/admin`.
    pub admin_accounts: Vec<AdminAccount>,
    pub subscription_options: SubscriptionOptions,
    pub segments: Vec<SubscriberSegment>,
    pub sender: Sender,
    pub templates: Templates,
    /// Of links in mails (`[brand]`).
    pub accent: Color,
    pub clock: Clock,
    /// Maximum size of a push, in bytes.
    pub body_bytes_max: usize,
    /// Outlives the configuration, as do the searches under way.
    pub limits: Arc<Limits>,
    pub metrics: Arc<Metrics>,
    /// Work that gets no further for so long has stopped.
    pub stalled_after: Duration,
    /// Whether we are the hub of our own feeds.
    pub is_hub: bool,
    pub verifications: Verifications,
    pub searches: Arc<SearchPool>,
    /// The places of programs with a token, which nobody else waits for.
    pub callers: Arc<SearchPool>,
    /// The places of those who are signed in, of log-ins, each of which takes much memory for a moment, and of looks at new sources.
    pub admins: Arc<SearchPool>,
    pub logins: Arc<SearchPool>,
    pub previews: Arc<SearchPool>,
    /// The configuration, to which sources are added.
    pub config_path: PathBuf,
    /// Notified when the configuration was changed, and is to be read again.
    pub reloads: Arc<Notify>,
    /// Notified when a mail is queued that somebody is waiting for.
    pub mail_waits: Arc<Notify>,
}

impl AppState {
    /// The path of the channel: empty, or `/news`.
    pub fn base(&self) -> String {
        self.channel.path()
    }

    /// What stories are shown with.
    pub fn catalog(&self) -> Catalog<'_> {
        Catalog { channel: &self.channel, topics: &self.topics, sources: &self.sources }
    }

    /// What mail is composed with, at the current time.
    pub fn mail_context(&self) -> MailContext<'_> {
        MailContext {
            catalog: self.catalog(),
            newsletter: &self.newsletter,
            templates: &self.templates,
            sender: &self.sender,
            accent: self.accent,
            now: self.clock.now(),
        }
    }

    /// The settings for rendering pages of the planet.
    pub fn setting(&self) -> SiteContext<'_> {
        SiteContext {
            catalog: self.catalog(),
            publications: &self.publications,
            filled: None,
            images: self.images,
            key: &self.sender.key,
        }
    }

    /// Renders a page; never cached, as it may be personal.
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

/// The response to an internal error, whose cause only goes to the log.
pub(super) fn failed(error: &anyhow::Error) -> Response {
    tracing::error!("a request failed: {error:#}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Tells the client of an answer for which there is no room now to come back in a moment.
pub(super) fn busy(mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// Nothing of it is kept by a cache, or found by a search engine.
pub(super) async fn unlisted(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}
