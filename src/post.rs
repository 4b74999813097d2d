//! What is posted to outlets (webhooks, chats): the body once, from an event or a story, and the request around it at each attempt. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::model::outlet::{EventKind, Outlet, OutletKind, ServiceKind, secret_bytes};
use crate::model::source::Password;
use crate::model::story::Story;
use crate::support::templates::{TemplateError, Templates};
use crate::view::{Catalog, StoryView, rfc3339, view_among};

/// A request to an outlet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostRequest {
    pub is_put: bool,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
}

/// What a template for a service sees.
#[derive(Serialize)]
struct PostData<'a> {
    /// The addressee: a room, a topic, a chat.
    to: &'a str,
    #[serde(flatten)]
    story: &'a StoryView,
}

/// The body that tells a webhook of an event.
pub fn event_body(event: EventKind, at: Timestamp, data: &impl Serialize) -> String {
    json!({ "type": event.as_str(), "timestamp": rfc3339(at), "data": data }).to_string()
}

/// The body that tells a service of a story, as its template has it.
///
/// # Errors
/// When a template of the operator is faulty, or does not make JSON.
pub fn service_body(
    templates: &Templates,
    outlet: &Outlet,
    (service, to): (ServiceKind, &str),
    catalog: Catalog,
    story: &Story,
) -> Result<String, TemplateError> {
    let language = outlet.language.as_deref().unwrap_or(&catalog.channel.language);
    let story = view_among(catalog, story, language, &outlet.interests);
    let body: Value = templates.render_json(service.template(), &PostData { to, story: &story })?;
    Ok(body.to_string())
}

/// The request of an attempt to post a body, which tells of an event by its id.
pub fn request(outlet: &Outlet, event: &str, body: &str, now: Timestamp) -> PostRequest {
    let json = ("content-type", "application/json".to_owned());
    let (is_put, url, headers) = match &outlet.kind {
        OutletKind::Webhook { secret, .. } => {
            (false, outlet.url.clone(), signature(secret, event, body, now))
        }
        OutletKind::Service { service, to, token } => {
            let token = token.as_ref().map_or("", |token| token.0.as_str());
            let (is_put, url) = service_url(*service, outlet, to, token, event);
            (is_put, url, service_headers(*service, token, event))
        }
    };
    PostRequest { is_put, url, headers: std::iter::once(json).chain(headers).collect() }
}

/// The headers by which a webhook knows that it is us, and each event again (Standard Webhooks).
fn signature(secret: &Password, event: &str, body: &str, now: Timestamp) -> Vec<(&'static str, String)> {
    let seconds = now.as_second();
    let key = secret_bytes(&secret.0).unwrap_or_default();
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok();
    let signed = mac.map(|mac| mac.chain_update(format!("{event}.{seconds}.{body}")).finalize().into_bytes());
    let signature = signed.map_or_else(String::new, |signed| format!("v1,{}", STANDARD.encode(signed)));
    vec![
        ("webhook-id", event.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ]
}

/// Where a service takes messages. A service that is told the id of an event takes it once, however often it is sent.
fn service_url(service: ServiceKind, outlet: &Outlet, to: &str, token: &str, event: &str) -> (bool, Url) {
    let bot = format!("bot{token}");
    let parts: &[&str] = match service {
        ServiceKind::Matrix => &["_matrix", "client", "v3", "rooms", to, "send", "m.room.message", event],
        ServiceKind::Telegram => &[&bot, "sendMessage"],
        ServiceKind::Mastodon => &["api", "v1", "statuses"],
        ServiceKind::Ntfy | ServiceKind::Slack | ServiceKind::Discord => &[],
    };
    let mut url = outlet.url.clone();
    if !parts.is_empty()
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().extend(parts);
    }
    (service == ServiceKind::Matrix, url)
}

fn service_headers(service: ServiceKind, token: &str, event: &str) -> Vec<(&'static str, String)> {
    let is_bearer = matches!(service, ServiceKind::Matrix | ServiceKind::Ntfy | ServiceKind::Mastodon);
    let mut headers = Vec::new();
    if is_bearer && !token.is_empty() {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    if service == ServiceKind::Mastodon {
        headers.push(("idempotency-key", event.to_owned()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::subscriber::Interests;

    #[test]
    fn a_webhook_is_signed_as_the_standard_has_it() {
        // The example of the specification.
        let outlet = Outlet {
            id: "x".into(),
            url: "https://x.example/hook".parse().unwrap(),
            kind: OutletKind::Webhook {
                secret: Password("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
                events: Vec::new(),
            },
            interests: Interests::default(),
            language: None,
        };
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let request = request(&outlet, "msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}", now);
        let header = |name: &str| request.headers.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!(header("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(header("webhook-timestamp"), "1614265330");
    }
}
