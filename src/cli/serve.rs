//! `courant serve`: serves the web and does what is due.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Interval;

use crate::app::{self, App};
use crate::config::{self, Config, ServiceManager};
use crate::model::digest::DigestId;
use crate::support::i18n;
use crate::support::notify::Notifier;
use crate::support::terminal::errln;
use crate::web::files::Files;
use crate::web::hubs::Verifications;
use crate::web::images::Pictures;
use crate::web::limits::Limits;
use crate::web::search::SearchPool;
use crate::web::server::LiveSite;
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

/// A service under way.
struct Service<'a> {
    /// What does the work, from the next cycle on.
    apps: watch::Sender<Arc<App>>,
    site: Arc<LiveSite>,
    kept: KeptState,
    notifier: Notifier,
    config_path: &'a Path,
}

/// What dynamic pages share for as long as the service runs, whatever its configuration becomes.
#[derive(Default)]
struct KeptState {
    mail_waits: Arc<Notify>,
    limits: Arc<Limits>,
    searches: Arc<SearchPool>,
    callers: Arc<SearchPool>,
    admins: Arc<SearchPool>,
    logins: Arc<SearchPool>,
    previews: Arc<SearchPool>,
    /// Notified when the configuration was changed here.
    reloads: Arc<Notify>,
}

/// Serves the published folder and its forms and does what is due, until told to stop. SIGHUP has the configuration read again.
pub(super) async fn serve(
    app: App,
    listen: &str,
    manager: ServiceManager,
    config_path: &Path,
) -> anyhow::Result<()> {
    let notifier = notifier(&manager)?;
    // Twice in the time after which silence is taken for death.
    let mut watchdog = manager.watchdog.map(|limit| tokio::time::interval(limit / 2));
    let listener = match manager.listener {
        Some(inherited) => web::server::adopt(inherited).context("the socket of the service manager")?,
        None => web::server::listen(listen).await.with_context(|| format!("cannot listen on {listen}"))?,
    };
    errln!("serving {} on http://{}", app.destination, listener.local_addr()?);
    let metrics = metrics_listener(&app).await?;
    let readers = reader_threads()?;
    let kept = KeptState::default();
    let state = Arc::new(web_state(&app, &kept, config_path));
    let site = LiveSite::new(Files::new(&app.destination, app.store()), Some(state));
    let server = answer_readers(&readers, &app, (listener, metrics), &site);
    let stop = app.stop.clone();
    let (apps, _) = watch::channel(Arc::new(app));
    let confirmations = tokio::spawn(send_confirmations(apps.subscribe(), kept.mail_waits.clone()));
    let mut turns = tokio::spawn(take_turns(apps.subscribe()));
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let service = Service { apps, site, kept, notifier, config_path };
    service.notifier.ready("reads, publishes and sends what is due");
    loop {
        tokio::select! {
            // The work ends when it is told to: that is asked first.
            biased;
            () = stop.cancelled() => break,
            // If the work itself ends, the service has to end too.
            ended = &mut turns => {
                readers.shutdown_background();
                return Ok(ended?);
            }
            _ = hangup.recv() => tokio::task::block_in_place(|| service.reload()),
            () = service.kept.reloads.notified() => tokio::task::block_in_place(|| service.reload()),
            () = until_watched(&mut watchdog) => service.show_life(),
        }
    }
    service.notifier.stopping();
    confirmations.abort();
    let ended = tokio::time::timeout(SHUTDOWN_GRACE, async { (server.await, turns.await) }).await;
    readers.shutdown_background();
    if let Ok((server, _)) = ended {
        server??;
    }
    Ok(())
}

fn notifier(manager: &ServiceManager) -> anyhow::Result<Notifier> {
    let to = |address: &String| {
        Notifier::to(address).with_context(|| format!("NOTIFY_SOCKET: {address} cannot be told anything"))
    };
    Ok(manager.notify_socket.as_ref().map(to).transpose()?.unwrap_or_default())
}

/// Until the service manager is to be shown a sign of life; forever, if it does not watch.
async fn until_watched(watchdog: &mut Option<Interval>) {
    match watchdog {
        Some(watchdog) => _ = watchdog.tick().await,
        None => std::future::pending().await,
    }
}

impl Service<'_> {
    /// Shows the service manager that the work gets on; if it does not, a new start may help.
    fn show_life(&self) {
        let app = self.apps.borrow().clone();
        if app.metrics.pulse.silence() <= app.stalled_after() {
            self.notifier.alive();
        } else {
            tracing::error!("the work has got no further for too long: the service manager is told nothing");
        }
    }

    /// Reads the configuration again. If it is faulty, all stays as it was.
    fn reload(&self) {
        self.notifier.reloading();
        let before = i18n::current();
        match self.reconfigured() {
            Ok(app) => {
                errln!("{} is read again: it holds from the next cycle on", self.config_path.display());
                self.notifier.ready("the configuration was read again");
                let files = Files::new(&app.destination, app.store());
                self.site.replace(files, Arc::new(web_state(&app, &self.kept, self.config_path)));
                self.apps.send_replace(Arc::new(app));
            }
            Err(error) => {
                i18n::go_back(before);
                tracing::error!("the configuration of before stays, because this one is faulty:\n{error:#}");
                self.notifier.ready("the configuration is faulty: the one of before stays");
            }
        }
    }

    fn reconfigured(&self) -> anyhow::Result<App> {
        let running = self.apps.borrow().clone();
        let mut config = config::load(self.config_path)?;
        for key in keep_fixed(&mut config, &running.config) {
            tracing::warn!("{key} changed: that takes effect when the service is started again");
        }
        running.reconfigured(config)
    }
}

/// Puts back what a running service cannot change, and names it.
fn keep_fixed(config: &mut Config, running: &Config) -> Vec<&'static str> {
    let mut changed = Vec::new();
    if config.store != running.store {
        config.store = running.store.clone();
        changed.push("[store]");
    }
    if config.serve.metrics != running.serve.metrics {
        config.serve.metrics = running.serve.metrics;
        changed.push("[serve] metrics");
    }
    if config.serve.trusted_proxies != running.serve.trusted_proxies {
        config.serve.trusted_proxies = running.serve.trusted_proxies.clone();
        changed.push("[serve] trusted_proxies");
    }
    changed
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
    let listener = web::server::listen(address).await;
    let listener = listener.with_context(|| format!("[serve] metrics: cannot listen on {address}"))?;
    errln!("metrics on http://{}/metrics", listener.local_addr()?);
    Ok(Some(listener))
}

/// Answers web requests until `app` is told to stop; those for metrics at a listener of their own.
fn answer_readers(
    readers: &Runtime,
    app: &App,
    (listener, metrics): (TcpListener, Option<TcpListener>),
    site: &Arc<LiveSite>,
) -> JoinHandle<std::io::Result<()>> {
    let kept_back = app.config.fetch.concurrency + app.config.mail.connections + HANDLES_ELSEWHERE;
    let limits = web::server::connection_limits(
        support::process::open_files_max(),
        kept_back,
        app.config.serve.trusted_proxies.clone(),
    );
    if let Some(metrics) = metrics {
        let (site, shutdown) = (site.clone(), app.stop.clone().cancelled_owned());
        readers.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(metrics)?;
            web::server::serve_metrics(listener, site, shutdown).await
        });
    }
    let (site, shutdown) = (site.clone(), app.stop.clone().cancelled_owned());
    readers.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        web::server::serve(listener, site, limits, shutdown).await
    })
}

fn web_state(app: &App, kept: &KeptState, config_path: &Path) -> AppState {
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
        admin_accounts: app.config.admin_accounts.clone(),
        subscription_options: app.subscription_options(),
        segments: app.config.segments.clone(),
        sender: app.sender.as_ref().clone(),
        templates: app.templates.clone(),
        accent: app.config.brand.accent,
        clock: app.clock,
        body_bytes_max: app.config.fetch.body_bytes_max,
        limits: kept.limits.clone(),
        metrics: app.metrics.clone(),
        stalled_after: app.stalled_after(),
        is_hub: app.is_own_hub(),
        verifications: Verifications::new(&app.refresher.client),
        searches: kept.searches.clone(),
        callers: kept.callers.clone(),
        admins: kept.admins.clone(),
        logins: kept.logins.clone(),
        previews: kept.previews.clone(),
        config_path: config_path.to_owned(),
        reloads: kept.reloads.clone(),
        mail_waits: kept.mail_waits.clone(),
    }
}

/// Sends a confirmation as soon as somebody signs up, without waiting for the next turn.
async fn send_confirmations(apps: watch::Receiver<Arc<App>>, mail_waits: Arc<Notify>) {
    loop {
        mail_waits.notified().await;
        let app = apps.borrow().clone();
        for digest in [DigestId::Confirmation, DigestId::Welcome] {
            match app.deliver(Some(&digest)).await {
                Ok(deliveries) => app::log_unsent(&deliveries),
                Err(error) => tracing::error!("confirmations could not be sent: {error:#}"),
            }
        }
    }
}

/// Does what is due at each tick, and at once when the configuration has changed.
async fn take_turns(mut apps: watch::Receiver<Arc<App>>) {
    let stop = apps.borrow().stop.clone();
    while !stop.is_cancelled() {
        let app = apps.borrow_and_update().clone();
        app.tick().await;
        app.metrics.pulse.rest(TICK);
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            Ok(()) = apps.changed() => {}
            () = stop.cancelled() => {}
        }
    }
}
