//! Killed at any moment, the next run goes on: nothing is lost, nothing goes out twice.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::http::{Reply, Request, Server};
use crate::support::{App, rss};

/// Starts the binary itself, without `timeout` around it, so that the signal hits it.
pub(crate) fn kill_after(app: &App, arguments: &[&str], pause: Duration) {
    let command = app.command(arguments);
    let own: Vec<_> = command.get_args().skip(3).collect();
    let mut child = Command::new(own[0])
        .args(&own[1..])
        .current_dir(app.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_sends_nothing_twice() {
    let items: Vec<(String, String)> =
        (0..20).map(|n| (format!("g{n}"), format!("The story that bears the number {n}."))).collect();
    let feed = move |source: &str| {
        let items: Vec<(String, &str)> =
            items.iter().map(|(guid, title)| (format!("{source}-{guid}"), title.as_str())).collect();
        rss(&items.iter().map(|(guid, title)| (guid.as_str(), *title, 12, "text")).collect::<Vec<_>>())
    };
    let server =
        Server::start(move |request: &Request| Reply::ok(feed(&request.target[1..])).with("ETag", "\"1\""));
    for moment in 0..40 {
        let mut config =
            "[[digest]]\nid = \"d\"\nschedule = \"0 8,9,10 * * * UTC\"\nmax_entries = 500\nrecipients = [\"a@example.org\", \"b@example.org\", \"c@example.org\"]\n"
                .to_owned();
        for id in ["x", "y", "z"] {
            config += &format!("[[source]]\nid = \"{id}\"\nurl = \"{}\"\n", server.url(&format!("/{id}")));
        }
        let mut app = App::new(&config);
        kill_after(&app, &["run"], Duration::from_millis(2 * moment));
        // The killed run's claims on deliveries have run out, and all sources are due again.
        app.later(61).ok(&["run"]);
        app.later(61).ok(&["run"]);
        let announced = app.announced();
        assert_eq!(announced.len(), 60, "after {} ms", 2 * moment);
        let mails = app.outbox();
        let told = |recipient: &str| -> usize {
            let own = mails.iter().filter(|mail| mail.contains(&format!("To: {recipient}")));
            // Each title stands once in the text part; the dot keeps 1 apart from 10.
            let text = |mail: &String| {
                mail.split("Content-Type: text/")
                    .nth(1)
                    .unwrap()
                    .replace("=\r\n", "")
                    .matches("bears the number")
                    .count()
            };
            own.map(text).sum()
        };
        let counts = ["a@example.org", "b@example.org", "c@example.org"].map(told);
        let per_story = announced.iter().filter(|(_, times)| *times == 1).count();
        assert!(
            counts.iter().all(|count| *count == per_story),
            "after {} ms: {counts:?} for {per_story} stories",
            2 * moment
        );
        app.ok(&["probe", "public/atom.xml"]);
    }
}
