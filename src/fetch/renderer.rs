//! Pages behind JavaScript: an external renderer configured by the operator returns the HTML that a browser would show.

use jiff::Timestamp;
use url::Url;

use super::client::{Accept, Client, FetchError, FetchOutcome, Fetched};
use super::headers::Meta;
use crate::model::source::{RENDERER_PLACE, Validators};

/// The program that renders pages; cheap to clone.
#[derive(Debug, Clone)]
pub struct Renderer {
    /// May connect to the program, wherever that runs, and to nothing else that is private.
    client: Client,
    /// With `RENDERER_PLACE` in it.
    address: String,
}

/// Why a page was not rendered: a fault of the renderer, whatever the page's own server says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("the renderer at {renderer} did not show the page: {cause}")]
    Failed { renderer: String, cause: FetchError },
    #[error("the renderer at {renderer} answers nothing for the page: see its own log")]
    Empty { renderer: String },
}

impl Renderer {
    pub fn new(client: Client, address: String) -> Renderer {
        Renderer { client, address }
    }

    /// What a browser makes of a page, as a document that stands at the page's own address.
    ///
    /// # Errors
    /// When the renderer cannot be reached, fails, or answers nothing.
    pub async fn render(&self, page: &Url, now: Timestamp) -> Result<Fetched, RenderError> {
        let failed = |cause| RenderError::Failed { renderer: self.name(), cause };
        let asked =
            self.asked(page).ok_or_else(|| failed(FetchError::BadRedirect { to: self.address.clone() }))?;
        match self.client.get(&asked, &Validators::default(), Accept::Page, now).await.map_err(failed)? {
            // Whatever caching the renderer speaks of is its own.
            FetchOutcome::Document(fetched) if !fetched.bytes.trim_ascii().is_empty() => {
                Ok(Fetched { url: page.clone(), meta: Meta::default(), ..*fetched })
            }
            _ => Err(RenderError::Empty { renderer: self.name() }),
        }
    }

    fn asked(&self, page: &Url) -> Option<Url> {
        let page: String = url::form_urlencoded::byte_serialize(page.as_str().as_bytes()).collect();
        Url::parse(&self.address.replace(RENDERER_PLACE, &page)).ok()
    }

    /// Its host, which is all of its address that is fit to be printed: the rest may hold a key.
    fn name(&self) -> String {
        let url = Url::parse(&self.address.replace(RENDERER_PLACE, "")).ok();
        let host = url.as_ref().and_then(|url| Some((url.host_str()?.to_owned(), url.port())));
        match host {
            Some((host, Some(port))) => format!("{host}:{port}"),
            Some((host, None)) => host,
            None => "[fetch] renderer".into(),
        }
    }
}
