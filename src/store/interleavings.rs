//! Units of two workers that meet: what counts, places or numbers comes out as if they had followed each other.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::samples::{at, digest, entry, insert, issue, on_each_database};
use super::*;
use crate::model::keys::{EntryKey, IssueKey, Seq, StoryKey};
use crate::model::publication::PublicationKey;
use crate::model::sketch::Sketch;

/// How long the first unit stays open once the second has begun: without a lock, that one would be done by then.
const HELD: Duration = Duration::from_millis(300);

/// Runs `first` in a unit that stays open while another worker begins one with `second`; returns what both gave.
pub(crate) fn interleave<T: Send>(
    url: &StoreUrl,
    first: impl FnOnce(&Unit<Write>) -> Result<T>,
    second: impl FnOnce(&Unit<Write>) -> Result<T> + Send,
) -> (T, T) {
    let (one, other) = (Store::open(url, "one").unwrap(), Store::open(url, "other").unwrap());
    let (begun, may_begin) = mpsc::channel();
    thread::scope(|scope| {
        let second = scope.spawn(move || {
            may_begin.recv().unwrap();
            other.write(second).unwrap()
        });
        let first = one.write(|unit| {
            let done = first(unit)?;
            begun.send(()).unwrap();
            thread::sleep(HELD);
            Ok::<_, StoreError>(done)
        });
        (first.unwrap(), second.join().unwrap())
    })
}

fn add(unit: &Unit<Write>, number: i64) -> Result<()> {
    insert(unit, number, &Features { keys: &[], sketch: &Sketch::default() })
}

fn ensure_source(url: &StoreUrl) -> Store {
    let store = Store::open(url, "reader").unwrap();
    store.write(|w| w.sources().ensure("s", "p", 0)).unwrap();
    store
}

#[test]
fn a_reader_with_a_mark_sees_every_entry_whoever_stored_it_first() {
    on_each_database("marks", |url| {
        let store = ensure_source(url);
        let (mut mark, mut seen) = (EntryKey::BEFORE_ALL, Vec::new());
        thread::scope(|scope| {
            let writers = scope.spawn(|| interleave(url, |w| add(w, 1), |w| add(w, 2)));
            while seen.len() < 2 {
                let are_done = writers.is_finished();
                let new = store.read(|r| r.entries().after(mark, 10, MarkupScope::Without)).unwrap();
                mark = new.last().map_or(mark, |entry| entry.order);
                seen.extend(new.into_iter().map(|stored| stored.entry.id));
                assert!(seen.len() == 2 || !are_done, "only {seen:?} are ever seen");
            }
        });
        assert_eq!(seen, [entry(1).id, entry(2).id]);
    });
}

#[test]
fn numbers_of_a_publication_follow_each_other() {
    on_each_database("numbers", |url| {
        let store = ensure_source(url);
        let channel = PublicationKey::Channel;
        store
            .write(|w| {
                w.publishing().put_publication(&channel, "")?;
                add(w, 1)?;
                add(w, 2)
            })
            .unwrap();
        let publish = |story: i64| {
            let channel = &channel;
            move |w: &Unit<Write>| {
                let placed =
                    PlacedStory { publication: channel, story: StoryKey(story), sort_date: at(story) };
                w.publishing().publish_stories(&[placed]).map(drop)
            }
        };
        interleave(url, publish(2), publish(1));
        let numbered = |after| store.read(|r| r.publishing().newest(&channel, 0, Some(Seq(after)))).unwrap();
        let ids: Vec<String> = numbered(0).into_iter().map(|story| story.id).collect();
        assert_eq!(ids.len(), 2);
        let last: Vec<String> = numbered(1).into_iter().map(|story| story.id).collect();
        assert_eq!(last, ["story-1"], "the one that was published second");
    });
}

#[test]
fn two_workers_fill_a_slot_once() {
    on_each_database("slots", |url| {
        drop(ensure_source(url));
        let queue = |w: &Unit<Write>| {
            let recipients = ["a@x.example".to_owned()];
            let (digest, issue) = (digest(), issue());
            let new = NewIssue {
                digest: &digest,
                slot: Some(at(8)),
                now: at(9),
                issue: &issue,
                stories: &[],
                recipients: &recipients,
            };
            w.mailing().queue_issue(&new, |number: IssueKey, to| format!("{number}{to}"))
        };
        assert_eq!(interleave(url, queue, queue), (Some(1), None));
    });
}
