//! `courant serve`: serves the web and does what is due.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::app::{self, App};
use crate::model::digest::DigestId;
use crate::support::terminal::errln;
use crate::web::files::Files;
use crate::web::hubs::Verifications;
use crate::web::images::Pictures;
use crate::web::limits::Limits;
use crate::web::search::SearchPool;
use crate::web::state::AppState;
use crate::{support, web};

/// Interval at which `courant serve` checks what is due.
const TICK: Duration = Duration::from_secs(30);
/// How long running work has to finish after a signal.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_200);
/// Open files that are neither connections of clients nor of the pipeline and its mail: database, index, pictures, callbacks.
const HANDLES_ELSEWHERE: usize = 192;
/// Threads that answer web requests.
const WEB_THREADS: usize = 2;

/// Serves the published folder and its forms and does what is due, until told to stop.
pub(super) async fn serve(app: App, listen: &str) -> anyhow::Result<()> {
    let mail_waits = Arc::new(Notify::new());
    let listener = tokio::net::TcpListener::bind(listen).await.and_then(tokio::net::TcpListener::into_std);
    let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
    errln!("serving {} on http://{}", app.destination, listener.local_addr()?);
    let metrics = metrics_listener(&app).await?;
    let readers = reader_threads()?;
    let server = answer_readers(&readers, &app, (listener, metrics), mail_waits.clone());
    let stop = app.stop.clone();
    let app = Arc::new(app);
    let confirmations = tokio::spawn(send_confirmations(app.clone(), mail_waits));
    let mut turns = tokio::spawn(take_turns(app));
    tokio::select! {
        () = stop.cancelled() => {}
        // If the work itself ends, the service has to end too.
        ended = &mut turns => {
            readers.shutdown_background();
            return Ok(ended?);
        }
    }
    confirmations.abort();
    let ended = tokio::time::timeout(SHUTDOWN_GRACE, async { (server.await, turns.await) }).await;
    readers.shutdown_background();
    if let Ok((server, _)) = ended {
        server??;
    }
    Ok(())
}

/// Web requests have their own threads, so that they never wait behind thousands of mails or documents.
fn reader_threads() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WEB_THREADS)
        .thread_name("web")
        .enable_all()
        .build()
}

/// Binds what `[serve] metrics` names.
async fn metrics_listener(app: &App) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = app.config.serve.metrics else { return Ok(None) };
    let listener = tokio::net::TcpListener::bind(address).await.and_then(tokio::net::TcpListener::into_std);
    let listener = listener.with_context(|| format!("[serve] metrics: cannot listen on {address}"))?;
    errln!("metrics on http://{}/metrics", listener.local_addr()?);
    Ok(Some(listener))
}

/// Answers web requests until `app` is told to stop; those for metrics at a listener of their own.
fn answer_readers(
    readers: &Runtime,
    app: &App,
    (listener, metrics): (TcpListener, Option<TcpListener>),
    mail_waits: Arc<Notify>,
) -> JoinHandle<std::io::Result<()>> {
    let state = Arc::new(web_state(app, mail_waits));
    let files = Files::new(&app.destination, app.store());
    let kept_back = app.config.fetch.concurrency + app.config.mail.connections + HANDLES_ELSEWHERE;
    let limits = web::server::connection_limits(
        support::process::open_files_max(),
        kept_back,
        app.config.serve.trusted_proxies.clone(),
    );
    if let Some(metrics) = metrics {
        let (state, shutdown) = (state.clone(), app.stop.clone().cancelled_owned());
        readers.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(metrics)?;
            web::server::serve_metrics(listener, state, shutdown).await
        });
    }
    let shutdown = app.stop.clone().cancelled_owned();
    readers.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        web::server::serve(listener, files, Some(state), limits, shutdown).await
    })
}

fn web_state(app: &App, mail_waits: Arc<Notify>) -> AppState {
    AppState {
        refresher: app.refresher.clone(),
        channel: app.config.channel.clone(),
        languages: app.config.interface_languages(),
        topics: app.config.topics.clone(),
        sources: app.config.sources.clone(),
        publications: app.publications.clone(),
        images: app.config.publish.images,
        pictures: Pictures::new(&app.refresher.client),
        newsletter: app.config.newsletter.clone(),
        digests: app.config.digests.clone(),
        serve: app.config.serve.clone(),
        subscription_options: app.subscription_options(),
        sender: app.sender.as_ref().clone(),
        templates: app.templates.clone(),
        clock: app.clock,
        body_bytes_max: app.config.fetch.body_bytes_max,
        limits: Limits::default(),
        metrics: app.metrics.clone(),
        is_hub: app.is_own_hub(),
        verifications: Verifications::new(&app.refresher.client),
        searches: SearchPool::default(),
        mail_waits,
    }
}

/// Sends a confirmation as soon as somebody signs up, without waiting for the next turn.
async fn send_confirmations(app: Arc<App>, mail_waits: Arc<Notify>) {
    loop {
        mail_waits.notified().await;
        for digest in [DigestId::Confirmation, DigestId::Welcome] {
            match app.deliver(Some(&digest)).await {
                Ok(deliveries) => app::log_unsent(&deliveries),
                Err(error) => tracing::error!("confirmations could not be sent: {error:#}"),
            }
        }
    }
}

/// Does what is due at each tick.
async fn take_turns(app: Arc<App>) {
    while !app.stop.is_cancelled() {
        app.tick().await;
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = app.stop.cancelled() => {}
        }
    }
}
