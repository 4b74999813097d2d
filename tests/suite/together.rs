//! Several processes over one store at the same time, and processes that are asked to end: nobody waits in vain, nothing is
//! done twice, and what was done stays.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::http::{Manner, Reply, Request, Server};
use crate::support::service::{METRICS, Service};
use crate::support::sink::{Sink, Whim};
use crate::support::{App, Ran, header, rss, text_part, wait_for};

/// A source takes so long to answer: whoever starts in the meantime finds others at work.
const ANSWER: Duration = Duration::from_millis(400);
/// Who is asked to end is gone after this.
const FAREWELL: Duration = Duration::from_secs(2);
const PLACES: [&str; 12] = [
    "Abidjan",
    "Bogotá",
    "Cotonou",
    "Dakar",
    "Esmeraldas",
    "Fribourg",
    "Guadalajara",
    "Hamburg",
    "Iquitos",
    "Johannesburg",
    "Kinshasa",
    "Lyon",
];
const ACTS: [&str; 6] = ["water", "school", "bridges", "forests", "trains", "judges"];

/// Words that nobody else says.
fn words(source: usize, number: usize, place: usize, count: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va"];
    let mut random = ((source * 1_000 + number) * 10 + place) as u64;
    let mut syllable = || {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        SYLLABLES[(random >> 60) as usize]
    };
    (0..count).map(|_| format!("{}{}{}", syllable(), syllable(), syllable())).collect::<Vec<_>>().join(" ")
}

/// What a source tells, by number: no two of all have much in common.
fn title(source: usize, number: usize) -> String {
    format!("{} {} {}", PLACES[source], ACTS[number % ACTS.len()], words(source, number, 0, 4))
}

fn document(source: usize, entries: usize) -> String {
    let item = |number| (format!("s{source}-{number}"), title(source, number), words(source, number, 1, 20));
    let items: Vec<(String, String, String)> = (0..entries).map(item).collect();
    let items: Vec<_> = items
        .iter()
        .zip((1..20).cycle())
        .map(|((guid, title, text), day)| (guid.as_str(), title.as_str(), day, text.as_str()))
        .collect();
    rss(&items)
}

/// The source that a request is for.
fn source_of(request: &Request) -> usize {
    request.target[1..].parse().unwrap()
}

/// Sources that tell more and more.
struct Sources {
    server: Server,
    count: usize,
    entries: Arc<AtomicUsize>,
}

impl Sources {
    fn start(count: usize, entries: usize) -> Sources {
        let entries = Arc::new(AtomicUsize::new(entries));
        let told = entries.clone();
        let server = Server::start(move |request| {
            let told = told.load(Ordering::SeqCst);
            let etag = format!("\"{told}\"");
            let is_known = request.header("if-none-match") == Some(&etag);
            let reply =
                if is_known { Reply::new(304, "") } else { Reply::ok(document(source_of(request), told)) };
            reply.with("ETag", &etag).sent(Manner::Slow(ANSWER))
        });
        Sources { server, count, entries }
    }

    /// A channel of them, and `rest`. They are one host; all of them may be asked at a time.
    fn app(&self, rest: &str) -> App {
        let source = |n| {
            format!(
                "[[source]]\nid = \"s{n}\"\nlang = \"en\"\nurl = \"{}\"\n",
                self.server.url(&format!("/{n}"))
            )
        };
        App::new(&format!(
            "per_host = {}\n{rest}{}",
            self.count,
            (0..self.count).map(source).collect::<String>()
        ))
    }

    /// All titles so far.
    fn titles(&self) -> Vec<String> {
        (0..self.count)
            .flat_map(|source| {
                (0..self.entries.load(Ordering::SeqCst)).map(move |number| title(source, number))
            })
            .collect()
    }

    /// How often each source was asked since the last look.
    fn asked(&self) -> Vec<usize> {
        let requests = self.server.take_requests();
        (0..self.count)
            .map(|source| requests.iter().filter(|request| source_of(request) == source).count())
            .collect()
    }
}

/// A digest each day for two, into `outbox/`.
const DAILY: &str = "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nmax_entries = 500\nrecipients = [\"a@example.org\", \"b@example.org\"]\n";

/// Starts a command.
fn start(app: &App, arguments: &[&str]) -> Child {
    app.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs commands at the same time, one started after the other within `spread`; all must succeed, without a word of complaint.
#[track_caller]
fn together(app: &App, commands: &[&[&str]], spread: Duration) -> Vec<Ran> {
    let children: Vec<Child> = commands
        .iter()
        .enumerate()
        .map(|(n, arguments)| {
            std::thread::sleep(if n == 0 { Duration::ZERO } else { spread / (commands.len() - 1) as u32 });
            start(app, arguments)
        })
        .collect();
    let ran: Vec<Ran> =
        children.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap())).collect();
    let faults: Vec<String> = commands
        .iter()
        .zip(&ran)
        .filter(|(_, ran)| ran.code != 0 || !ran.stderr.is_empty())
        .map(|(arguments, ran)| {
            format!(
                "{arguments:?} ended with {} and said: {}",
                ran.code,
                ran.stderr.chars().take(300).collect::<String>()
            )
        })
        .collect();
    assert!(faults.is_empty(), "{} of {} failed:\n{}", faults.len(), commands.len(), faults.join("\n"));
    ran
}

/// How often somebody was told each title by mail.
fn told(app: &App, recipient: &str) -> HashMap<String, usize> {
    let mut told = HashMap::new();
    for mail in app.outbox().iter().filter(|mail| header(mail, "To") == recipient) {
        text_part(mail)
            .lines()
            .filter(|line| PLACES.iter().any(|place| line.starts_with(place)))
            .for_each(|line| *told.entry(line.to_owned()).or_default() += 1);
    }
    told
}

#[track_caller]
fn assert_each_once(found: HashMap<String, usize>, wanted: &[String], what: &str) {
    let missing: Vec<&String> = wanted.iter().filter(|title| !found.contains_key(*title)).collect();
    let repeated: Vec<_> = found.iter().filter(|(_, times)| **times != 1).collect();
    assert!(
        missing.is_empty() && repeated.is_empty(),
        "{what}: of {} there are {} missing, and repeated: {repeated:?}",
        wanted.len(),
        missing.len()
    );
}

#[track_caller]
fn assert_all_is_published(app: &App, titles: &[String]) {
    let feed = app.read("public/atom.xml");
    let missing: Vec<&String> = titles.iter().filter(|title| !feed.contains(&format!(">{title}<"))).collect();
    assert!(
        missing.is_empty(),
        "{} of {} stories are missing in the merged feed",
        missing.len(),
        titles.len()
    );
}

/// All stories are published, and were told to both by mail, once.
#[track_caller]
fn assert_all_is_told(app: &App, sources: &Sources) {
    assert_all_is_published(app, &sources.titles());
    assert_each_once(
        app.announced().into_iter().map(|(title, times)| (title, times as usize)).collect(),
        &sources.titles(),
        "announced",
    );
    for recipient in ["a@example.org", "b@example.org"] {
        assert_each_once(told(app, recipient), &sources.titles(), &format!("mails to {recipient}"));
    }
}

/// A store from its first day on, over which `count` processes work at a time.
fn many_at_once(count: usize) {
    const SOURCES: usize = 8;
    let sources = Sources::start(SOURCES, 4);
    let mut app = sources.app(DAILY);
    let commands: Vec<&[&str]> =
        (0..count).map(|n| if n % 2 == 0 { &["run"] as &[&str] } else { &["fetch"] }).collect();
    for (day, store) in ["a fresh store", "a filled store"].into_iter().enumerate() {
        if day > 0 {
            sources.entries.fetch_add(2, Ordering::SeqCst);
            app.later(25 * 60);
        }
        together(&app, &commands, Duration::from_millis(300));
        assert_eq!(sources.asked(), [1; SOURCES], "how often each source was asked, on {store}");
        // Whoever publishes and mails waited for what the others were reading.
        assert_all_is_told(&app, &sources);
        assert_eq!(app.outbox().len(), 2 * (day + 1), "one slot, one mail for each");
    }
}

#[test]
fn one_process_asks_each_source_once_and_tells_each_story_once() {
    many_at_once(1);
}

#[test]
fn two_processes_at_once_ask_each_source_once_and_tell_each_story_once() {
    many_at_once(2);
}

#[test]
fn five_processes_at_once_ask_each_source_once_and_tell_each_story_once() {
    many_at_once(5);
}

#[test]
fn twenty_processes_at_once_ask_each_source_once_and_tell_each_story_once() {
    many_at_once(20);
}

#[test]
fn processes_that_make_the_store_at_the_same_moment_all_succeed() {
    for _ in 0..4 {
        let app = App::new("[[topic]]\nid = \"a\"\nkeywords = { en = [\"a\"] }\n");
        let commands: [&[&str]; 8] = [
            &["fetch"],
            &["run"],
            &["sources"],
            &["publish"],
            &["entries"],
            &["subscribers", "add", "ana@example.org"],
            &["reclassify"],
            &["subscribers", "list"],
        ];
        together(&app, &commands, Duration::ZERO);
        assert!(app.ok(&["subscribers", "list"]).contains("1 active"));
    }
}

#[test]
fn runs_beside_a_service_leave_it_nothing_to_do_twice() {
    let sources = Sources::start(6, 4);
    let app = sources.app(&format!("{METRICS}{DAILY}"));
    app.ok(&["sources"]);
    let service = Service::start(&app);
    together(&app, &[&["run"], &["run"], &["fetch"]], Duration::from_millis(100));
    wait_for("the end of the first turn", || {
        service.metrics().contains("courant_cycles_total 1\n").then_some(())
    });
    assert_eq!(service.ask("GET", "/readyz", "", "").0, 200, "the turn of the service went well");
    assert_eq!(sources.asked(), [1; 6]);
    assert_eq!(app.outbox().len(), 2, "one slot, one mail for each");
    assert_all_is_told(&app, &sources);
}

/// Sources of hosts of their own, the second of which answer late.
#[test]
fn a_digest_waits_for_what_another_process_is_reading() {
    let (soon, late) = (Sources::start(2, 3), Sources::start(4, 3));
    let of = |sources: &Sources| {
        (0..sources.count)
            .map(|n| {
                format!(
                    "[[source]]\nid = \"s{n}-{}\"\nlang = \"en\"\nurl = \"{}\"\n",
                    sources.count,
                    sources.server.url(&format!("/{n}"))
                )
            })
            .collect::<String>()
    };
    // Other stories than the first ones tell, and two of them one after the other.
    late.server.answer(|request| {
        Reply::ok(document(6 + source_of(request), 3)).sent(Manner::Slow(Duration::from_secs(1)))
    });
    let mut app = App::new(&format!("per_host = 1\n{DAILY}{}{}", of(&soon), of(&late)));
    let reading = start(&app, &["fetch"]);
    wait_for("the first late request", || (!late.server.requests().is_empty()).then_some(()));
    app.ok(&["run"]);
    assert_eq!(Ran::from(reading.wait_with_output().unwrap()).code, 0);
    let titles: Vec<String> =
        [0, 1, 6, 7, 8, 9].iter().flat_map(|source| (0..3).map(|number| title(*source, number))).collect();
    assert_eq!((soon.asked(), late.asked()), (vec![1; 2], vec![1; 4]));
    assert_each_once(told(&app, "a@example.org"), &titles, "mails");
    // Whatever the schedule says, two do not ask at a time.
    let app = app.later(60);
    late.server.answer(|request| Reply::ok(document(6 + source_of(request), 3)).sent(Manner::Slow(ANSWER)));
    let reading = start(app, &["fetch", "--all"]);
    wait_for("the first late request", || (!late.server.requests().is_empty()).then_some(()));
    let said = app.ok(&["fetch", "--all"]);
    assert!(said.contains("another process read it"), "{said}");
    assert_eq!(Ran::from(reading.wait_with_output().unwrap()).code, 0);
    assert_eq!(late.asked(), [1; 4]);
}

#[test]
fn a_process_whose_clock_is_ahead_takes_no_mail_from_one_that_lives() {
    let (sources, sink) = (Sources::start(1, 3), Sink::start());
    let mut app = mailing(&sources, &sink, "rate = 50\n");
    app.ok(&["fetch"]);
    let sending = start(&app, &["run"]);
    wait_for("some mails", || (sink.count() >= 5).then_some(()));
    let ran = app.later(26 * 60).run(&["run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(Ran::from(sending.wait_with_output().unwrap()).code, 0);
    let taken = sink.taken();
    assert_eq!(
        (taken.len(), taken.values().all(|times| *times == 1)),
        (100, true),
        "everybody once: {taken:?}"
    );
}

#[test]
fn what_killed_processes_left_half_done_is_swept_away() {
    let sources = Sources::start(4, 3);
    let mut app = sources.app(DAILY);
    app.ok(&["run"]);
    // As a kill leaves them: nobody holds their locks.
    let left = [
        "public/.atom.xml.4194304.tmp",
        "public/issues/.a.html.4194304.tmp",
        "outbox/.a.eml.4194304.tmp",
        "public/.publishing",
    ];
    left.iter().for_each(|path| app.write(path, "half"));
    let workers = || std::fs::read_dir(app.path(".courant.db.workers")).unwrap().count();
    app.write(".courant.db.workers/0123456789abcdef", "");
    assert_eq!(workers(), 1);
    sources.entries.fetch_add(1, Ordering::SeqCst);
    let app = app.later(25 * 60);
    app.ok(&["run"]);
    assert!(left.iter().all(|path| !app.path(path).exists()), "{left:?}");
    assert_eq!(std::fs::read_dir(app.path(".courant.db.workers")).unwrap().count(), 0);
}

#[test]
fn publishing_at_once_writes_what_one_would_write() {
    let sources = Sources::start(6, 20);
    let app = sources.app("");
    app.ok(&["fetch"]);
    together(&app, &[&["publish"] as &[&str]; 4], Duration::ZERO);
    assert_is_whole(&app, &sources);
}

/// All stories are published, nothing is left over, and another `publish` finds nothing to do.
#[track_caller]
fn assert_is_whole(app: &App, sources: &Sources) {
    let said = app.ok(&["publish"]);
    assert!(said.contains(", 0 files written"), "{said}");
    let feeds: String = files(app, "public")
        .iter()
        .filter(|path| path.ends_with("atom.xml") || path.starts_with("public/archive/"))
        .map(|path| app.read(path))
        .collect();
    let missing = sources.titles().into_iter().filter(|title| !feeds.contains(&format!(">{title}<"))).count();
    assert_eq!(missing, 0, "stories that are neither in the feed nor in its archives");
    let left: Vec<String> = files(app, "public").into_iter().filter(|path| path.ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The files under a folder.
fn files(app: &App, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(app.path(folder)).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() { found.extend(files(app, &path)) } else { found.push(path) }
    }
    found
}

#[test]
fn digests_at_once_fill_a_slot_once() {
    let (sources, sink) = (Sources::start(3, 3), Sink::start());
    let app = sources.app(DAILY);
    app.write(
        "feeds.toml",
        app.read("feeds.toml").replace("[mail]\n", &format!("[mail]\ntransport = \"{}\"\n", sink.url())),
    );
    app.ok(&["fetch"]);
    together(&app, &[&["digest"] as &[&str]; 4], Duration::ZERO);
    let expected: HashMap<String, usize> =
        [("a@example.org".to_owned(), 1), ("b@example.org".to_owned(), 1)].into();
    assert_eq!(sink.taken(), expected);
    let issues: Vec<String> =
        files(&app, "public/issues").into_iter().filter(|path| !path.ends_with("index.html")).collect();
    assert_eq!(issues.len(), 1, "{issues:?}");
    app.ok(&["run"]);
    assert_eq!(sink.taken(), expected, "the slot of today is filled");
}

#[test]
fn a_store_is_put_in_order_while_it_is_read_and_written() {
    let sources = Sources::start(6, 6);
    let mut app =
        sources.app(&format!("{DAILY}[[topic]]\nid = \"water\"\nkeywords = {{ en = [\"water\"] }}\n"));
    app.ok(&["run"]);
    sources.entries.fetch_add(3, Ordering::SeqCst);
    let rows: String = (0..400).map(|n| format!("person-{n}@example.org,en\n")).collect();
    app.write("list.csv", format!("address,language\n{rows}"));
    sources.server.take_requests();
    app.later(25 * 60);
    let commands: [&[&str]; 5] = [
        &["run"],
        &["recluster"],
        &["reclassify"],
        &["subscribers", "import", "list.csv", "--consent", "members"],
        &["run"],
    ];
    together(&app, &commands, Duration::from_millis(50));
    app.ok(&["run"]);
    assert_eq!(sources.asked(), [1; 6]);
    assert!(app.ok(&["subscribers", "list"]).contains("400 active"));
    let announced = app.announced().into_iter().map(|(title, times)| (title, times as usize)).collect();
    assert_each_once(announced, &sources.titles(), "announced");
    let watery = app.entries().iter().filter(|entry| entry["topics"].to_string().contains("water")).count();
    assert_eq!(
        watery,
        sources.titles().iter().filter(|title| title.contains("water")).count(),
        "entries with their topic"
    );
}

/// The binary itself, without `timeout` around it, so that a signal hits it.
fn alone(app: &App, arguments: &[&str]) -> Child {
    let command = app.command(arguments);
    let own: Vec<_> = command.get_args().skip(3).collect();
    Command::new(own[0])
        .args(&own[1..])
        .current_dir(app.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Asks a process to end; answers its exit code. One that stays is a failure, and killed.
#[track_caller]
fn ended(mut child: Child, signal: &str) -> Option<i32> {
    assert!(child.try_wait().unwrap().is_none(), "it was done before it was asked to end");
    assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
    let asked = Instant::now();
    while asked.elapsed() < FAREWELL {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("{signal} did not end it within {FAREWELL:?}");
}

#[test]
fn a_signal_ends_a_fetch_and_keeps_what_came_until_then() {
    for signal in ["TERM", "INT"] {
        let sources = Sources::start(6, 5);
        let app = sources.app("");
        // The second half never answers.
        sources.server.answer(|request| {
            let reply = Reply::ok(document(source_of(request), 5)).with("ETag", "\"5\"");
            if source_of(request) < 3 { reply } else { reply.sent(Manner::Stall) }
        });
        app.ok(&["sources"]);
        let child = alone(&app, &["fetch"]);
        wait_for("what came", || {
            (app.entries().len() == 15 && sources.server.requests().len() == 6).then_some(())
        });
        assert_eq!(ended(child, signal), Some(130), "{signal}");
        assert_eq!(app.entries().len(), 15);
        sources.asked();
        sources.server.answer(|request| Reply::ok(document(source_of(request), 5)));
        app.ok(&["run"]);
        assert_eq!(sources.asked(), [0, 0, 0, 1, 1, 1], "the next run asks those that had not answered");
        assert_all_is_published(&app, &sources.titles());
        assert!(app.announced().iter().all(|(_, times)| *times == 1));
    }
}

#[test]
fn a_signal_ends_publishing_and_the_next_one_completes_it() {
    for signal in ["TERM", "INT"] {
        let sources = Sources::start(12, 40);
        // Some hundred files.
        let feeds: String = (0..30)
            .map(|n| format!("[[feed]]\nid = \"f{n}\"\ntitle = \"Feed {n}\"\npartners = [\"s{}\"]\n", n % 12))
            .collect();
        let app = sources.app(&feeds);
        app.ok(&["fetch"]);
        let child = alone(&app, &["publish"]);
        wait_for("the first file", || (!files(&app, "public").is_empty()).then_some(()));
        assert_eq!(ended(child, signal), Some(130), "{signal}");
        app.ok(&["publish"]);
        assert_is_whole(&app, &sources);
    }
}

/// A digest of one story for a hundred, by a server.
fn mailing(sources: &Sources, sink: &Sink, more: &str) -> App {
    let people: Vec<String> = (0..100).map(|n| format!("\"person-{n}@example.org\"")).collect();
    let app = sources.app(&format!(
        "[[digest]]\nid = \"d\"\nschedule = \"daily 08:00 UTC\"\nrecipients = [{}]\n",
        people.join(",")
    ));
    app.write(
        "feeds.toml",
        app.read("feeds.toml")
            .replace("[mail]\n", &format!("[mail]\ntransport = \"{}\"\nconnections = 2\n{more}", sink.url())),
    );
    app
}

#[test]
fn a_signal_ends_a_slow_delivery_and_the_next_run_sends_the_rest_once() {
    for (signal, arguments) in
        [("TERM", &["run"] as &[&str]), ("INT", &["run"]), ("TERM", &["digest"]), ("INT", &["digest"])]
    {
        let (sources, sink) = (Sources::start(1, 3), Sink::start());
        let app = mailing(&sources, &sink, "rate = 20\n");
        app.ok(&["fetch"]);
        let child = alone(&app, arguments);
        wait_for("some mails", || (sink.count() >= 5).then_some(()));
        assert_eq!(ended(child, signal), Some(130), "{signal} in {arguments:?}");
        assert!(sink.count() < 100, "it ended before its time");
        app.write("feeds.toml", app.read("feeds.toml").replace("rate = 20\n", ""));
        app.ok(&["run"]);
        let taken = sink.taken();
        assert_eq!(
            (taken.len(), taken.values().all(|times| *times == 1)),
            (100, true),
            "{signal} in {arguments:?}: everybody once"
        );
    }
}

#[test]
fn a_signal_ends_a_delivery_whose_server_says_nothing() {
    for signal in ["TERM", "INT"] {
        let (sources, sink) = (Sources::start(1, 3), Sink::start());
        let mut app = mailing(&sources, &sink, "");
        sink.whim(Whim::Stall);
        let child = alone(&app, &["run"]);
        // The other one waits for the first answer.
        wait_for("a connection", || (sink.connections() == 1).then_some(()));
        assert_eq!(ended(child, signal), Some(130), "{signal}");
        sink.whim(Whim::Take);
        // What was under way is tried again like what a killed run leaves.
        app.later(11).ok(&["run"]);
        let taken = sink.taken();
        assert_eq!(
            (taken.len(), taken.values().all(|times| *times == 1)),
            (100, true),
            "{signal}: everybody once"
        );
    }
}

#[test]
fn a_signal_hands_back_mail_that_the_server_had_nothing_of() {
    for signal in ["TERM", "INT"] {
        let (sources, sink) = (Sources::start(1, 3), Sink::start());
        let app = mailing(&sources, &sink, "on_uncertain = \"skip\"\n");
        sink.whim(Whim::StallAtRecipient);
        let child = alone(&app, &["run"]);
        // The other one waits for the first answer.
        wait_for("a connection", || (sink.connections() == 1).then_some(()));
        assert_eq!(ended(child, signal), Some(130), "{signal}");
        sink.whim(Whim::Take);
        app.ok(&["run"]);
        let taken = sink.taken();
        assert_eq!(
            (taken.len(), taken.values().all(|times| *times == 1)),
            (100, true),
            "{signal}: everybody once"
        );
    }
}

#[test]
fn a_signal_ends_whatever_else_is_at_work() {
    let app = App::new("");
    app.ok(&["sources"]);
    let lines: String = (0..3_000).map(|n| format!("person-{n}@example.org,en\n")).collect();
    app.write("list.csv", format!("address,language\n{lines}"));
    let held = rusqlite::Connection::open(app.path("courant.db")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    for (signal, arguments) in [
        ("TERM", &["recluster"] as &[&str]),
        ("INT", &["reclassify"]),
        ("TERM", &["subscribers", "import", "list.csv", "--consent", "x"]),
    ] {
        let child = alone(&app, arguments);
        // It waits for the database that we hold.
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(ended(child, signal), Some(130), "{signal} in {arguments:?}");
    }
}

#[test]
fn a_signal_ends_a_command_that_is_still_opening_its_store() {
    for (signal, arguments) in [
        ("TERM", &["run"] as &[&str]),
        ("INT", &["entries"]),
        ("TERM", &["serve", "--listen", "127.0.0.1:0"]),
    ] {
        let app = App::new("");
        let held = rusqlite::Connection::open(app.path("courant.db")).unwrap();
        held.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let child = alone(&app, arguments);
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(ended(child, signal), Some(130), "{signal} in {arguments:?}");
    }
}

#[test]
fn a_signal_ends_a_service_in_the_middle_of_its_turn() {
    for signal in ["TERM", "INT"] {
        let sources = Sources::start(4, 3);
        let app = sources.app("");
        sources.server.answer(|request| Reply::ok(document(source_of(request), 3)).sent(Manner::Stall));
        let child = alone(&app, &["serve", "--listen", "127.0.0.1:0"]);
        wait_for("four requests", || (sources.server.requests().len() == 4).then_some(()));
        assert_eq!(ended(child, signal), Some(0), "{signal}");
        sources.asked();
        sources.server.answer(|request| Reply::ok(document(source_of(request), 3)));
        app.ok(&["run"]);
        assert_eq!(sources.asked(), [1; 4], "the next run asks all that had not answered");
        assert_all_is_published(&app, &sources.titles());
    }
}

#[test]
fn a_service_with_thousands_of_digests_to_make_goes_on_answering() {
    const PEOPLE: usize = 3_000;
    let sources = Sources::start(12, 6);
    let topics: String = ACTS
        .iter()
        .map(|word| format!("[[topic]]\nid = \"{word}\"\nkeywords = {{ en = [\"{word}\"] }}\n"))
        .collect();
    let mut app = sources.app(&topics);
    // All tastes that six topics, three languages and twelve partners allow: few share an issue.
    let row = |n: usize| {
        let chosen: Vec<&str> = (0..6).filter(|bit| n >> bit & 1 == 1).map(|bit| ACTS[bit]).collect();
        format!(
            "person-{n}@example.org,{},{},s{},daily 08:00 UTC\n",
            ["en", "fr", "es"][n % 3],
            chosen.join(";"),
            n / 64 % 12
        )
    };
    let rows: String = (0..PEOPLE).map(row).collect();
    app.write("list.csv", format!("address,language,topics,partners,schedule\n{rows}"));
    app.ok(&["subscribers", "import", "list.csv", "--consent", "members"]);
    app.ok(&["fetch"]);
    app.ok(&["publish"]);
    app.later(25 * 60);
    let service = Service::start(&app);
    let mut slowest = Duration::ZERO;
    let mut look = |target: &str| {
        let started = Instant::now();
        assert_eq!(service.ask("GET", target, "", "").0, 200, "{target}");
        slowest = slowest.max(started.elapsed());
    };
    wait_for("the first mails", || {
        look("/healthz");
        look("/atom.xml");
        (files(&app, "outbox").len() > 20).then_some(())
    });
    for _ in 0..20 {
        look("/healthz");
        look("/atom.xml");
    }
    assert!(files(&app, "outbox").len() < PEOPLE, "it was still at work");
    assert!(slowest < Duration::from_secs(1), "the slowest answer took {slowest:?}");
}
