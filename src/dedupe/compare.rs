//! Compares two sketches: is one entry a copy or a translation of the other? Every result states why.

use std::fmt;

use crate::model::sketch::{MarkedHash, NO_DAY, Part, Sketch, WordKind};
use crate::support::text::many;

use super::entry_index::DAYS_MAX;
use super::lexicon::is_common_word;
use super::sketch::is_in_lead;
use super::update;

/// Why two entries are or are not one story. Shares range from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Evidence {
    Text { share: f32, shared: usize },
    Title,
    Translation { share: f32, shared: usize, letters: f32 },
    FewPhrases { share: f32, shared: usize },
    TitleNumbers,
    OtherTitle,
    TitleFrame,
    TitleNames,
    Figures { share: f32 },
    OtherText,
    ShortTitle,
    Days(i32),
    Unlike { share: f32, letters: f32 },
    Rival { share: f32, letters: f32 },
    Issues,
    Updated,
    Repeated,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: &f32| (share * 100.0).round();
        match self {
            Evidence::Text { share, shared } => {
                write!(
                    f,
                    "{} % of the rare phrases of the shorter text stand in the other ({shared} looked at)",
                    percent(share)
                )
            }
            Evidence::Title => f.write_str("the same title"),
            Evidence::Translation { share, shared, letters } => {
                write!(
                    f,
                    "{} % of names, figures and subjects are the same in both languages ({shared} of them), and their letters \
                     are {} % alike",
                    percent(share),
                    percent(letters)
                )
            }
            Evidence::FewPhrases { share, shared } => {
                write!(f, "only {} % of the rare phrases are shared ({shared})", percent(share))
            }
            Evidence::TitleNumbers => f.write_str("the titles differ in a number or a date, as in a series"),
            Evidence::OtherTitle => f.write_str("one source gave them different titles"),
            Evidence::TitleFrame => f.write_str("the titles are of one pattern with other words in it"),
            Evidence::TitleNames => f.write_str("the titles are of one pattern with other names in it"),
            Evidence::Figures { share } => write!(
                f,
                "only {} % of the figures and names of the shorter text stand in the other",
                percent(share)
            ),
            Evidence::OtherText => f.write_str("the titles are the same, the texts are not"),
            Evidence::ShortTitle => f.write_str("the title alone says too little"),
            Evidence::Days(days) => write!(f, "they are {} apart", many(*days, "day", "days")),
            Evidence::Unlike { share, letters } => write!(
                f,
                "only {} % of names, figures and subjects are shared, and their letters are {} % alike",
                percent(share),
                percent(letters)
            ),
            Evidence::Rival { share, letters } => {
                write!(f, "another story is as near ({} %, letters {} %)", percent(share), percent(letters))
            }
            Evidence::Issues => {
                f.write_str("each has a figure or a month that the other has not, as in a series")
            }
            Evidence::Repeated => f.write_str("what they share, their sources put under other stories too"),
            Evidence::Updated => f.write_str("the title says that it is an update of the other"),
        }
    }
}

/// A verdict with a score from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    pub is_same: bool,
    pub score: f32,
    pub evidence: Evidence,
}

fn yes(score: f32, evidence: Evidence) -> Comparison {
    Comparison { is_same: true, score, evidence }
}

fn no(score: f32, evidence: Evidence) -> Comparison {
    Comparison { is_same: false, score, evidence }
}

/// The relation of two titles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Titles {
    Missing,
    Equal,
    /// One contains all words of the other, and more.
    Within,
    /// Equal except for a number, a month or a day.
    NumbersDiffer,
    /// The same pattern, with different words in some places.
    Frame,
    Apart,
}

/// Compares the words of two titles.
pub fn titles(a: &Sketch, b: &Sketch) -> Titles {
    if a.title_hash == 0 || b.title_hash == 0 {
        return Titles::Missing;
    }
    if a.title_hash == b.title_hash {
        return Titles::Equal;
    }
    let (ours, theirs): (Vec<MarkedHash>, Vec<MarkedHash>) = (a.title().collect(), b.title().collect());
    let common = common_words(&ours, &theirs);
    let (rest_a, rest_b) = (rest(&ours, &common, |&(at, _)| at), rest(&theirs, &common, |&(_, at)| at));
    let longest = ours.len().max(theirs.len());
    // At least half of the words in the same order: a common pattern, possibly of a series.
    let is_frame = common.len() * 2 >= longest && !common.is_empty();
    let is_number = |word: &MarkedHash| matches!(word.kind(), WordKind::Number | WordKind::Calendar);
    if is_frame && (rest_a.iter().any(is_number) || rest_b.iter().any(is_number)) {
        return Titles::NumbersDiffer;
    }
    match (is_frame, rest_a.is_empty() || rest_b.is_empty()) {
        (true, true) => Titles::Within,
        (true, false) => Titles::Frame,
        (false, true) if common.len() >= 3 => Titles::Within,
        (false, _) => Titles::Apart,
    }
}

/// An update comes within this many days.
const UPDATE_DAYS_MAX: i32 = 30;

/// Whether one entry is by its title an update of the other: "[Updated] X" of "X", or of "Correction: X".
pub fn is_update(a: &Sketch, b: &Sketch) -> bool {
    let (ours, theirs): (Vec<MarkedHash>, Vec<MarkedHash>) = (a.title().collect(), b.title().collect());
    let common = common_words(&ours, &theirs);
    let (rest_a, rest_b) = (rest(&ours, &common, |&(at, _)| at), rest(&theirs, &common, |&(_, at)| at));
    let more: Vec<u32> = rest_a.iter().chain(&rest_b).map(|word| word.word()).collect();
    common.len() >= 2
        && update::is_mark(&more)
        && days_between(a, b).is_none_or(|days| days <= UPDATE_DAYS_MAX)
}

/// Whether each of two sets has something that the other has not.
fn each_has_more(ours: &[u32], theirs: &[u32]) -> bool {
    ours.iter().any(|item| !theirs.contains(item)) && theirs.iter().any(|item| !ours.contains(item))
}

/// A text with at most this many figures is compared by all of them.
const FEW_FIGURES: usize = 6;

/// Whether two entries of one source differ like issues of a series: each has a figure or a month that the other has not, in the
/// title, the opening or a text of few figures.
pub fn are_issues(a: &Sketch, b: &Sketch) -> bool {
    let of_kind = |sketch: &Sketch, kind: WordKind| -> Vec<u32> {
        sketch.concepts().filter(|concept| concept.kind() == kind).map(MarkedHash::word).collect()
    };
    let (ours, theirs) = (a.part(Part::Numbers), b.part(Part::Numbers));
    (ours.len().max(theirs.len()) <= FEW_FIGURES && each_has_more(ours, theirs))
        || [WordKind::Number, WordKind::Calendar]
            .into_iter()
            .any(|kind| each_has_more(&of_kind(a, kind), &of_kind(b, kind)))
}

/// Whether each of two titles of one pattern has a name in its place that stands in its own text and not in the other entry: one event in
/// two towns.
fn names_part(a: &Sketch, b: &Sketch) -> bool {
    let (ours, theirs): (Vec<MarkedHash>, Vec<MarkedHash>) = (a.title().collect(), b.title().collect());
    let common = common_words(&ours, &theirs);
    let has = |sketch: &Sketch, word: u32| {
        sketch.part(Part::Names).iter().any(|name| MarkedHash::new(*name, WordKind::Word).word() == word)
    };
    let is_cut = |sketch: &Sketch| sketch.part(Part::Names).len() >= super::sketch::NAMES_MAX;
    let has_own = |rest: &[MarkedHash], own: &Sketch, other: &Sketch, title: &[MarkedHash]| {
        !is_cut(other)
            && rest.iter().any(|word| {
                has(own, word.word())
                    && !has(other, word.word())
                    && title.iter().all(|other| other.word() != word.word())
            })
    };
    has_own(&rest(&ours, &common, |&(at, _)| at), a, b, &theirs)
        && has_own(&rest(&theirs, &common, |&(_, at)| at), b, a, &ours)
}

/// Whether so many days lie between two entries that a copy is not to be expected.
fn is_later(a: &Sketch, b: &Sketch) -> bool {
    days_between(a, b).is_some_and(|days| days > COPY_DAYS_MAX)
}

/// Whether the titles and openings differ in a figure or a month.
fn have_other_figures(a: &Sketch, b: &Sketch) -> bool {
    let figures = |sketch: &Sketch| -> Vec<u32> {
        let is_figure =
            |concept: &MarkedHash| matches!(concept.kind(), WordKind::Number | WordKind::Calendar);
        sketch.concepts().filter(is_figure).map(MarkedHash::word).collect()
    };
    have_texts(a, b) && figures(a) != figures(b)
}

/// The longest common subsequence of words, as positions in both titles.
fn common_words(a: &[MarkedHash], b: &[MarkedHash]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut table = vec![0u8; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            table[i * width + j] = if a[i].word() == b[j].word() {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut common) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i].word() == b[j].word() {
            common.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if table[(i + 1) * width + j] >= table[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    common
}

fn rest(
    words: &[MarkedHash],
    common: &[(usize, usize)],
    place: impl Fn(&(usize, usize)) -> usize,
) -> Vec<MarkedHash> {
    let taken: Vec<usize> = common.iter().map(place).collect();
    words.iter().enumerate().filter(|(at, _)| !taken.contains(at)).map(|(_, word)| *word).collect()
}

/// How much two texts share of their rare shingles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Share of the shorter text's shingles, 0 to 1.
    pub share: f32,
    pub shared: usize,
    /// Number of the shorter text's shingles that could have been shared.
    pub looked_at: usize,
    /// Share of the shorter text's lead found in the other's lead, 0 to 1. A teaser begins like its full text; background shared
    /// by two stories, or a story within a roundup, stands further down.
    pub lead: f32,
}

/// Up to this many words, a text counts as a teaser and its lead is compared with the other's lead.
const TEASER_WORDS: u32 = 80;
/// Number of sample shingles from which the sample is significant.
const SAMPLE_SAYS: usize = 6;

/// Sorted numbers, asked for in ascending order: all questions together go through them once.
struct Ascending<'a>(&'a [u32]);

impl Ascending<'_> {
    fn has(&mut self, number: u32) -> bool {
        while let [first, rest @ ..] = self.0
            && *first < number
        {
            self.0 = rest;
        }
        self.0.first() == Some(&number)
    }
}

/// The shingles of a sketch, asked for in ascending order.
struct Shingles<'a> {
    lead: Ascending<'a>,
    sample: Ascending<'a>,
}

impl Shingles<'_> {
    fn of(sketch: &Sketch) -> Shingles<'_> {
        Shingles { lead: Ascending(sketch.part(Part::Lead)), sample: Ascending(sketch.part(Part::Sample)) }
    }

    /// Whether its lead has a shingle, and whether its sample has it.
    fn parts_with(&mut self, shingle: u32) -> (bool, bool) {
        (self.lead.has(shingle), self.sample.has(shingle))
    }
}

/// How much of the shorter text is contained in the longer one.
pub fn overlap(a: &Sketch, b: &Sketch, is_rare: impl Fn(u32) -> bool) -> Overlap {
    let (short, long) = if a.words <= b.words { (a, b) } else { (b, a) };
    let limit = short.threshold.min(long.threshold);
    let (mut lead, mut starts, mut sample, mut all) = ((0, 0), (0, 0), (0, 0), 0);
    let mut long_parts = Shingles::of(long);
    let mut own_sample = Ascending(short.part(Part::Sample));
    for &shingle in short.part(Part::Lead) {
        let (is_in_long_lead, is_in_long_sample) = long_parts.parts_with(shingle);
        let (is_twice, is_shared) = (own_sample.has(shingle), is_in_long_lead || is_in_long_sample);
        if is_rare(shingle) {
            starts = (starts.0 + usize::from(is_in_long_lead), starts.1 + 1);
            lead = (lead.0 + usize::from(is_shared), lead.1 + 1);
            all += usize::from(is_shared && !is_twice);
        }
    }
    let mut long_parts = Shingles::of(long);
    for &shingle in short.part(Part::Sample) {
        let is_within = shingle <= limit;
        if !is_within && !is_in_lead(&shingle) {
            continue;
        }
        let (is_in_long_lead, is_in_long_sample) = long_parts.parts_with(shingle);
        let is_shared = is_in_long_lead || is_in_long_sample;
        if (is_within || is_shared) && is_rare(shingle) {
            all += usize::from(is_shared);
            sample = (sample.0 + usize::from(is_shared && is_within), sample.1 + usize::from(is_within));
        }
    }
    let share = |(shared, looked_at): (usize, usize)| {
        if looked_at == 0 { 0.0 } else { shared as f32 / looked_at as f32 }
    };
    // The lead of a teaser is the lead of its text; the sample represents all of both.
    let is_lead_better = share(lead) >= share(sample) && short.words <= TEASER_WORDS;
    let best = if is_lead_better || sample.1 < SAMPLE_SAYS { lead } else { sample };
    Overlap { share: share(best), shared: all, looked_at: best.1, lead: share(starts) }
}

/// Agreement of the figures of two texts, 0 to 1. Short titles, and titles of one pattern, often belong to series.
fn figures(a: &Sketch, b: &Sketch, titles: Titles) -> f32 {
    let (short, long) = if a.words <= b.words { (a, b) } else { (b, a) };
    let is_pattern = a.source == b.source
        || titles == Titles::Frame
        || (titles == Titles::Equal && a.title().count() < TITLE_WORDS_MIN);
    agreement(short, long, is_pattern)
}

/// Whether both have a text, and those have hardly a phrase in common.
pub fn are_far_apart(a: &Sketch, b: &Sketch) -> bool {
    have_texts(a, b) && overlap(a, b, |_| true).share < OTHER_SHARE
}

/// Whether two entries whose texts are too short to be compared are of other matters.
pub fn are_other_notes(a: &Sketch, b: &Sketch) -> bool {
    let (shared, least) = shared_subjects(a, b);
    !have_texts(a, b) && least.saturating_sub(shared) >= OWN_WORDS_MIN
}

/// Whether at least half of the words that bear the shorter text stand in the other, too; of no words, nothing is known.
pub fn share_subjects(a: &Sketch, b: &Sketch) -> bool {
    let (shared, least) = shared_subjects(a, b);
    shared * 2 >= least
}

/// How many of the words that bear one text stand in the other, too, and the lesser number of such words.
fn shared_subjects(a: &Sketch, b: &Sketch) -> (usize, usize) {
    let words = |sketch: &Sketch| -> Vec<u32> { sketch.concepts().map(MarkedHash::word).collect() };
    let (ours, theirs) = (words(a), words(b));
    let shared = ours.iter().filter(|word| theirs.contains(word)).count();
    (shared, ours.len().min(theirs.len()))
}

/// Whether both have enough text to compare.
pub fn have_texts(a: &Sketch, b: &Sketch) -> bool {
    a.words.min(b.words) >= TEXT_WORDS_MIN
}

/// Whether two titles speak against a common story: issues of a series, or two headlines of one source.
pub fn titles_part(a: &Sketch, b: &Sketch) -> bool {
    match titles(a, b) {
        Titles::NumbersDiffer => true,
        Titles::Frame | Titles::Apart => a.source == b.source && a.language == b.language,
        Titles::Missing | Titles::Equal | Titles::Within => false,
    }
}

/// Whether one source gave two texts in one language different titles, neither being an update of the other.
pub fn are_told_apart(a: &Sketch, b: &Sketch) -> bool {
    a.source == b.source
        && a.language == b.language
        && matches!(titles(a, b), Titles::NumbersDiffer | Titles::Frame | Titles::Apart)
        && !is_update(a, b)
}

/// Whether two texts are different, whatever identifiers and titles say.
pub fn are_two_texts(a: &Sketch, b: &Sketch) -> bool {
    are_far_apart(a, b) || (have_texts(a, b) && figures(a, b, Titles::Equal) < FIGURES_SHARE)
}

/// Agreement of the shorter text's figures (for titles of one pattern, its names too) with the longer one's, 0 to 1. Sources add
/// figures of their own around a text, so a single one is not significant; nor is a text that is a small part of the other.
fn agreement(short: &Sketch, long: &Sketch, is_pattern: bool) -> f32 {
    let numbers = contained(short.part(Part::Numbers), long.part(Part::Numbers));
    if is_pattern {
        let names = contained(short.part(Part::Names), long.part(Part::Names))
            .map_or(1.0, |(shared, of)| if shared * 2 >= of { 1.0 } else { 0.0 });
        return numbers
            .map_or(1.0_f32, |(shared, of)| if shared * 5 >= of * 3 { 1.0 } else { 0.0 })
            .min(names);
    }
    match numbers {
        Some((shared, of)) if of >= 2 && short.words * 2 >= long.words => shared as f32 / of as f32,
        _ => 1.0,
    }
}

/// How many items of the first are also in the second, and out of how many; `None` if the first is empty or the second was
/// truncated.
fn contained(short: &[u32], long: &[u32]) -> Option<(usize, usize)> {
    let is_cut = long.len() >= super::sketch::NAMES_MAX;
    (!short.is_empty() && !is_cut)
        .then(|| (short.iter().filter(|item| long.binary_search(item).is_ok()).count(), short.len()))
}

/// Days between two entries, if both have a date.
pub fn days_between(a: &Sketch, b: &Sketch) -> Option<i32> {
    (a.day != NO_DAY && b.day != NO_DAY).then(|| (a.day - b.day).abs())
}

/// A title of this many words is distinctive.
const TITLE_WORDS_MIN: usize = 5;
/// Minimum length, in words, of a text that can be compared.
const TEXT_WORDS_MIN: u32 = 8;
/// Of two texts that are too short to be compared, each has so many words of its own if they are of other matters: an edit changes one.
const OWN_WORDS_MIN: usize = 2;
/// Equal titles mean one story only within this many days; longer titles within more.
const TITLE_DAYS_MAX: i32 = 4;
const LONG_TITLE_WORDS: usize = 7;
const LONG_TITLE_DAYS_MAX: i32 = 10;
/// Minimum share of the shorter text's rare shingles for a copy. The constants below replace it in special cases.
const COPY_SHARE: f32 = 0.45;
/// For texts of similar length, where neither is a teaser.
const WHOLE_SHARE: f32 = 0.6;
/// The same where there are `MANY_PHRASES`: one word changed in ten leaves two thirds of the phrases, more or less.
const WHOLE_MANY_SHARE: f32 = 0.46;
/// A copy comes within this many days, or needs `SERIES_SHARE`.
const COPY_DAYS_MAX: i32 = 7;
const FEW_PHRASES: usize = 7;
const FEW_SHARE: f32 = 0.65;
const MANY_PHRASES: usize = 20;
const FRAME_SHARE: f32 = 0.75;
/// Two versions of one source are closer in text and in time.
const VERSION_SHARE: f32 = 0.6;
const VERSION_DAYS_MAX: i32 = 2;
const SERIES_SHARE: f32 = 0.8;
/// Minimum number of shared phrases where titles say nothing.
const SHARED_MIN: usize = 4;
/// Minimum share of a teaser's lead in the text it was cut from.
const LEAD_SHARE: f32 = 0.3;
/// Cannot be reached.
const NEVER: f32 = 1.1;
/// Below this share, two texts of one title are different texts.
const OTHER_SHARE: f32 = 0.15;
/// Minimum agreement of figures and names.
const FIGURES_SHARE: f32 = 0.5;

/// The share of phrases that two texts must have in common to be copies.
fn copy_share_min(a: &Sketch, b: &Sketch, titles: Titles, overlap: &Overlap) -> f32 {
    let is_same_source = a.source == b.source;
    let (short, long) = if a.words <= b.words { (a, b) } else { (b, a) };
    let is_far = days_between(a, b)
        .is_some_and(|days| days > if is_same_source { VERSION_DAYS_MAX } else { COPY_DAYS_MAX });
    let is_whole = short.words * 10 >= long.words * 6;
    let is_large = short.words * 10 >= long.words * 4;
    let needed = match (is_same_source, titles) {
        // Issues of a series are published at intervals and share much of their text.
        _ if is_far => SERIES_SHARE,
        (false, Titles::Frame) => FRAME_SHARE,
        (true, _) => VERSION_SHARE,
        (false, Titles::Apart) if overlap.lead < LEAD_SHARE && !is_large => NEVER,
        (false, Titles::Apart) if overlap.lead < LEAD_SHARE => FRAME_SHARE,
        (false, _) if is_whole && overlap.looked_at >= MANY_PHRASES => WHOLE_MANY_SHARE,
        (false, _) if is_whole => WHOLE_SHARE,
        (false, _) => COPY_SHARE,
    };
    // A small number of phrases is only significant if most are shared.
    if overlap.looked_at < FEW_PHRASES { FEW_SHARE.max(needed) } else { needed }
}

/// How sure an update is.
const UPDATE_SCORE: f32 = 0.9;

/// Whether one entry is a copy of the other. `is_rare` accepts shingles that few stories have and that are not boilerplate of a
/// source.
pub fn copy(a: &Sketch, b: &Sketch, is_rare: impl Fn(u32) -> bool) -> Comparison {
    let is_same_source = a.source == b.source;
    let titles = titles(a, b);
    let mut overlap = overlap(a, b, is_rare);
    if titles == Titles::Equal && !is_same_source {
        // An issue of a series republished by another source: all of the text counts, including what the series has in common.
        let whole = self::overlap(a, b, |_| true);
        overlap = if whole.share >= SERIES_SHARE { whole } else { overlap };
    }
    if is_same_source && !matches!(titles, Titles::Missing | Titles::NumbersDiffer) && is_update(a, b) {
        return yes(overlap.share.max(UPDATE_SCORE), Evidence::Updated);
    }
    if titles == Titles::NumbersDiffer {
        return no(overlap.share, Evidence::TitleNumbers);
    }
    if is_same_source && are_issues(a, b) {
        return no(overlap.share, Evidence::Issues);
    }
    if is_same_source && !matches!(titles, Titles::Equal | Titles::Within | Titles::Missing) {
        return no(overlap.share, Evidence::OtherTitle);
    }
    if titles == Titles::Frame && !is_same_source && names_part(a, b) {
        return no(overlap.share, Evidence::TitleNames);
    }
    if titles == Titles::Equal && is_later(a, b) && have_other_figures(a, b) {
        return no(overlap.share, Evidence::Issues);
    }
    if let Some(days) = days_between(a, b).filter(|days| *days > 0)
        && is_same_source
        && titles == Titles::Equal
        && a.words.max(b.words) <= TEASER_WORDS
    {
        // A source may post a notice under one title each month, and word it as it did before: "The minutes of the council".
        return no(overlap.share, Evidence::Days(days));
    }
    if have_texts(a, b)
        && overlap.looked_at > 0
        && let Some(comparison) = copy_by_text(a, b, titles, &overlap)
    {
        return comparison;
    }
    same_title(a, b, titles, overlap)
}

/// What the texts of two entries say; `None` if they leave it to equal titles.
fn copy_by_text(a: &Sketch, b: &Sketch, titles: Titles, overlap: &Overlap) -> Option<Comparison> {
    let figures = figures(a, b, titles);
    let needed = copy_share_min(a, b, titles, overlap);
    let shared_min = if titles == Titles::Apart { SHARED_MIN } else { SHARED_MIN.min(overlap.looked_at) };
    let is_enough = overlap.share >= needed && overlap.shared >= shared_min;
    let is_beyond_doubt =
        a.source != b.source && overlap.share >= SERIES_SHARE && overlap.looked_at >= MANY_PHRASES;
    if is_enough && figures < FIGURES_SHARE && !is_beyond_doubt {
        return Some(no(overlap.share, Evidence::Figures { share: figures }));
    }
    if is_enough {
        return Some(yes(overlap.share, Evidence::Text { share: overlap.share, shared: overlap.looked_at }));
    }
    if titles != Titles::Equal {
        let is_framed = titles == Titles::Frame && overlap.share >= COPY_SHARE;
        let few = Evidence::FewPhrases { share: overlap.share, shared: overlap.shared };
        return Some(no(overlap.share, if is_framed { Evidence::TitleFrame } else { few }));
    }
    (overlap.share < OTHER_SHARE).then(|| no(overlap.share, Evidence::OtherText))
}

/// Compares entries of which at least one has no comparable text.
fn same_title(a: &Sketch, b: &Sketch, titles: Titles, overlap: Overlap) -> Comparison {
    if titles != Titles::Equal {
        return no(overlap.share, Evidence::FewPhrases { share: overlap.share, shared: overlap.shared });
    }
    let count = a.title().count();
    if count < TITLE_WORDS_MIN {
        return no(0.5, Evidence::ShortTitle);
    }
    match days_between(a, b) {
        Some(days)
            if days > if count < LONG_TITLE_WORDS { TITLE_DAYS_MAX } else { LONG_TITLE_DAYS_MAX }
                || (days > 0 && a.source == b.source) =>
        {
            no(0.5, Evidence::Days(days))
        }
        None if a.source == b.source => no(0.5, Evidence::ShortTitle),
        _ => yes(0.9, Evidence::Title),
    }
}

/// Weight of a concept by its kind: names and figures are alike in all languages.
pub const CONCEPT_WEIGHTS: [f32; 4] = [1.0, 2.0, 0.7, 2.5];
/// Weight of a shared link or picture, in words.
pub const LINK_WEIGHT: f32 = 4.0;
/// Minimum weight of what a translation shares: a few shared words are not enough.
pub const TRANSLATION_WEIGHT_MIN: f32 = 2.5;
/// How likely a translation is: how alike it is by letters, and by names, figures and subjects with their weight; and how much more
/// than any other story, by letters with their weight. Chosen with texts of six languages in view.
const WORDS_WEIGHT: f32 = 1.2;
const LETTERS_MARGIN_WEIGHT: f32 = 0.3;
/// Titles alone are compared within so many days: those of yearly or monthly events are alike.
const TITLES_DAYS_MAX: i32 = 7;
/// What it adds that both came within a day.
const SAME_DAY_WEIGHT: f32 = 0.1;
/// The minimum of that, for texts of at least so many words: two short reports of one event share most of their names.
const TRANSLATION_MIN: [(u32, f32); 4] = [(60, 0.74), (35, 0.8), (1, 0.97), (0, 0.64)];
/// A translation has to be closer than any other story by this margin.
const RIVAL_MARGIN: f32 = 0.05;
/// Stories of one event share its names and figures, so words count separately too. Weights of the shares of all concepts, of
/// words, and of names and figures.
const NEARNESS_WEIGHTS: [f32; 3] = [0.5, 0.375, 0.125];

/// The similarity of two entries in different languages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConceptSimilarity {
    /// From 0 to 1.
    pub score: f32,
    /// Weight and number of the shared concepts.
    pub weight: f32,
    pub count: usize,
}

/// The similarity of two entries in different languages: the share of their concepts that they have in common.
pub fn nearness(a: &Sketch, b: &Sketch) -> ConceptSimilarity {
    let weight = |concept: MarkedHash| CONCEPT_WEIGHTS[concept.kind() as usize];
    let is_name = |concept: MarkedHash| usize::from(concept.kind() != WordKind::Word);
    // Of words first, then of names and figures.
    let totals = |sketch: &Sketch| {
        let mut totals = [0.0, 0.0];
        sketch.concepts().for_each(|concept| totals[is_name(concept)] += weight(concept));
        totals
    };
    let theirs: Vec<MarkedHash> = b.concepts().collect();
    let (mut shared, mut count) = ([0.0, 0.0], 0);
    for concept in a.concepts() {
        if let Ok(at) = theirs.binary_search_by_key(&concept.word(), |other| other.word()) {
            let heavier = if weight(concept) < weight(theirs[at]) { theirs[at] } else { concept };
            shared[is_name(heavier)] += weight(heavier);
            count += 1;
        }
    }
    let links =
        a.part(Part::Links).iter().filter(|link| b.part(Part::Links).binary_search(link).is_ok()).count()
            as f32
            * LINK_WEIGHT;
    let (ours, theirs) = (totals(a), totals(b));
    let share = |ours: f32, theirs: f32, shared: f32, links: f32| {
        let (shorter, longer) = (ours.min(theirs), ours.max(theirs));
        // A teaser has less to share than its text, so the shorter one counts more, but not alone.
        let of = shorter * 0.7 + longer.min(shorter * 3.0) * 0.3;
        (of > 0.0).then(|| ((shared + links) / (of + links)).min(1.0))
    };
    let all = share(ours[0] + ours[1], theirs[0] + theirs[1], shared[0] + shared[1], links).unwrap_or(0.0);
    let [words, names] =
        [0, 1].map(|kind| share(ours[kind], theirs[kind], shared[kind], links).unwrap_or(all));
    let score = [all, words, names].iter().zip(NEARNESS_WEIGHTS).map(|(share, weight)| share * weight).sum();
    ConceptSimilarity { score, weight: shared[0] + shared[1] + links, count }
}

/// How alike two entries in different languages are, by words and by letters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TranslationSimilarity {
    pub words: ConceptSimilarity,
    /// From 0 to 1.
    pub letters: f32,
    /// Whether they came within a day.
    pub is_same_day: bool,
}

impl TranslationSimilarity {
    fn total(&self) -> f32 {
        let day = if self.is_same_day { SAME_DAY_WEIGHT } else { 0.0 };
        self.words.score * WORDS_WEIGHT + self.letters + day
    }

    /// Of several, the greatest by both and the greatest by letters; nothing if there is none.
    pub fn greatest<'a>(all: impl Iterator<Item = &'a TranslationSimilarity>) -> (f32, f32) {
        all.fold((0.0, 0.0), |(total, letters), one| (one.total().max(total), one.letters.max(letters)))
    }
}

/// Whether two entries in different languages tell the same news; `rivals` are the greatest likenesses of any other story.
pub fn translation(
    a: &Sketch,
    b: &Sketch,
    likeness: &TranslationSimilarity,
    rivals: (f32, f32),
) -> Comparison {
    let TranslationSimilarity { words: ConceptSimilarity { score: share, weight, count }, letters, .. } =
        *likeness;
    let words = a.words.min(b.words);
    let days_max = if words == 0 { TITLES_DAYS_MAX } else { DAYS_MAX };
    if let Some(days) = days_between(a, b).filter(|&days| days > days_max) {
        return no(share, Evidence::Days(days));
    }
    if numbers_of_titles_differ(a, b) {
        return no(share, Evidence::TitleNumbers);
    }
    if words < TEXT_WORDS_MIN
        && a.title().count().min(b.title().count()) < TITLE_WORDS_MIN
        && share_little(a, b)
    {
        return no(share, Evidence::ShortTitle);
    }
    if have_nothing_in_common(a, b, Part::Numbers, 2) || have_nothing_in_common(a, b, Part::Names, 4) {
        return no(share, Evidence::Figures { share: 0.0 });
    }
    let (rival, rival_letters) = rivals;
    let certainty = likeness.total() + LETTERS_MARGIN_WEIGHT * (letters - rival_letters);
    let needed =
        TRANSLATION_MIN.iter().find(|(words_min, _)| words >= *words_min).map_or(NEVER, |(_, min)| *min);
    if certainty < needed || weight < TRANSLATION_WEIGHT_MIN {
        return no(share, Evidence::Unlike { share, letters });
    }
    if likeness.total() < rival + RIVAL_MARGIN {
        return no(share, Evidence::Rival { share, letters });
    }
    yes(share, Evidence::Translation { share, shared: count, letters })
}

/// Fewer words of a short title say nothing, unless one is a name.
const SHORT_TITLE_WORDS_MIN: usize = 3;

/// Whether two entries have nothing in common but a figure and a few words that any publisher uses: "Annual report 2025".
fn share_little(a: &Sketch, b: &Sketch) -> bool {
    let theirs: Vec<u32> = b.concepts().map(MarkedHash::word).collect();
    let (figures, words): (Vec<MarkedHash>, Vec<MarkedHash>) = a
        .concepts()
        .filter(|concept| theirs.contains(&concept.word()))
        .partition(|concept| matches!(concept.kind(), WordKind::Number | WordKind::Calendar));
    !figures.is_empty()
        && words.len() < SHORT_TITLE_WORDS_MIN
        && words.iter().all(|word| is_common_word(word.word()))
}

/// Whether both texts have at least `count_min` items in this part, and none in common.
fn have_nothing_in_common(a: &Sketch, b: &Sketch, part: Part, count_min: usize) -> bool {
    let (ours, theirs) = (a.part(part), b.part(part));
    ours.len().min(theirs.len()) >= count_min && ours.iter().all(|item| theirs.binary_search(item).is_err())
}

/// Whether both titles have numbers or dates and none in common: issues of a series.
fn numbers_of_titles_differ(a: &Sketch, b: &Sketch) -> bool {
    let numbers = |sketch: &Sketch| -> Vec<u32> {
        sketch
            .title()
            .filter(|word| matches!(word.kind(), WordKind::Number | WordKind::Calendar))
            .map(MarkedHash::word)
            .collect()
    };
    each_has_more(&numbers(a), &numbers(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedupe::sketch::{SketchInput, sketch};

    /// A text of made-up words.
    fn text(words: std::ops::Range<u32>) -> String {
        words.map(|word| format!("w{:x} ", word.wrapping_mul(0x9E37_79B1) >> 12)).collect()
    }

    #[test]
    fn an_overlap_counts_each_shared_shingle_once() {
        let of = |text: &str| sketch(&SketchInput { text, ..SketchInput::default() });
        let mixed = format!("{}{}{}", text(0..60), text(900..960), text(120..400));
        let pairs = [
            (text(0..400), text(0..400)),
            (text(0..400), mixed),
            (text(0..30), text(0..400)),
            (text(0..10), text(500..900)),
            (text(0..400), String::new()),
        ];
        for (a, b) in pairs {
            let (a, b) = (of(&a), of(&b));
            let (short, long) = if a.words <= b.words { (&a, &b) } else { (&b, &a) };
            let limit = short.threshold.min(long.threshold);
            let is_rare = |shingle: u32| !shingle.is_multiple_of(3);
            let is_looked_at =
                |shingle: &u32| (is_in_lead(shingle) || *shingle <= limit) && is_rare(*shingle);
            let shared = short.shingles().filter(is_looked_at).filter(|one| long.has_shingle(*one)).count();
            let in_lead = |one: &&u32| is_rare(**one) && long.part(Part::Lead).contains(one);
            let lead = short.part(Part::Lead).iter().filter(in_lead).count();
            let of = short.part(Part::Lead).iter().filter(|one| is_rare(**one)).count();
            let found = overlap(&a, &b, is_rare);
            assert_eq!((found.shared, (found.lead * of as f32).round() as usize), (shared, lead));
            assert!(found.share <= 1.0 && (found.share > 0.0) == (shared > 0), "{found:?}");
        }
    }
}
