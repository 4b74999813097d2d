//! Bytes of feeds to clean entries: courant's whole path beside plain feed-rs and ammonia, and beside feedparser as a
//! whole process. Prints MB/s by criterion, then ratios measured by turns in this very run.
//!
//! `cargo bench --bench reading`; feedparser is measured where `python3` (or `$COURANT_TEST_PYTHON`) has it.

#![allow(clippy::disallowed_macros)] // Figures and reasons are for whoever runs them.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use courant::cli::probe::document::clean;
use courant::extract::{self, Document};
use criterion::{Criterion, Throughput};

/// Documents of each format.
const DOCUMENTS: usize = 4;
const ENTRIES: usize = 300;
/// Turns of each side when ratios are taken.
const TURNS: usize = 7;

const SENTENCES: [[&str; 5]; 3] = [
    [
        "Le Congrès a réuni des représentants des gouvernements locaux, régionaux et nationaux, de la société civile et du monde universitaire.",
        "Comment les données ouvertes peuvent-elles aider à faire la lumière sur la corruption politique&nbsp;?",
        "Les réformes engagées cette année s’appuient sur la participation citoyenne et la transparence budgétaire.",
        "Découvrez cinq idées d’un atelier récent, et «&nbsp;ce qui a changé&nbsp;» depuis.",
        "La communauté européenne du gouvernement ouvert s'est réunie à Rome, en Italie.",
    ],
    [
        "Local governments adopted a political declaration at the end of the congress, after five days of debate.",
        "Which datasets help governments act on climate &amp; emissions, and who uses them?",
        "The report looks at procurement in emergencies and at what open contracting teaches.",
        "Judges, civil society and reformers met to talk about justice that people can follow.",
        "Read the full text &mdash; it is shorter than you think.",
    ],
    [
        "La Red Internacional de Justicia Abierta presenta un balance de su participación en el encuentro regional.",
        "¿Cómo pueden los datos abiertos ayudar a que los sistemas políticos sean más justos e inclusivos?",
        "Las novedades de octubre: datos abiertos, género e inteligencia artificial.",
        "Una guía práctica para redactar sentencias que todas las personas entiendan.",
        "Los gobiernos locales adoptan la Declaración política tras cinco días de debate.",
    ],
];

/// What a WordPress site puts into `content:encoded`.
fn article(seed: usize) -> String {
    let sentences = SENTENCES[seed % 3];
    let mut html = String::new();
    for paragraph in 0..12 {
        let text = |n: usize| sentences[(seed + paragraph + n) % 5];
        html.push_str(&format!("<p class=\"wp-block-paragraph has-text-align-left\">{} {} <a href=\"/stories/{seed}-{paragraph}/?utm_source=rss\">{}</a> <strong>{}</strong></p>\n", text(0), text(1), text(2), text(3)));
        match paragraph % 4 {
            0 => html.push_str(&format!("<figure class=\"wp-block-image\"><img loading=\"lazy\" width=\"1024\" height=\"683\" src=\"/wp-content/uploads/2022/10/{seed}.jpg\" srcset=\"/a.jpg 300w, /b.jpg 1024w\" alt=\"{}\"/><figcaption>{}</figcaption></figure>\n", text(4), text(0))),
            1 => html.push_str(&format!("<ul><li>{}</li><li><em>{}</em></li></ul>\n<h3>{}</h3>\n", text(1), text(2), text(3))),
            2 => html.push_str("<div style=\"clear:both\"></div><script>window.dataLayer = [];</script><iframe src=\"https://player.example/1\"></iframe>\n"),
            _ => html.push_str(&format!("<blockquote><p>{}</p></blockquote>\n", text(4))),
        }
    }
    html
}

fn rss(number: usize) -> String {
    let items: String = (0..ENTRIES)
        .map(|n| {
            let seed = number * ENTRIES + n;
            let sentence = SENTENCES[seed % 3][n % 5];
            format!(
                "<item><title>{sentence}</title><link>https://partner.example/stories/{seed}/</link><dc:creator><![CDATA[Ana Pérez]]></dc:creator><pubDate>Wed, 19 Oct 2022 12:00:00 +0000</pubDate>\
                 <category><![CDATA[Open Government]]></category><guid isPermaLink=\"false\">https://partner.example/?p={seed}</guid><description><![CDATA[<p>{sentence}</p>]]></description><content:encoded><![CDATA[{}]]></content:encoded></item>\n",
                article(seed)
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>Partner</title><link>https://partner.example/</link>{items}</channel></rss>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn atom(number: usize) -> String {
    let entries: String = (0..ENTRIES)
        .map(|n| {
            let seed = number * ENTRIES + n;
            let sentence = SENTENCES[seed % 3][n % 5];
            format!(
                "<entry><title type=\"html\">{}</title><id>tag:partner.example,2022:{seed}</id><link href=\"https://partner.example/stories/{seed}/\"/><updated>2022-10-16T10:00:00Z</updated><published>2022-10-15T09:00:00Z</published><author><name>Ana Pérez</name></author><category term=\"open\"/><summary type=\"html\">{}</summary><content type=\"html\">{}</content></entry>\n",
                escaped(sentence),
                escaped(sentence),
                escaped(&article(seed))
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"fr\"><title>Partner</title><id>urn:partner</id><updated>2022-10-16T10:00:00Z</updated>{entries}</feed>"
    )
}

/// Bytes to normalised, sanitised entries.
fn by_courant(document: &str, url: &url::Url) -> usize {
    let feed =
        extract::read_feed(Document { bytes: document.as_bytes(), url: Some(url), content_type: None })
            .expect("a good feed");
    let reading = clean(feed, Some(url), None);
    reading.entries.iter().map(|entry| entry.content_html.as_ref().map_or(0, String::len)).sum()
}

/// The yardstick: feed-rs, and ammonia with its defaults over content and summary.
fn by_feed_rs(document: &str) -> usize {
    let feed = feed_rs::parser::parse(document.as_bytes()).expect("a good feed");
    let clean = |html: &str| ammonia::clean(html).len();
    let entries = feed.entries.iter();
    entries
        .map(|entry| {
            let content = entry.content.as_ref().and_then(|content| content.body.as_deref()).map_or(0, clean);
            let summary = entry.summary.as_ref().map_or(0, |summary| clean(&summary.content));
            black_box(summary);
            content
        })
        .sum()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// The CPU time of this process, all its threads together: courant uses several, the yardstick one.
fn cpu() -> f64 {
    // SAFETY: a structure of plain numbers, for which zero is a value, filled in by the kernel.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn cpu_of(run: impl FnOnce()) -> Duration {
    let started = cpu();
    run();
    Duration::from_secs_f64(cpu() - started)
}

fn timed(run: impl FnOnce()) -> Duration {
    let started = Instant::now();
    run();
    started.elapsed()
}

fn ratios(documents: &[String], url: &url::Url, megabytes: f64) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(cpu_of(|| documents.iter().for_each(|document| assert!(by_courant(document, url) > 0))));
        theirs.push(cpu_of(|| documents.iter().for_each(|document| assert!(by_feed_rs(document) > 0))));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "courant {:.1} MB a CPU second, feed-rs + ammonia {:.1}: {:.2} times its CPU",
        megabytes / ours,
        megabytes / theirs,
        ours / theirs
    );
}

/// Whole processes: courant once for each document, feedparser once for all.
fn against_feedparser(documents: &[String], megabytes: f64) {
    let python = std::env::var("COURANT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_feedparser = Command::new(&python)
        .args(["-c", "import feedparser"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_feedparser {
        return println!("feedparser is not installed: pip install feedparser");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<_> = documents
        .iter()
        .enumerate()
        .map(|(n, document)| (folder.path().join(n.to_string()), document))
        .collect();
    paths.iter().for_each(|(path, document)| std::fs::write(path, document).expect("a file"));
    let ours = timed(|| {
        for (path, _) in &paths {
            let status = Command::new(env!("CARGO_BIN_EXE_courant"))
                .arg("probe")
                .arg(path)
                .args(["--format", "jsonfeed"])
                .stdout(Stdio::null())
                .status();
            assert!(status.expect("courant runs").success());
        }
    });
    let theirs = timed(|| {
        let mut command = Command::new(&python);
        command
            .args([
                "-c",
                "import feedparser,sys\nfor path in sys.argv[1:]: feedparser.parse(open(path,'rb'))",
            ])
            .args(paths.iter().map(|(path, _)| path));
        assert!(command.status().expect("python runs").success());
    });
    println!(
        "courant {:.1} MB/s, feedparser {:.2} MB/s as processes: {:.1} times faster",
        megabytes / ours.as_secs_f64(),
        megabytes / theirs.as_secs_f64(),
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

fn main() {
    let url = url::Url::parse("https://partner.example/feed").expect("a constant");
    let documents: Vec<String> = (0..DOCUMENTS).map(rss).chain((0..DOCUMENTS).map(atom)).collect();
    let bytes: usize = documents.iter().map(String::len).sum();
    let megabytes = bytes as f64 / 1e6;
    println!("{} documents, {megabytes:.1} MB", documents.len());

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("courant", |bencher| {
        bencher.iter(|| documents.iter().map(|document| by_courant(document, &url)).sum::<usize>())
    });
    group.bench_function("feed-rs + ammonia", |bencher| {
        bencher.iter(|| documents.iter().map(|document| by_feed_rs(document)).sum::<usize>())
    });
    group.finish();

    ratios(&documents, &url, megabytes);
    against_feedparser(&documents, megabytes);
    criterion.final_summary();
}
