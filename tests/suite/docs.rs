//! The README and the book: their examples run, their configurations are valid, the reference is complete, and their links
//! lead somewhere.
//!
//! - A block of `console` holds commands after `$ ` and, if it likes, lines of what they print, in which `…` stands for anything.
//!   They run in order in a folder of the page's own. The README and the tutorial begin in an empty folder, all other pages where
//!   the tutorial ends.
//! - A block of `toml` is a configuration if it has `version` and `[channel]`, else a part of one: it is merged into the page's `feeds.toml`,
//!   tables of lists by their `id`, and `courant check` has to accept the result.
//! - A block after `<!-- file: NAME -->` is written to that file.
//! - A block of `console,ignore` does not run; the comment above it says why.
//! - The addresses in `Sites` are served by a server of the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use toml::{Table, Value};

use crate::support::http::{Reply, Server};
use crate::support::{NOW, Ran, rss, wait_for};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const REPOSITORY: &str = "https://github.com/courant-news/courant/blob/main/";
const TUTORIAL: &str = "docs/src/tutorial/first-digest.md";

/// A fenced block.
#[derive(Debug, Clone)]
struct Block {
    line: usize,
    language: String,
    is_ignored: bool,
    /// The comment right above it.
    comment: Option<String>,
    text: String,
}

/// A document, with its path from the root of the repository.
#[derive(Debug, Clone)]
struct Page {
    path: String,
    text: String,
}

impl Page {
    fn read(path: &str) -> Page {
        let text = std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
        Page { path: path.to_owned(), text }
    }

    fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut comment, mut open) = (Vec::new(), None::<&str>, None::<Block>);
        for (at, line) in self.text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some("")) => blocks.extend(open.take()),
                (Some(block), _) => writeln!(block.text, "{line}").unwrap(),
                (None, Some(info)) => {
                    let mut words = info.split(',');
                    let language = words.next().unwrap_or_default().to_owned();
                    let is_ignored = words.any(|word| word == "ignore");
                    let comment = comment.take().map(str::to_owned);
                    open = Some(Block { line: at + 1, language, is_ignored, comment, text: String::new() });
                }
                (None, None) => {
                    comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                }
            }
        }
        assert!(open.is_none(), "{}: a block does not end", self.path);
        blocks
    }

    /// The text outside of blocks.
    fn prose(&self) -> String {
        let mut is_open = false;
        let is_prose = |line: &&str| {
            let is_fence = line.starts_with("```");
            is_open ^= is_fence;
            !is_open && !is_fence
        };
        self.text.lines().filter(is_prose).collect::<Vec<_>>().join("\n")
    }

    /// Headings with their levels and what stands below each, up to the next.
    fn sections(&self) -> Vec<(usize, String, String)> {
        let (mut sections, mut is_open) = (Vec::<(usize, String, String)>::new(), false);
        for line in self.text.lines() {
            is_open ^= line.starts_with("```");
            let level = line.bytes().take_while(|byte| *byte == b'#').count();
            if level > 0 && !is_open {
                sections.push((level, line[level..].trim().to_owned(), String::new()));
            } else if let Some((.., text)) = sections.last_mut() {
                writeln!(text, "{line}").unwrap();
            }
        }
        sections
    }

    fn section(&self, heading: &str) -> Option<String> {
        self.sections().into_iter().find(|(_, own, _)| own == heading).map(|(.., text)| text)
    }

    /// The fragments that its headings can be linked by.
    fn anchors(&self) -> BTreeSet<String> {
        let slug = |heading: &str| -> String {
            let kept = heading.to_lowercase().replace(' ', "-");
            kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        };
        self.sections().iter().map(|(_, heading, _)| slug(heading)).collect()
    }
}

/// The paths of the pages of the book.
fn book() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(Path::new(ROOT).join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if Path::new(ROOT).join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The sites that the examples read, on a server of our own.
struct Sites {
    server: Server,
}

const SITES: [&str; 3] =
    ["https://blog.okfn.org/feed/", "https://partner.example/feed.xml", "https://partner.example/news/"];

impl Sites {
    fn start() -> Sites {
        let item = |path: &str, title: &str, day: u8, text: &str| {
            format!(
                "<item><guid>{path}</guid><link>https://blog.okfn.org/2022/10/{path}</link><title>{title}</title>\
                 <pubDate>{day} Oct 2022 09:00:00 GMT</pubDate><description>{text}</description></item>"
            )
        };
        let okfn = format!(
            "<rss version=\"2.0\"><channel><title>Open Knowledge</title><link>https://blog.okfn.org/</link>{}{}{}</channel></rss>",
            item("17/open-data-day", "Open data day is coming", 17, "Plan an event in your city."),
            item(
                "18/court-records",
                "Court records as open data",
                18,
                "Judges of five countries publish them."
            ),
            item("19/training", "A training for teachers", 19, "The registration is open until Friday."),
        );
        let partner = rss(&[
            ("budget", "A budget for all citizens", 17, "The council publishes what it spends."),
            ("mayors", "Mayors meet in the capital", 18, "They talked about water and schools."),
        ]);
        let card = |number: u8, title: &str| {
            format!(
                "<li><img src=\"/{number}.jpg\" alt=\"\"><h3><a href=\"/partner.example/news/{number}\">{title}</a></h3>\
                 <span class=\"date\">1{number}/10/2022</span><p class=\"teaser\">What the city council decided about it, in a few words.</p></li>"
            )
        };
        let page = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>News</title></head><body><main><ul class=\"news\">{}{}{}</ul></main></body></html>",
            card(1, "The new library opens its doors"),
            card(2, "Streets are closed for the marathon"),
            card(3, "A school gets a garden of its own"),
        );
        let server = Server::start(move |request| match request.target.as_str() {
            "/blog.okfn.org/feed/" => Reply::ok(okfn.clone()),
            "/partner.example/feed.xml" => Reply::ok(partner.clone()),
            "/partner.example/news/" => Reply::html(page.clone()),
            _ => Reply::new(404, ""),
        });
        Sites { server }
    }

    /// Addresses of the sites as those of our server.
    fn local(&self, text: &str) -> String {
        SITES.iter().fold(text.to_owned(), |text, site| text.replace(site, &self.address(site)))
    }

    fn public(&self, text: &str) -> String {
        SITES.iter().fold(text.to_owned(), |text, site| text.replace(&self.address(site), site))
    }

    fn address(&self, site: &str) -> String {
        self.server.url(&site["https:/".len()..])
    }
}

/// A folder in which a page is followed.
struct Shell<'a> {
    sites: &'a Sites,
    folder: PathBuf,
}

impl Shell<'_> {
    /// Does what all blocks of a page say; answers what went wrong.
    fn follow(&mut self, page: &Page) -> Vec<String> {
        let mut faults = Vec::new();
        for block in page.blocks() {
            let result = match (block.language.as_str(), &block.comment) {
                ("console", None) if block.is_ignored => {
                    Err("a comment has to say why it is ignored".to_owned())
                }
                _ if block.is_ignored => Ok(()),
                ("console", _) => self.run(&block.text),
                ("toml", _) => self.configure(&block.text),
                (_, Some(comment)) => match comment.strip_prefix("file: ") {
                    Some(name) => self.write(name, &block.text),
                    None => Ok(()),
                },
                _ => Ok(()),
            };
            if let Err(fault) = result {
                faults.push(format!("{}:{}: {fault}", page.path, block.line));
            }
        }
        faults
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).map_err(|error| format!("{name}: {error}"))
    }

    /// Merges a configuration and has it checked.
    fn configure(&self, text: &str) -> Result<(), String> {
        let part: Table = text.parse().map_err(|error| format!("this is no TOML: {error}"))?;
        let path = self.folder.join("feeds.toml");
        let mut whole: Table = if part.contains_key("version") && part.contains_key("channel") {
            Table::new()
        } else {
            std::fs::read_to_string(&path).unwrap_or_default().parse().unwrap()
        };
        merge(&mut whole, part);
        let text = toml::to_string(&whole).unwrap();
        std::fs::write(&path, &text).unwrap();
        let ran = self.courant(&["check"]);
        if ran.code == 0 { Ok(()) } else { Err(format!("courant check says:\n{}in:\n{text}", ran.stderr)) }
    }

    /// Runs the commands of a block.
    fn run(&mut self, text: &str) -> Result<(), String> {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let command =
                line.strip_prefix("$ ").ok_or_else(|| format!("no command, and none before it: {line}"))?;
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                shown.push(line);
            }
            let words = words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = match words.as_slice() {
                ["cd", folder] => {
                    self.folder = self.folder.join(folder);
                    continue;
                }
                ["courant", rest @ ..] => self.courant(rest),
                _ => return Err(format!("\"{command}\" cannot be run here")),
            };
            let said = self.sites.public(&format!("{}{}", ran.stdout, ran.stderr));
            if ran.code != 0 {
                return Err(format!("\"{command}\" ended with {}:\n{said}", ran.code));
            }
            let mut said_lines = said.lines();
            for line in shown.iter().filter(|line| **line != "…") {
                if !said_lines.any(|said| fits(line, said)) {
                    return Err(format!("\"{command}\" is shown to say\n{line}\nbut says\n{said}"));
                }
            }
        }
        Ok(())
    }

    fn courant(&self, arguments: &[&str]) -> Ran {
        self.localize();
        let arguments: Vec<String> = arguments.iter().map(|argument| self.sites.local(argument)).collect();
        let is_service =
            arguments[0] == "serve" || arguments.get(1).is_some_and(|argument| argument == "lmtp");
        if is_service {
            self.serve(&arguments)
        } else {
            Ran::from(self.command("timeout", &arguments).output().unwrap())
        }
    }

    fn command(&self, program: &str, arguments: &[String]) -> Command {
        let mut command = Command::new(program);
        if program == "timeout" {
            command.args(["-k", "5", "60", env!("CARGO_BIN_EXE_courant")]);
        }
        command
            .args(["--now", NOW])
            .args(arguments)
            .current_dir(&self.folder)
            .env_remove("RUST_LOG")
            .env("SMTP_PASSWORD", "secret")
            .env("NEWS_MAILBOX_PASSWORD", "secret")
            .env("HOOK_SECRET", "secret")
            .env("MATRIX_TOKEN", "secret")
            .stdin(Stdio::null());
        command
    }

    /// Runs what would go on until it is told to end, on a port that is free, and tells it once it listens for that.
    fn serve(&self, arguments: &[String]) -> Ran {
        let mut arguments = arguments.to_vec();
        let listen = arguments.iter().position(|argument| argument == "--listen").map(|at| at + 1);
        let shown = listen.map_or_else(|| "127.0.0.1:8080".to_owned(), |at| arguments[at].clone());
        match listen {
            Some(at) => arguments[at] = "127.0.0.1:0".into(),
            None => arguments.extend(["--listen".into(), "127.0.0.1:0".into()]),
        }
        let mut command = self.command(env!("CARGO_BIN_EXE_courant"), &arguments);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut stderr = String::new();
        for line in lines.by_ref() {
            let address = line.rsplit([' ', '/']).next().unwrap_or_default().to_owned();
            let is_address = address.starts_with("127.0.0.1:");
            writeln!(stderr, "{}", if is_address { line.replace(&address, &shown) } else { line.clone() })
                .unwrap();
            if is_address {
                break;
            }
        }
        wait_for("a process that hears SIGTERM", || hears_sigterm(child.id()).then_some(()));
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        let status = wait_for("the end of a process", || child.try_wait().unwrap());
        lines.for_each(|line| writeln!(stderr, "{line}").unwrap());
        Ran { code: status.code().unwrap_or(-1), stdout: String::new(), stderr }
    }

    /// Lets the configuration read our sites instead of those that it names.
    fn localize(&self) {
        let path = self.folder.join("feeds.toml");
        let Some(mut table) = std::fs::read_to_string(&path).ok().and_then(|text| text.parse::<Table>().ok())
        else {
            return;
        };
        let mut fetch = Table::new();
        fetch.insert("allow".into(), Value::Array(vec!["127.0.0.1".into()]));
        if table.get("fetch").is_none_or(|fetch| fetch.get("allow").is_none()) {
            merge(&mut table, Table::from_iter([("fetch".to_owned(), Value::Table(fetch))]));
        }
        std::fs::write(&path, self.sites.local(&toml::to_string(&table).unwrap())).unwrap();
    }
}

/// Whether a process catches SIGTERM, the fifteenth signal, or is gone; where nothing says so, it is believed to.
fn hears_sigterm(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    caught.is_none_or(|mask| mask & (1 << 14) != 0)
}

/// Puts one configuration over another: tables key by key, tables of a list by their `id`, all else as a whole.
fn merge(whole: &mut Table, part: Table) {
    let id = |value: &Value| value.get("id").cloned();
    for (key, value) in part {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if key != "keep" && key != "drop" => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new))
                if new.iter().all(|item| id(item).is_some()) && !new.is_empty() =>
            {
                for item in new {
                    match (old.iter_mut().find(|known| id(known) == id(&item)), item) {
                        (Some(Value::Table(known)), Value::Table(item)) => merge(known, item),
                        (_, item) => old.push(item),
                    }
                }
            }
            (_, value) => drop(whole.insert(key, value)),
        }
    }
}

/// The words of a command, as a shell has them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether a line is as shown, `…` standing for anything.
fn fits(shown: &str, said: &str) -> bool {
    let parts: Vec<String> = shown.trim_end().split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(said.trim_end())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(|_| ()).unwrap()
        }
    }
}

/// Follows a page from an empty folder.
fn follow_from_nothing(page: &Page, sites: &Sites) -> (tempfile::TempDir, PathBuf, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Shell { sites, folder: folder.path().to_owned() };
    let faults = shell.follow(page);
    let end = shell.folder;
    (folder, end, faults)
}

/// Writes what examples name: a key, a certificate, a model.
fn write_files_of_examples(folder: &Path) {
    std::fs::write(folder.join("dkim.key"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let certificate = rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(folder.join("labels.tsv"), "sport\tThe club wins\ncity\tThe council meets\n").unwrap();
    let trained = Command::new(env!("CARGO_BIN_EXE_courant"))
        .args(["classify", "train", "labels.tsv", "topics.model"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
}

/// Follows a page from where the tutorial ends.
fn follow_from(start: &Path, page: &Page, sites: &Sites) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    copy(start, folder.path());
    Shell { sites, folder: folder.path().to_owned() }.follow(page)
}

#[test]
fn the_examples_of_the_readme_and_the_book_work() {
    let sites = Sites::start();
    let (_kept, start, mut faults) = follow_from_nothing(&Page::read(TUTORIAL), &sites);
    write_files_of_examples(&start);
    faults.extend(follow_from_nothing(&Page::read("README.md"), &sites).2);
    let pages: Vec<Page> =
        book().iter().filter(|path| *path != TUTORIAL).map(|path| Page::read(path)).collect();
    let followed: Vec<Vec<String>> = std::thread::scope(|scope| {
        let halves: Vec<_> = pages
            .chunks(pages.len().div_ceil(4))
            .map(|pages| {
                scope.spawn(|| pages.iter().flat_map(|page| follow_from(&start, page, &sites)).collect())
            })
            .collect();
        halves.into_iter().map(|half| half.join().unwrap()).collect()
    });
    faults.extend(followed.concat());
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn a_wrong_example_is_found() {
    let sites = Sites::start();
    let faults = |text: &str| {
        let page = Page { path: "page.md".into(), text: text.into() };
        follow_from_nothing(&page, &sites).2.join("\n")
    };
    assert_eq!(
        faults(
            "```toml\n[channel]\ntitle = \"x\"\n```\n```console\n$ courant check\nfeeds.toml …: 0 sources…\n```\n"
        ),
        ""
    );
    let unknown = faults("```toml\n[channel]\ntitel = \"x\"\n```\n");
    assert!(unknown.contains("page.md:1") && unknown.contains("did you mean \"title\"?"), "{unknown}");
    assert!(faults("```toml\n[channel\n```\n").contains("this is no TOML"));
    assert!(faults("```console\n$ courant chekc\n```\n").contains("ended with 2"));
    assert!(faults("```console\n$ rm -r x\n```\n").contains("cannot be run here"));
    assert!(
        faults("```toml\nversion = 1\n```\n```console\n$ courant check\nall is well\n```\n")
            .contains("is shown to say")
    );
    assert!(faults("```console,ignore\n$ courant check\n```\n").contains("why it is ignored"));
}

/// The help of a command, and of all below it, by the words that call them.
fn helps() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let name = Regex::new(r"(?m)^  (\w[\w-]*)").unwrap();
    let mut waiting = vec![Vec::<String>::new()];
    while let Some(command) = waiting.pop() {
        let output =
            Command::new(env!("CARGO_BIN_EXE_courant")).args(&command).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let listed =
            help.split("\nCommands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
        for name in name.captures_iter(listed).map(|found| found[1].to_owned()).filter(|name| name != "help")
        {
            waiting.push(command.iter().cloned().chain([name]).collect());
        }
        found.insert(format!("courant {}", command.join(" ")).trim_end().to_owned(), help);
    }
    found
}

#[test]
fn every_command_and_option_stands_in_the_reference() {
    let reference = Page::read("docs/src/reference/commands.md");
    let option = Regex::new(r"(?m)^\s+(?:-\w, )?(--[a-z-]+)").unwrap();
    let named = Regex::new(r"(?m)^\|[^|]*?`(?:-\w`, `)?(--[a-z-]+)").unwrap();
    let default = Regex::new(r"\[default: ([^\]]+)\]").unwrap();
    let helps = helps();
    assert!(helps.len() > 25, "{:?}", helps.keys());
    let of_all: BTreeSet<String> =
        option.captures_iter(&helps["courant"]).map(|found| found[1].to_owned()).collect();
    let mut faults = Vec::new();
    for (command, help) in &helps {
        let heading = if command == "courant" { "Options of every command" } else { command };
        let Some(section) = reference.section(heading) else {
            faults.push(format!("\"{heading}\" has no heading"));
            continue;
        };
        let mut known: BTreeSet<String> =
            option.captures_iter(help).map(|found| found[1].to_owned()).collect();
        if command != "courant" {
            known.retain(|option| !of_all.contains(option));
        }
        let described: BTreeSet<String> =
            named.captures_iter(&section).map(|found| found[1].to_owned()).collect();
        faults.extend(
            known.difference(&described).map(|option| format!("{command} {option} is not described")),
        );
        faults.extend(described.difference(&known).map(|option| format!("{command} has no {option}")));
        let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_own = |part: &&str| {
            let option = part.split([' ', ',']).next().unwrap_or_default();
            command == "courant" || !of_all.contains(&format!("--{option}"))
        };
        for found in flat.split(" --").filter(is_own).flat_map(|part| default.captures_iter(part)) {
            let value = found[1].trim_matches('"');
            if value != "." && !section.contains(value) {
                faults.push(format!("{command}: the default {value} is not named"));
            }
        }
    }
    let is_stale = |heading: &String| heading.starts_with("courant ") && !helps.contains_key(heading);
    faults.extend(
        reference
            .sections()
            .into_iter()
            .map(|(_, heading, _)| heading)
            .filter(is_stale)
            .map(|heading| format!("there is no {heading}")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The keys that the configuration asks for, by the function that asks: it asks for a key by its name, in quotes.
fn configuration_keys() -> BTreeMap<String, BTreeSet<String>> {
    let source: String = ["mod", "admin", "fetch", "mail", "newsletter", "outlet", "source"]
        .map(|name| std::fs::read_to_string(Path::new(ROOT).join(format!("src/config/{name}.rs"))).unwrap())
        .iter()
        .map(|text| text.split("#[cfg(test)]").next().unwrap())
        .collect();
    let function = Regex::new(r"(?m)^(?:pub(?:\(super\))? )?fn (\w+)").unwrap();
    let asked = Regex::new(r#"\b(\w+)\s*\.\s*(?:table|tables|has|parsed|seconds|string|required|boolean|number|list|needs|choice|one_or_more|by_\w+)\(\s*"(\w+)""#).unwrap();
    let starts: Vec<(usize, String)> = function
        .captures_iter(&source)
        .map(|found| (found.get(0).unwrap().start(), found[1].to_owned()))
        .collect();
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (at, (start, name)) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(source.len(), |(next, _)| *next);
        for found in asked.captures_iter(&source[*start..end]) {
            let owner = match &found[1] {
                "defaults" => "defaults",
                "channel_section" => "read_channel",
                _ if name == "read_transport" => "read_mail",
                "root" => "read_root",
                _ if name == "read_review" => "read_digest",
                _ if name == "read_reengagement" => "read_newsletter",
                _ if name == "read_kind" || name == "read_render" => "read_source",
                _ if name == "read_schedule" => "read_digest",
                _ if name == "read_outlets" => "read_root",
                _ if name == "note_same_addresses" => "read_root",
                _ => name,
            };
            keys.entry(owner.to_owned()).or_default().insert(found[2].to_owned());
        }
    }
    // Which stories: asked in several tables.
    let interests = keys.remove("read_interests").unwrap();
    for table in ["read_feed", "read_webhook", "read_send"] {
        keys.entry(table.to_owned()).or_default().extend(interests.clone());
    }
    // Rules ask for the names of fields, one after the other.
    let fields = std::fs::read_to_string(Path::new(ROOT).join("src/model/filter.rs")).unwrap();
    let field = Regex::new(r#"\("(\w+)", RuleField::\w+\)"#).unwrap();
    keys.insert("read_rules".into(), field.captures_iter(&fields).map(|found| found[1].to_owned()).collect());
    keys
}

#[test]
fn the_schema_has_every_key_that_the_configuration_asks_for() {
    let output = Command::new(env!("CARGO_BIN_EXE_courant")).arg("schema").output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let table = |name: &str| format!("/properties/{name}/properties");
    let list = |name: &str| format!("/properties/{name}/items/properties");
    let mut faults = Vec::new();
    for (function, keys) in configuration_keys() {
        let source = list("source");
        let place = match function.as_str() {
            "read_root" => "/properties".to_owned(),
            "read_source" | "read_mail_rules" => source,
            "read_select" => format!("{source}/select/properties"),
            "read_rules" => format!("{source}/drop/properties"),
            "read_rewrite" => format!("{source}/rewrite/items/properties"),
            "read_account" => format!("{}/account/items/properties", table("admin")),
            "read_dkim" => format!("{}/dkim/items/properties", table("mail")),
            "read_segments" => list("segment"),
            "read_topic" | "read_feed" | "read_digest" | "read_webhook" | "read_send" => {
                list(&function["read_".len()..])
            }
            _ => table(function.trim_start_matches("read_")),
        };
        let Some(properties) = schema.pointer(&place) else {
            faults.push(format!("{function}: the schema has no {place}"));
            continue;
        };
        // Something has to be said of each.
        let is_described =
            |key: &String| properties[key].as_object().is_some_and(|schema| !schema.is_empty());
        faults.extend(
            keys.iter()
                .filter(|key| !is_described(key))
                .map(|key| format!("{function}: the schema has no {key}")),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_configuration_key_stands_in_the_reference() {
    let reference = Page::read("docs/src/reference/configuration.md");
    let headings = BTreeMap::from([
        ("read_root", "Top level"),
        ("read_channel", "`[channel]`"),
        ("read_store", "`[store]`"),
        ("read_publish", "`[publish]`"),
        ("read_mail", "`[mail]`"),
        ("read_dkim", "`[[mail.dkim]]`"),
        ("read_newsletter", "`[newsletter]`"),
        ("read_segments", "`[[segment]]`"),
        ("read_serve", "`[serve]`"),
        ("read_admin", "`[admin]`"),
        ("read_account", "`[[admin.account]]`"),
        ("read_alarms", "`[alarms]`"),
        ("defaults", "`[defaults]`"),
        ("read_fetch", "`[fetch]`"),
        ("read_topic", "`[[topic]]`"),
        ("read_classify", "`[classify]`"),
        ("read_feed", "`[[feed]]`"),
        ("read_digest", "`[[digest]]`"),
        ("read_webhook", "`[[webhook]]`"),
        ("read_send", "`[[send]]`"),
        ("read_source", "`[[source]]`"),
        ("read_mail_rules", "Sources of mail"),
        ("read_select", "`[source.select]`"),
        ("read_rules", "`[source.keep]` and `[source.drop]`"),
        ("read_rewrite", "`rewrite`"),
    ]);
    let keys = configuration_keys();
    assert!(keys.values().map(BTreeSet::len).sum::<usize>() > 80, "{keys:?}");
    let row = Regex::new(r"(?m)^\| (`[^|]*) \| ([^|]*) \|").unwrap();
    let quoted = Regex::new(r"`(\w+)`").unwrap();
    let set = Regex::new(r"(\w+) *[=\]]").unwrap();
    let mut faults: Vec<String> = headings
        .keys()
        .filter(|function| !keys.contains_key(**function))
        .map(|function| format!("{function} asks for no key"))
        .collect();
    for (function, keys) in &keys {
        let Some(heading) = headings.get(function.as_str()) else {
            faults.push(format!("{function} asks for {keys:?}: which heading of the reference is it?"));
            continue;
        };
        let section = reference.section(heading).unwrap_or_else(|| panic!("there is no heading {heading}"));
        let example: String =
            section.split("```toml").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let shown: BTreeSet<String> = set.captures_iter(&example).map(|found| found[1].to_owned()).collect();
        let mut described = BTreeSet::new();
        for found in row.captures_iter(&section) {
            for key in quoted.captures_iter(&found[1]).map(|key| key[1].to_owned()) {
                let is_shown = shown.contains(&key);
                if !is_shown && !found[2].contains("table") {
                    faults.push(format!("{heading}: the example has no {key}"));
                }
                described.insert(key);
            }
        }
        faults.extend(keys.difference(&described).map(|key| format!("{heading}: {key} is not described")));
        faults.extend(described.difference(keys).map(|key| format!("{heading}: there is no {key}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with a link that stands on a page; nothing if it leads elsewhere.
fn link_fault(page: &Page, link: &str) -> Option<String> {
    let (path, fragment) =
        link.split_once('#').map_or((link, None), |(path, fragment)| (path, Some(fragment)));
    let target = match path.strip_prefix(REPOSITORY) {
        Some(path) => PathBuf::from(path),
        None if path.contains("://") || path.starts_with("mailto:") => return None,
        None if path.is_empty() => PathBuf::from(&page.path),
        None => {
            let mut target = Path::new(&page.path).parent().unwrap().to_owned();
            for part in path.split('/').filter(|part| *part != ".") {
                let is_inside = if part == ".." {
                    target.pop()
                } else {
                    target.push(part);
                    true
                };
                if !is_inside {
                    return Some("leads out of the repository".into());
                }
            }
            if page.path.starts_with("docs/src/") && !target.starts_with("docs/src") {
                return Some("leads out of the book, which holds only what is in docs/src".into());
            }
            target
        }
    };
    if !Path::new(ROOT).join(&target).exists() {
        return Some("leads to no file".into());
    }
    let fragment = fragment?;
    let is_there = Page::read(target.to_str().unwrap()).anchors().contains(fragment);
    (!is_there).then(|| "leads to no heading".into())
}

#[test]
fn every_link_of_the_readme_and_the_book_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let others = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "tests/README.md",
        "fuzz/README.md",
        "docs/performance.md",
    ];
    let mut faults = Vec::new();
    for page in book().iter().map(String::as_str).chain(others).map(Page::read) {
        for found in link.captures_iter(&page.prose()) {
            faults.extend(
                link_fault(&page, &found[1]).map(|fault| format!("{}: {} {fault}", page.path, &found[1])),
            );
        }
    }
    let summary = Page::read("docs/src/SUMMARY.md");
    let listed: BTreeSet<String> =
        link.captures_iter(&summary.text).map(|found| format!("docs/src/{}", &found[1])).collect();
    let unlisted = book().into_iter().filter(|path| *path != summary.path && !listed.contains(path));
    faults.extend(unlisted.map(|path| format!("{path} is not in the summary")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let page = Page::read("docs/src/introduction.md");
    for (wrong, fault) in [
        ("nowhere.md", "no file"),
        ("reference/commands.md#courant-fly", "no heading"),
        ("../../README.md", "out of the book"),
        (&format!("{REPOSITORY}NOWHERE.md"), "no file"),
    ] {
        assert!(link_fault(&page, wrong).is_some_and(|said| said.contains(fault)), "{wrong}");
    }
}

#[test]
fn the_promises_against_threats_name_tests_that_there_are() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/src/explanation/threats.md")).unwrap();
    let named = Regex::new(r"`([a-z_]+)::([a-z0-9_]+)`").unwrap();
    let mut count = 0;
    for found in named.captures_iter(&page) {
        let (module, test) = (&found[1], &found[2]);
        let file = Path::new(ROOT).join("tests/suite").join(format!("{module}.rs"));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains(&format!("#[test]\nfn {test}()")), "{module}::{test}");
        count += 1;
    }
    assert!(count > 30, "{count} tests");
}
