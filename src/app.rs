//! The wiring: builds the parts that commands work with from the configuration, and runs the pipelines.

mod parts;
mod signals;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, TransportConfig};
use crate::deliver::message::Sender;
use crate::deliver::transport::Transport;
use crate::model::digest::DigestId;
use crate::model::mail_address::Address;
use crate::model::publication::{self, PublicationList};
use crate::model::source::Source;
use crate::model::subscriber::SubscriptionOptions;
use crate::model::token::SigningKey;
use crate::pipeline::alarms::{self, AlarmContext};
use crate::pipeline::destination::{Destination, SiteWriter, Unpublished};
use crate::pipeline::mail::MailContext;
use crate::pipeline::mail::campaigns::{self, CampaignTurn, FailedCampaign};
use crate::pipeline::mail::drafts;
use crate::pipeline::mail::forget;
use crate::pipeline::mail::incident;
use crate::pipeline::mail::outbox::{Deliveries, DeliveryPace, DigestRecipients, OutboxWorker, Progress};
use crate::pipeline::mail::partners;
use crate::pipeline::mail::queue::{self, DigestReport};
use crate::pipeline::mail::reengagement::{self, ReengagementTurn};
use crate::pipeline::mail::subscribers;
use crate::pipeline::maintenance::{self, TopicAssigner};
use crate::pipeline::outlets::{self, OutletContext};
use crate::pipeline::outside::{self, MailRecords, OutsideContext};
use crate::pipeline::publish::{Published, Publisher};
use crate::pipeline::refresh::{Refresher, SourceOutcome, SourceReport};
use crate::pipeline::websub::hub::{self, HubContext};
use crate::pipeline::websub::subscriber;
use crate::pipeline::worker::{self, Bounds, FetchReport, Selection};
use crate::store::{Lease, LeasedResource, Store};
use crate::support::clock::{Clock, TokenSource};
use crate::support::files;
use crate::support::telemetry::Metrics;
use crate::support::templates::Templates;
use crate::support::terminal::errln;
use crate::view::Catalog;

use self::parts::{duration, hub_address, refresher, secret, store_folder};

/// Entries added to the full-text search in one transaction.
const INDEXED: usize = 2_000;

/// Between two lines that tell how far long work is.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// A third of a lease.
/// Four times in the time after which a silent worker counts as dead.
const HEARD_AFTER: Duration = Duration::from_secs(15);
const RENEWED_AFTER: Duration = Duration::from_secs(200);
/// Interval at which a published folder held by another process is checked.
const PUBLISHER_PAUSE: Duration = Duration::from_millis(100);

pub use self::parts::{
    CAMPAIGN_FILES, PREVIEW_FILES, PREVIEW_FOLDER, classifier, client, destination, dkim, mail_tls, mailbox,
    renderer, transport, trial,
};
pub use self::signals::{INTERRUPTED_CODE, ShutdownMode, Signals};
pub use crate::support::clock::Interrupted;

/// Wrong usage that only shows once the configuration is known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Everything that a command with a configuration needs, built once.
pub struct App {
    pub config: Config,
    pub refresher: Refresher,
    pub templates: Templates,
    pub transport: Arc<Transport>,
    pub sender: Arc<Sender>,
    pub publications: PublicationList,
    /// Where the channel's files are published.
    pub destination: Destination,
    /// The address of the hub that announces changes.
    pub hub: Option<String>,
    /// Fingerprint of the rules and the model that assign topics.
    pub topics_fingerprint: String,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Set by Ctrl-C or SIGTERM: every phase ends where it is.
    pub stop: CancellationToken,
    /// Who is to get the configured digests; found out when mail is sent.
    readers: OnceLock<Arc<DigestRecipients>>,
    /// Digests of which it was said that they wait for an editor.
    waiting: Mutex<HashSet<String>>,
}

/// The results of one cycle.
pub struct RunReport {
    pub reports: Vec<SourceReport>,
    pub published: Published,
    pub digest_reports: Vec<(DigestId, DigestReport)>,
    pub deliveries: Deliveries,
    /// Why not everything was published, while all other work went on.
    pub unpublished: Option<anyhow::Error>,
}

/// Keeps what could not be published for a report at the end: the next run publishes it, and nothing else has to wait.
pub fn for_later<T: Default>(
    published: anyhow::Result<T>,
    unpublished: &mut Option<anyhow::Error>,
) -> anyhow::Result<T> {
    match published {
        Err(error) if error.is::<Unpublished>() => {
            *unpublished = Some(error);
            Ok(T::default())
        }
        published => published,
    }
}

impl App {
    /// # Errors
    /// When the store, a template or a CA file cannot be used.
    pub fn new(config: Config, clock: Clock, stop: CancellationToken) -> anyhow::Result<App> {
        let store = Store::open(&config.store, &TokenSource::System.token()?)?;
        let key = SigningKey::new(secret(&store)?);
        subscribers::hash_suppressions(&store, &key)?;
        let app = App::over(store, key, config, clock, stop)?;
        app.keep_leases();
        Ok(app)
    }

    /// The same process under another configuration. Its store stays, whatever that says.
    ///
    /// # Errors
    /// As above.
    pub fn reconfigured(&self, config: Config) -> anyhow::Result<App> {
        let key = self.sender.key.clone();
        let mut app = App::over(self.store().clone(), key, config, self.clock, self.stop.clone())?;
        app.metrics = self.metrics.clone();
        app.refresher.robots_locks = self.refresher.robots_locks.clone();
        app.refresher.cores = self.refresher.cores.clone();
        Ok(app)
    }

    /// Everything but the store as configured.
    fn over(
        store: Store,
        key: SigningKey,
        config: Config,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<App> {
        let (classifier, topics_fingerprint) = classifier(&config)?;
        let refresher = refresher(&config, store, classifier)?;
        let templates = Templates::load(&config.templates_dir)?.branded(&config.brand.view());
        let transport = Arc::new(transport(&config.mail)?);
        files::narrow_folder(Path::new(PREVIEW_FOLDER), |name| {
            PREVIEW_FILES.contains(&name) || CAMPAIGN_FILES.contains(&name)
        });
        let sender = Arc::new(Sender {
            from: mailbox(&config.mail.from)?,
            reply_to: Some(mailbox(config.mail.reply_to.as_deref().unwrap_or(&config.mail.from))?),
            channel: config.channel.title.clone(),
            public_url: config.public_url.clone(),
            bounces: config.mail.bounces.clone(),
            key,
            dkim: config.mail.dkim.iter().map(dkim).collect::<anyhow::Result<_>>()?,
        });
        let publications =
            publication::publications(&config.channel, &config.topics, &config.sources, &config.feeds);
        Ok(App {
            destination: destination(&config.publish)?,
            hub: hub_address(&config),
            config,
            refresher,
            templates,
            transport,
            sender,
            publications,
            topics_fingerprint,
            clock,
            metrics: Arc::default(),
            stop,
            readers: OnceLock::new(),
            waiting: Mutex::default(),
        })
    }

    pub fn store(&self) -> &Store {
        &self.refresher.store
    }

    pub fn catalog(&self) -> Catalog<'_> {
        Catalog { channel: &self.config.channel, topics: &self.config.topics, sources: &self.config.sources }
    }

    /// What mail is composed with, at the current time.
    pub fn mail_context(&self) -> MailContext<'_> {
        MailContext {
            catalog: self.catalog(),
            newsletter: &self.config.newsletter,
            templates: &self.templates,
            sender: &self.sender,
            accent: self.config.brand.accent,
            now: self.clock.now(),
        }
    }

    /// The options that subscribers can choose from.
    pub fn subscription_options(&self) -> SubscriptionOptions {
        self.config.subscription_options()
    }

    /// Prepares the entries of an earlier version to be compared with new ones, and tells how far it is; a signal ends it early.
    fn make_ready(&self) -> anyhow::Result<()> {
        let (mut done, mut told) = (0, Instant::now());
        maintenance::make_ready(self.store(), |entries| {
            done += entries;
            self.metrics.pulse.beat();
            if told.elapsed() >= REPORT_INTERVAL {
                told = Instant::now();
                errln!("bringing the database up to date: {done} entries are ready to be compared");
            }
            !self.stop.is_cancelled()
        })?;
        if done > 0 {
            tracing::info!(count = done, "entries were made ready to be compared");
        }
        Ok(())
    }

    /// Reads the selected sources, with a progress bar on a terminal; a signal ends it early.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn fetch(&self, selection: &Selection) -> anyhow::Result<FetchReport> {
        self.take_over()?;
        // Stories of earlier versions have to be recognisable in new entries.
        self.make_ready()?;
        self.check_not_stopped()?;
        let bounds =
            Bounds { concurrency: self.config.fetch.concurrency, per_host: self.config.fetch.per_host };
        let sources: Vec<Arc<Source>> = self.config.sources.iter().cloned().map(Arc::new).collect();
        let bar = progress(sources.len() as u64, "sources");
        let fetched = worker::fetch(
            &self.refresher,
            &sources,
            selection,
            bounds,
            self.clock,
            self.stop.cancelled(),
            |report| {
                self.metrics.pulse.beat();
                bar.suspend(|| log(report));
                bar.inc(1);
            },
        )
        .await;
        bar.finish_and_clear();
        fetched
    }

    /// # Errors
    /// When the work has to end.
    pub fn check_not_stopped(&self) -> Result<(), Interrupted> {
        if self.stop.is_cancelled() { Err(Interrupted) } else { Ok(()) }
    }

    /// Takes over what dead processes held.
    fn take_over(&self) -> anyhow::Result<()> {
        let gone = self.store().release_dead_workers()?;
        if gone > 0 {
            tracing::warn!(gone, "took over the work of processes that died");
        }
        Ok(())
    }

    /// After a failed cycle, stops renewing what it left under way, since the service itself lives on.
    fn abandon_if_failed<T>(&self, result: &anyhow::Result<T>) {
        if result.is_err()
            && let Err(error) = self.store().write(|w| w.leases().abandon(self.store().worker()))
        {
            tracing::warn!("what was under way is kept until this process ends: {error}");
        }
    }

    /// Shows others that this process lives, and renews its leases, while it does.
    fn keep_leases(&self) {
        let store = self.store().clone();
        tokio::spawn(async move {
            let mut renewed = Instant::now();
            loop {
                tokio::time::sleep(HEARD_AFTER).await;
                if let Err(error) = store.note_alive() {
                    tracing::warn!("other machines cannot be told that this process lives: {error}");
                }
                if renewed.elapsed() < RENEWED_AFTER {
                    continue;
                }
                renewed = Instant::now();
                if let Err(error) = store.write(|w| w.leases().renew(store.worker(), store.lease_time())) {
                    tracing::warn!("leases could not be renewed: {error}");
                }
            }
        });
    }

    /// Writes the channel's files.
    ///
    /// # Errors
    /// When the store, a template, the disk or the bucket fails.
    pub async fn publish(&self) -> anyhow::Result<Published> {
        self.as_publisher(|site| {
            let published = site.publish(self.store())?;
            site.archive_issues(self.store(), &self.config.digests)?;
            Ok(published)
        })
        .await
    }

    /// Does what only the owner of the published files may do.
    async fn as_publisher<T>(&self, work: impl FnOnce(Publisher) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.take_over()?;
        let lease = self.publisher().await?;
        let done = tokio::task::block_in_place(|| {
            let files = SiteWriter::new(&self.destination, self.store(), &lease, &self.stop);
            work(self.site(&files))
        });
        self.store().write(|w| w.leases().settle(&[&lease], self.store().worker()))?;
        done
    }

    /// Claims the published files, waiting for another process to release it.
    async fn publisher(&self) -> anyhow::Result<Lease> {
        let wanted = ["public".to_owned()];
        loop {
            let store = self.store();
            let got = store.write(|w| {
                w.leases().claim(LeasedResource::Publisher, &wanted, store.worker(), store.lease_time())
            })?;
            if let Some(lease) = got.into_iter().next() {
                return Ok(lease);
            }
            tokio::time::sleep(PUBLISHER_PAUSE).await;
            // Whoever holds it may wait for a bucket.
            self.check_not_stopped()?;
            self.take_over()?;
        }
    }

    /// Assigns topics to entries.
    pub fn topic_assigner(&self) -> TopicAssigner<'_> {
        TopicAssigner {
            classifier: &self.refresher.classifier,
            sources: &self.config.sources,
            digests: &self.config.digests,
        }
    }

    /// The publisher of the channel's files.
    fn site<'a>(&'a self, files: &'a SiteWriter<'a>) -> Publisher<'a> {
        Publisher {
            catalog: self.catalog(),
            publications: &self.publications,
            newsletter: &self.config.newsletter,
            retention_days: self.config.mail.retention_seconds / 86_400,
            templates: &self.templates,
            brand: &self.config.brand,
            files,
            former: &self.config.publish.dir,
            images: self.config.publish.images,
            archives: self.config.publish.archives,
            key: &self.sender.key,
            hub: self.hub.as_deref(),
            now: self.clock.now(),
            stop: &self.stop,
        }
    }

    /// Announces changes to the hub, or as the hub, to all subscribers.
    async fn announce(&self) -> anyhow::Result<()> {
        let (Some(public), Some(hub)) = (self.config.public_url.as_deref(), self.hub.as_deref()) else {
            return Ok(());
        };
        let hub_context =
            HubContext { public, hub, is_own: self.is_own_hub(), destination: &self.destination };
        let told = hub::announce(self.store(), &self.refresher.client, hub_context, self.clock).await;
        self.abandon_if_failed(&told);
        let told = told?;
        if told > 0 {
            tracing::info!(told, "announced changed feeds");
        }
        Ok(())
    }

    /// Looks what is wrong with the installation, and tells the operator what changed.
    async fn watch(&self) -> anyhow::Result<()> {
        self.look_outside().await?;
        let folder = store_folder(&self.config.store);
        let disk = files::disk_space(folder).ok().map(|space| (folder, space));
        let context = AlarmContext {
            sources: &self.config.sources,
            digests: &self.config.digests,
            outlets: &self.config.outlets,
            disk,
            disk_min_bytes: self.config.alarms.disk_min_bytes,
            certificate_days: self.config.alarms.certificate_days,
            now: self.clock.now(),
        };
        if tokio::task::block_in_place(|| alarms::watch(self.store(), context))? {
            queue::queue_notices(self.store(), self.mail_context(), &self.config.mail.operators)?;
            self.send_due(Some(&DigestId::Operator)).await?;
        }
        Ok(())
    }

    /// Looks once a day at certificates, and at the records of the domain that mail is sent from.
    async fn look_outside(&self) -> anyhow::Result<()> {
        let mail = &self.config.mail;
        let has_server = matches!(mail.transport, TransportConfig::Smtp { .. });
        let domain = self.sender.from.email.domain();
        let records = has_server.then(|| MailRecords {
            domain: domain.to_owned(),
            bounces: mail.bounces.as_ref().map_or(domain, Address::domain).to_owned(),
            keys: self.sender.dkim.iter().map(|signer| signer.public_key()).collect(),
        });
        let context = OutsideContext {
            client: &self.refresher.client,
            transport: &self.transport,
            sources: &self.config.sources,
            public: self.config.public_url.as_deref(),
            records: records.as_ref(),
            name_server: self.config.alarms.name_server,
            now: self.clock.now(),
        };
        tokio::select! {
            done = outside::look(self.store(), context) => done,
            // Whatever is left of it waits for another time.
            () = self.stop.cancelled() => Ok(()),
        }
    }

    /// Tells webhooks and services what is new.
    async fn tell_outlets(&self) -> anyhow::Result<()> {
        let (store, outlets) = (self.store(), &self.config.outlets);
        if outlets.is_empty() {
            return Ok(());
        }
        let context = OutletContext {
            outlets,
            catalog: self.catalog(),
            digests: &self.config.digests,
            templates: &self.templates,
            now: self.clock.now(),
        };
        self.take_over()?;
        // What could not be queued for one outlet does not hold up what others are to get.
        let queued = tokio::task::block_in_place(|| outlets::queue(store, context));
        let told = outlets::send(store, &self.refresher.client, outlets, self.clock).await;
        self.abandon_if_failed(&told);
        let told = told?;
        if told.accepted + told.failed > 0 {
            tracing::info!(accepted = told.accepted, failed = told.failed, "told webhooks and services");
        }
        queued.map(drop)
    }

    /// After how long without any progress the work has stopped: not before the next message may leave.
    pub fn stalled_after(&self) -> Duration {
        let rates = [self.config.mail.rate, self.config.mail.rate_per_domain];
        let pauses = rates.into_iter().filter(|rate| *rate > 0.0).map(|rate| 2.0 / rate);
        let longest = pauses.fold(0.0, f64::max);
        Duration::from_secs(self.config.serve.stalled_after_seconds).max(Duration::from_secs_f64(longest))
    }

    /// Whether we are the hub of our own feeds.
    pub fn is_own_hub(&self) -> bool {
        self.config.publish.hub.as_deref() == Some("self") && self.hub.is_some()
    }

    /// Writes the web versions of new issues.
    ///
    /// # Errors
    /// When the store, a template, the disk or the bucket fails.
    pub async fn archive(&self) -> anyhow::Result<usize> {
        self.as_publisher(|site| site.archive_issues(self.store(), &self.config.digests)).await
    }

    /// Fetches, publishes and sends what is due.
    ///
    /// # Errors
    /// When the store, a template or the disk fails; a source, a mail server or a bucket that fails is a result.
    pub async fn run_once(&self) -> anyhow::Result<RunReport> {
        let fetched = self.fetch(&Selection::Due).await?;
        if fetched.is_interrupted {
            return Err(Interrupted.into());
        }
        let reports = fetched.reports;
        let mut unpublished = None;
        let published = for_later(self.publish().await, &mut unpublished)?;
        self.metrics.pulse.beat();
        self.announce().await?;
        self.check_not_stopped()?;
        self.metrics.pulse.beat();
        let digest_reports = tokio::task::block_in_place(|| self.queue())?;
        // The web version has to exist before the mail that links to it, unless that would hold the mail up.
        if unpublished.is_none() {
            for_later(self.archive().await, &mut unpublished)?;
        }
        let deliveries = self.deliver(None).await?;
        self.check_not_stopped()?;
        self.metrics.pulse.beat();
        self.watch().await?;
        self.tell_outlets().await?;
        self.check_not_stopped()?;
        self.metrics.pulse.beat();
        tokio::task::block_in_place(|| self.maintain())?;
        if unpublished.is_none() {
            for_later(self.forget_issues().await, &mut unpublished)?;
        }
        self.metrics.pulse.beat();
        let stop = self.stop.clone();
        self.store().give_back_space(move || stop.is_cancelled())?;
        tracing::info!(
            sources = reports.len(),
            stories = published.stories,
            written = published.written,
            sent = deliveries.sent,
            "cycle done"
        );
        Ok(RunReport { reports, published, digest_reports, deliveries, unpublished })
    }

    /// Queues all mail that is due.
    fn queue(&self) -> anyhow::Result<Vec<(DigestId, DigestReport)>> {
        let mut digest_reports = Vec::new();
        queue::note_absent(self.store(), &self.config.digests, self.clock.now())?;
        for digest in &self.config.digests {
            self.check_not_stopped()?;
            let report = queue::queue(self.store(), self.mail_context(), digest, false)?;
            self.say_if_it_waits(&digest.id, &report);
            digest_reports.push((digest.id.clone(), report));
            let sent = drafts::queue(self.store(), self.mail_context(), digest)?;
            if sent > 0 {
                tracing::info!(
                    digest = digest.id.as_str(),
                    editors = sent,
                    "a draft is queued for the editors"
                );
            }
        }
        let personal = queue::queue_personal(self.store(), self.mail_context(), &self.stop)?;
        if personal.due > 0 {
            tracing::info!(
                due = personal.due,
                served = personal.served,
                issues = personal.issues,
                "digests of subscribers are queued"
            );
        }
        self.reengage()?;
        let reported = partners::queue(self.store(), self.mail_context(), &self.config.partners)?;
        if reported > 0 {
            tracing::info!(partners = reported, "monthly reports to partners are queued");
        }
        for failed in self.queue_campaigns()?.1 {
            tracing::error!("{failed}");
        }
        queue::queue_notices(self.store(), self.mail_context(), &self.config.mail.operators)?;
        Ok(digest_reports)
    }

    /// Asks subscribers whether they still want their mail, where that is configured.
    fn reengage(&self) -> anyhow::Result<()> {
        let turn = reengagement::queue(self.store(), self.mail_context(), &self.stop)?;
        if turn != ReengagementTurn::default() {
            tracing::info!(
                asked = turn.asked,
                ended = turn.ended,
                "subscribers are asked whether they still want the newsletter"
            );
        }
        Ok(())
    }

    /// Queues the campaigns whose time has come.
    ///
    /// # Errors
    /// When the store fails, or the work is to end.
    pub fn queue_campaigns(&self) -> anyhow::Result<(Vec<CampaignTurn>, Vec<FailedCampaign>)> {
        let queued = campaigns::queue(self.store(), self.mail_context(), &self.stop)?;
        for turn in queued.0.iter().filter(|turn| turn.queued > 0) {
            tracing::info!(campaign = turn.key.0, recipients = turn.queued, "a campaign is queued");
        }
        Ok(queued)
    }

    /// Says once that an issue waits for an editor.
    fn say_if_it_waits(&self, digest: &DigestId, report: &DigestReport) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if *report != DigestReport::Waits {
            waiting.remove(digest.as_str());
        } else if waiting.insert(digest.as_str().to_owned()) {
            tracing::warn!(digest = digest.as_str(), "the issue waits for an editor to release it");
        }
    }

    /// Maintenance that can wait: updates the search and deletes what is too old, in small steps so that other writers get their
    /// turn.
    fn maintain(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        while self.store().write(|w| w.publishing().index_words(INDEXED))? == INDEXED {}
        let configured: Vec<&str> = self.config.sources.iter().map(|source| source.id.as_str()).collect();
        let gone = maintenance::forget_entries(
            self.store(),
            &configured,
            duration(self.config.channel.retention_seconds),
            now,
        )?;
        if gone > 0 {
            tracing::info!(gone, "deleted entries that their sources dropped long ago");
        }
        let gone = forget::deliveries(self.store(), duration(self.config.mail.retention_seconds), now)?;
        if gone > 0 {
            tracing::info!(gone, "deleted old deliveries");
        }
        Ok(())
    }

    /// Deletes issues that are too old, with their web versions.
    async fn forget_issues(&self) -> anyhow::Result<()> {
        let retention = duration(self.config.mail.retention_seconds);
        let (digests, now) = (&self.config.digests, self.clock.now());
        self.as_publisher(|site| forget::issues(self.store(), digests, site.files, retention, now)).await
    }

    /// Sends what is due. What the operator has to know of it leaves at once, by whichever server takes it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn deliver(&self, digest: Option<&DigestId>) -> anyhow::Result<Deliveries> {
        let mut done = self.send_due(digest).await?;
        let shown = incident::RunSummary {
            trouble: done.trouble.as_deref(),
            sent: done.sent,
            sent_to_lists: done.sent_to_lists,
        };
        let (held_up, is_news) = incident::note(self.store(), shown, self.clock.now())?;
        done.held_up = held_up;
        if is_news || done.is_server_news {
            queue::queue_notices(self.store(), self.mail_context(), &self.config.mail.operators)?;
            self.send_due(Some(&DigestId::Operator)).await?;
        }
        Ok(done)
    }

    /// Sends what is due, with a progress bar on a terminal.
    async fn send_due(&self, digest: Option<&DigestId>) -> anyhow::Result<Deliveries> {
        let bar = progress(0, "messages");
        let on_done = |progress| {
            self.metrics.pulse.beat();
            match progress {
                Progress::Total(total) => bar.set_length(total),
                Progress::One => bar.inc(1),
            }
        };
        self.take_over()?;
        let done = self.outbox().deliver(digest, on_done).await;
        bar.finish_and_clear();
        self.abandon_if_failed(&done);
        let done = done?;
        // A sign-up is answered the same whether its address is known, and must not show in numbers either.
        let strangers = &done.to_strangers;
        self.metrics.delivered(
            done.sent - strangers.sent,
            done.deferred - strangers.deferred,
            done.refused - strangers.refused,
        );
        Ok(done)
    }

    fn outbox(&self) -> OutboxWorker {
        let mail = &self.config.mail;
        let operators = mail.operators.iter().map(|operator| self.sender.key.hash(operator.as_str()));
        let readers = || Arc::new(DigestRecipients::new(&self.config.digests, &self.sender.key));
        OutboxWorker {
            store: self.store().clone(),
            transport: self.transport.clone(),
            sender: self.sender.clone(),
            pace: DeliveryPace {
                connections: mail.connections,
                on_uncertain: mail.on_uncertain,
                refusals_max: mail.refusals_max,
                wait_max: duration(mail.wait_max_seconds),
                rate: mail.rate,
                rate_per_domain: mail.rate_per_domain,
            },
            clock: self.clock,
            operators: operators.collect(),
            readers: self.readers.get_or_init(readers).clone(),
            stop: self.stop.clone(),
        }
    }

    /// One cycle of the service: failures are logged, and retried in the next cycle.
    pub async fn tick(&self) {
        self.metrics.pulse.beat();
        let run_once = self.run_once().await;
        self.metrics.cycle_ended(
            match &run_once {
                Ok(report) => report.unpublished.is_none(),
                Err(error) => error.is::<Interrupted>(),
            },
            self.clock.now().as_second(),
        );
        match run_once {
            Err(error) if error.is::<Interrupted>() => return,
            Err(error) => tracing::error!("cycle failed: {error:#}"),
            Ok(report) => {
                log_unsent(&report.deliveries);
                if let Some(error) = report.unpublished {
                    tracing::error!("not everything is published: {error:#}");
                }
            }
        }
        let Some(public) = self.config.public_url.as_deref() else { return };
        if let Err(error) = subscriber::subscribe(
            &self.refresher,
            &self.config.sources,
            public,
            &TokenSource::System,
            self.clock.now(),
        )
        .await
        {
            tracing::error!("hubs could not be asked: {error:#}");
        }
    }
}

/// Logs in a service what a command reports at its end.
pub fn log_unsent(deliveries: &Deliveries) {
    match (&deliveries.held_up, deliveries.unsent()) {
        (Some(reason), _) => {
            tracing::error!(reason, "mail is held up: the rest waits for the next cycle");
        }
        (None, Some(unsent)) if deliveries.is_none_sent() => tracing::warn!("no mail was sent: {unsent}"),
        _ => {}
    }
}

/// A progress bar on a terminal, nothing elsewhere.
pub fn progress(length: u64, what: &str) -> ProgressBar {
    if config::is_terminal_dumb() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!(
        "{{bar:30}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left"
    ))
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// Logs one line for a source, by its outcome.
fn log(report: &SourceReport) {
    match &report.outcome {
        SourceOutcome::Failed(reason) => tracing::warn!(source.id = report.source, reason, "source failed"),
        SourceOutcome::NotModified => tracing::info!(source.id = report.source, "not modified"),
        SourceOutcome::TakenOver => tracing::info!(source.id = report.source, "another process read it"),
        SourceOutcome::Read { new, changed, unchanged, .. } => {
            tracing::info!(source.id = report.source, new, changed, unchanged, "read")
        }
    }
}
