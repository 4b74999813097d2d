//! `courant demo`: the whole product on bundled example sites, served on a loopback port. The pipeline is the real one; only the
//! sites are bundled, and the clock is fixed.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use tokio_util::sync::CancellationToken;

use crate::app::{App, RunReport, ShutdownMode, Signals};
use crate::pipeline::mail::queue::DigestReport;
use crate::pipeline::refresh::SourceOutcome;
use crate::support::clock::Clock;
use crate::support::files;
use crate::support::process::open_files_max;
use crate::support::terminal::outln;
use crate::support::text::many;
use crate::web::files::Files;
use crate::web::server::LiveSite;
use crate::{config, web};

/// Open files that are not connections of readers.
const HANDLES_ELSEWHERE: usize = 192;
/// The date of the demo: a Thursday after the stories of the first listing.
const START: &str = "2022-10-20T08:00:00Z";

/// Path, media type and bytes of each listing and feed; `{{origin}}` stands for the server's address.
const LISTINGS: &[(&str, &str, &[u8])] = &[
    (
        "/ogp/fr/content-category/state-of-play-analysis/",
        "text/html; charset=utf-8",
        include_bytes!("../../demo/sites/ogp-fr.html"),
    ),
    (
        "/ogp/content-category/state-of-play-analysis/",
        "text/html; charset=utf-8",
        include_bytes!("../../demo/sites/ogp-en.html"),
    ),
    (
        "/ogp/es/content-category/state-of-play-analysis/",
        "text/html; charset=utf-8",
        include_bytes!("../../demo/sites/ogp-es.html"),
    ),
    ("/uclg/en/media/news", "text/html", include_bytes!("../../demo/sites/uclg-en.html")),
    ("/uclg/fr/media/actualites", "text/html", include_bytes!("../../demo/sites/uclg-fr.html")),
    ("/uclg/es/media/noticias", "text/html", include_bytes!("../../demo/sites/uclg-es.html")),
    ("/rija/", "text/html", include_bytes!("../../demo/sites/rija.html")),
    ("/ilda/feed/", "application/rss+xml; charset=UTF-8", include_bytes!("../../demo/sites/ilda.rss")),
    ("/charter/feed.atom", "application/atom+xml", include_bytes!("../../demo/sites/charter.atom")),
    ("/contracting/feed.json", "application/feed+json", include_bytes!("../../demo/sites/contracting.json")),
    ("/etalab/rss", "application/rdf+xml", include_bytes!("../../demo/sites/etalab.rdf")),
];

/// An item's own page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DemoItem {
    path: String,
    site: String,
    language: String,
    title: String,
    date: String,
    text: String,
    style: String,
    alternates: BTreeMap<String, String>,
}

struct DemoSite {
    documents: HashMap<String, (String, Bytes, String)>,
    requests: AtomicUsize,
    not_modified: AtomicUsize,
}

/// The example sites being served; the server stops when this is dropped.
pub struct DemoSites {
    pub origin: String,
    site: Arc<DemoSite>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for DemoSites {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl DemoSites {
    /// Serves the sites on a free loopback port.
    ///
    /// # Errors
    /// When no port is available.
    pub async fn start() -> anyhow::Result<DemoSites> {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .context("no loopback port is free")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let site = Arc::new(DemoSite {
            documents: documents(&origin)?,
            requests: AtomicUsize::new(0),
            not_modified: AtomicUsize::new(0),
        });
        let router = Router::new().fallback(answer).with_state(site.clone());
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(DemoSites { origin, site, server })
    }

    /// The configuration that reads these sites.
    pub fn configuration(&self) -> String {
        include_str!("../../demo/feeds.toml").replace("{{origin}}", &self.origin)
    }

    /// Requests answered so far, and how many of them with 304.
    pub fn counts(&self) -> (usize, usize) {
        (self.site.requests.load(Ordering::Relaxed), self.site.not_modified.load(Ordering::Relaxed))
    }
}

fn documents(origin: &str) -> anyhow::Result<HashMap<String, (String, Bytes, String)>> {
    let mut documents = HashMap::new();
    let mut add = |path: &str, media_type: &str, bytes: Vec<u8>| {
        let hex: String = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        documents.insert(path.to_owned(), (media_type.to_owned(), Bytes::from(bytes), format!("\"{hex}\"")));
    };
    for (path, media_type, bytes) in LISTINGS {
        add(path, media_type, replace(bytes, b"{{origin}}", origin.as_bytes()));
    }
    let items: Vec<DemoItem> = serde_json::from_str(include_str!("../../demo/items.json"))?;
    let mut tera = tera::Tera::default();
    tera.add_raw_template("item.html", include_str!("../../demo/item.html"))?;
    for item in items {
        let mut context = tera::Context::from_serialize(&item)?;
        context.insert("origin", origin);
        context.insert("title_json", &serde_json::to_string(&item.title)?);
        add(&item.path, "text/html; charset=utf-8", tera.render("item.html", &context)?.into_bytes());
    }
    Ok(documents)
}

/// Replaces bytes rather than text, as one of the feeds is not UTF-8.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for at in memchr::memmem::find_iter(bytes, from) {
        out.extend_from_slice(&bytes[done..at]);
        out.extend_from_slice(to);
        done = at + from.len();
    }
    out.extend_from_slice(&bytes[done..]);
    out
}

async fn answer(State(site): State<Arc<DemoSite>>, headers: HeaderMap, request: Request) -> Response {
    site.requests.fetch_add(1, Ordering::Relaxed);
    let Some((media_type, bytes, etag)) = site.documents.get(request.uri().path()) else {
        return (StatusCode::NOT_FOUND, "nothing here").into_response();
    };
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        site.not_modified.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag.clone())]).into_response();
    }
    ([(header::CONTENT_TYPE, media_type.clone()), (header::ETAG, etag.clone())], bytes.clone())
        .into_response()
}

/// Runs the pipeline twice and reports the results. A demo in a folder starts afresh: it removes what an earlier demo left
/// there, and nothing else.
///
/// # Errors
/// When the folder cannot be written or holds something else.
pub async fn run(
    dir: &Path,
    keep_serving: bool,
    now: Option<Timestamp>,
    signals: &Signals,
) -> anyhow::Result<()> {
    prepare(dir)?;
    let sites = DemoSites::start().await?;
    let file = dir.join("feeds.toml");
    files::write_atomically(&file, sites.configuration().as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))?;
    let start = now.map_or_else(|| START.parse(), Ok)?;
    outln!("Example sites of eight partners on {}, configuration in {}\n", sites.origin, file.display());

    let app = App::new(config::load_alone(&file)?, Clock::Fixed(start), CancellationToken::new())?;
    let first = app.run_once().await?;
    let first_counts = sites.counts();
    let first_bytes = app.refresher.client.body_bytes();
    report_first(&first, first_counts, first_bytes);

    let later = App::new(
        config::load_alone(&file)?,
        Clock::Fixed(start + SignedDuration::from_hours(2)),
        CancellationToken::new(),
    )?;
    let second = later.run_once().await?;
    report_second(&second, first_counts, sites.counts(), later.refresher.client.body_bytes());
    report_files(&later)?;
    if keep_serving {
        serve(&later, signals).await?;
    }
    Ok(())
}

async fn serve(app: &App, signals: &Signals) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    outln!("\nServing the page on http://{}/ until Ctrl-C", listener.local_addr()?);
    signals.end_with(ShutdownMode::Own);
    let stop = signals.stop.clone().cancelled_owned();
    let limits = web::server::connection_limits(open_files_max(), HANDLES_ELSEWHERE, Vec::new());
    let files = Files::new(&app.destination, app.store());
    Ok(web::server::serve(listener, LiveSite::new(files, None), limits, stop).await?)
}

const LEFT_BEHIND: [&str; 4] = ["courant.db", "courant.db-wal", "courant.db-shm", "feeds.toml"];

fn prepare(dir: &Path) -> anyhow::Result<()> {
    let is_foreign = dir.join("feeds.toml").exists()
        && !std::fs::read_to_string(dir.join("feeds.toml"))?.starts_with("# The demo's configuration");
    anyhow::ensure!(
        !is_foreign,
        "{} holds a configuration that is not the demo's: name another folder with --dir",
        dir.display()
    );
    for name in LEFT_BEHIND {
        let path = dir.join(name);
        if path.exists() {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for mail in std::fs::read_dir(dir.join("outbox")).into_iter().flatten().flatten() {
        if mail.path().extension().is_some_and(|extension| extension == "eml") {
            std::fs::remove_file(mail.path())?;
        }
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

fn report_first(run_once: &RunReport, (requests, _): (usize, usize), bytes: u64) {
    outln!("First cycle: {requests} requests, {bytes} bytes of documents");
    for report in &run_once.reports {
        match &report.outcome {
            SourceOutcome::Read { new, .. } => {
                outln!("  {:<12} {}", report.source, many(*new, "entry", "entries"))
            }
            SourceOutcome::Failed(reason) => {
                outln!("  {:<12} failed, and the run went on: {reason}", report.source)
            }
            SourceOutcome::NotModified | SourceOutcome::TakenOver => {
                outln!("  {:<12} not modified", report.source)
            }
        }
    }
    outln!("\nMerged into {}, because:", many(run_once.published.stories, "story", "stories"));
    for report in &run_once.reports {
        if let SourceOutcome::Read { joined, .. } = &report.outcome {
            joined.iter().for_each(|line| outln!("  {line}"));
        }
    }
    for (id, turn) in &run_once.digest_reports {
        if let DigestReport::Queued { stories, recipients } = turn {
            outln!(
                "\nDigest \"{id}\": {} to {}, {} sent",
                many(*stories, "story", "stories"),
                many(*recipients, "recipient", "recipients"),
                run_once.deliveries.sent
            );
        }
    }
}

fn report_second(run_once: &RunReport, before: (usize, usize), after: (usize, usize), bytes: u64) {
    let read =
        run_once.reports.iter().filter(|report| matches!(report.outcome, SourceOutcome::Read { .. })).count();
    outln!(
        "\nSecond cycle, two hours later: {}, {} answered 304, {} read again, {} of documents,\n  {} rewritten, {} sent",
        many(after.0 - before.0, "request", "requests"),
        after.1 - before.1,
        many(read, "source", "sources"),
        many(bytes, "byte", "bytes"),
        many(run_once.published.written, "file", "files"),
        many(run_once.deliveries.sent, "mail", "mails")
    );
}

fn report_files(app: &App) -> anyhow::Result<()> {
    let folder = std::path::absolute(&app.config.publish.dir)?;
    outln!(
        "\nMerged feed  {}\nPage         {}",
        folder.join("atom.xml").display(),
        folder.join("index.html").display()
    );
    let outbox = folder.with_file_name("outbox");
    let mut mails: Vec<_> =
        std::fs::read_dir(&outbox).into_iter().flatten().flatten().map(|mail| mail.path()).collect();
    mails.sort();
    for mail in mails {
        outln!("Mail         {}", mail.display());
    }
    let entries = app.store().read(|r| r.entries().count())?;
    outln!("Store        {} ({})", app.config.store, many(entries, "entry", "entries"));
    Ok(())
}
