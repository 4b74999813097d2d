//! The grammar of queries for subscribers.
//!
//! ```text
//! query     = part { "or" part }
//! part      = factor { "and" factor }
//! factor    = "not" factor | "(" query ")" | "all" | test
//! test      = field ( "=" | "!=" ) value | field [ "not" ] "in" "(" value { "," value } ")"
//!           | "attribute." NAME ( "<" | "<=" | ">" | ">=" ) value
//!           | ( "subscribed" | "consented" ) ( "before" | "after" ) time
//! field     = "language" | "stories" | "topic" | "partner" | "cadence" | "state" | "domain" | "tag" | "segment" | "attribute." NAME
//! time      = 2022-10-17 | 2022-10-17T08:00:00Z | 90d (that many days ago)
//! value     = a word, or any text in double quotes, in which \ stands before " and \
//! ```

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::{SegmentQuery, SubscriberSegment, SubscriberTest, TimeBound, TimeSide, ValueRelation};
use crate::model::profile::{parse_name, parse_tag, parse_value};
use crate::model::subscriber::{SubscriberState, SubscriptionOptions};
use crate::support::text::{did_you_mean, is_language_tag};

/// Length of what somebody may write, in characters.
const TEXT_CHARS_MAX: usize = 4_000;
/// How deep a query may be nested, with the segments that it names: evaluating it takes as much of the stack.
pub const DEPTH_MAX: usize = 64;
/// Tests of one query, with those of the segments that it names: so many are evaluated for each subscriber.
const TESTS_MAX: usize = 1_000;
/// A span that is longer is a slip of the pen.
const DAYS_MAX: u32 = 100 * 366;

const FIELDS: [&str; 11] = [
    "language",
    "stories",
    "topic",
    "partner",
    "cadence",
    "state",
    "domain",
    "tag",
    "segment",
    "subscribed",
    "consented",
];
const CADENCES: [&str; 4] = ["instant", "daily", "weekly", "monthly"];

/// What a query may name.
#[derive(Debug, Clone, Copy)]
pub struct SegmentNames<'a> {
    pub options: &'a SubscriptionOptions,
    pub segments: &'a [SubscriberSegment],
}

impl SegmentQuery {
    /// Parses a query that somebody wrote; it may name what is configured.
    ///
    /// # Errors
    /// In words, with the place.
    pub fn parse(text: &str, names: SegmentNames) -> Result<SegmentQuery, String> {
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(format!("the query has more than {TEXT_CHARS_MAX} characters"));
        }
        QueryParser::new(text, Some(names))?.whole()
    }

    /// Parses a query that was written by [`ToString`]; what it names may be gone from the configuration.
    ///
    /// # Errors
    /// In words, when it was not.
    pub fn parse_stored(text: &str) -> Result<SegmentQuery, String> {
        QueryParser::new(text, None)?.whole()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum QueryToken {
    Word(String),
    Quoted(String),
    /// One of `( ) , = != < <= > >=`.
    Sign(&'static str),
    End,
}

impl QueryToken {
    fn shown(&self) -> String {
        match self {
            QueryToken::Word(word) => format!("\"{word}\""),
            QueryToken::Quoted(text) => format!("the text \"{text}\""),
            QueryToken::Sign(sign) => format!("\"{sign}\""),
            QueryToken::End => "the end".to_owned(),
        }
    }
}

const SIGNS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// A token, and where it begins, in characters from 1.
type PlacedToken = (QueryToken, usize);

/// The tokens of a query.
fn tokens(text: &str) -> Result<Vec<PlacedToken>, String> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    let place = |rest: &str| text[..text.len() - rest.len()].chars().count() + 1;
    loop {
        rest = rest.trim_start();
        let at = place(rest);
        let Some(first) = rest.chars().next() else { break };
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push((QueryToken::Sign(sign), at));
            rest = &rest[sign.len()..];
        } else if first == '"' {
            let (value, after) =
                quoted_text(&rest[1..]).ok_or_else(|| fault(at, "this quote is not closed"))?;
            tokens.push((QueryToken::Quoted(value), at));
            rest = after;
        } else {
            let ends = |c: char| c.is_whitespace() || "()=!<>,\"".contains(c);
            let end = rest.find(ends).unwrap_or(rest.len());
            if end == 0 {
                return Err(fault(at, format!("{first} has no meaning here")));
            }
            tokens.push((QueryToken::Word(rest[..end].to_owned()), at));
            rest = &rest[end..];
        }
    }
    tokens.push((QueryToken::End, text.chars().count() + 1));
    Ok(tokens)
}

/// A text up to its closing quote, and what follows that.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn fault(at: usize, message: impl std::fmt::Display) -> String {
    format!("{message} (at character {at})")
}

struct QueryParser<'a> {
    tokens: Vec<PlacedToken>,
    next: usize,
    depth: usize,
    names: Option<SegmentNames<'a>>,
}

impl<'a> QueryParser<'a> {
    fn new(text: &str, names: Option<SegmentNames<'a>>) -> Result<QueryParser<'a>, String> {
        Ok(QueryParser { tokens: tokens(text)?, next: 0, depth: 0, names })
    }

    fn whole(mut self) -> Result<SegmentQuery, String> {
        if self.tokens.len() == 1 {
            return Err("the query is empty: \"all\" is everybody".into());
        }
        let query = self.query()?;
        if self.tokens[self.next].0 != QueryToken::End {
            return Err(self.unexpected("\"and\", \"or\" or the end"));
        }
        if query.size() > TESTS_MAX {
            return Err(format!("with the segments that it names, it has more than {TESTS_MAX} tests"));
        }
        if query.depth() > DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX}"));
        }
        Ok(query)
    }

    fn at(&self) -> usize {
        self.tokens[self.next].1
    }

    /// The next token, which stays the end once that is reached.
    fn take(&mut self) -> QueryToken {
        let token = self.tokens[self.next].0.clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.tokens[self.next].0, QueryToken::Word(own) if own.eq_ignore_ascii_case(word))
    }

    fn took_word(&mut self, word: &str) -> bool {
        let is_next = self.is_word(word);
        self.next += usize::from(is_next);
        is_next
    }

    fn took_sign(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens[self.next].0, QueryToken::Sign(own) if own == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn unexpected(&self, wanted: &str) -> String {
        let (token, at) = &self.tokens[self.next];
        fault(*at, format!("{} stands where {wanted} has to", token.shown()))
    }

    fn query(&mut self) -> Result<SegmentQuery, String> {
        self.joined("or", QueryParser::part, SegmentQuery::Either)
    }

    fn part(&mut self) -> Result<SegmentQuery, String> {
        self.joined("and", QueryParser::factor, SegmentQuery::Both)
    }

    /// One or more parts with a word between them.
    fn joined(
        &mut self,
        word: &str,
        read: fn(&mut Self) -> Result<SegmentQuery, String>,
        join: fn(Vec<SegmentQuery>) -> SegmentQuery,
    ) -> Result<SegmentQuery, String> {
        let first = read(self)?;
        let mut parts = vec![first];
        while self.took_word(word) {
            parts.push(read(self)?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                join(parts)
            }
        })
    }

    fn factor(&mut self) -> Result<SegmentQuery, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX + 1 {
            return Err(fault(self.at(), format!("it is nested deeper than {DEPTH_MAX}")));
        }
        let factor = if self.took_word("not") {
            SegmentQuery::Not(Box::new(self.factor()?))
        } else if self.took_sign("(") {
            let query = self.query()?;
            if !self.took_sign(")") {
                return Err(self.unexpected("\")\""));
            }
            query
        } else if self.took_word("all") {
            SegmentQuery::All
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(factor)
    }

    fn test(&mut self) -> Result<SegmentQuery, String> {
        let at = self.at();
        let QueryToken::Word(field) = &self.tokens[self.next].0 else {
            return Err(self.unexpected("a field, such as language or tag,"));
        };
        let field = field.to_lowercase();
        if !FIELDS.contains(&field.as_str()) && !field.starts_with("attribute.") {
            let near = did_you_mean(&field, FIELDS);
            let known = || format!(": there are {} and attribute.NAME", FIELDS.join(", "));
            let more = if near.is_empty() { known() } else { near };
            return Err(fault(at, format!("\"{field}\" is no field{more}")));
        }
        self.next += 1;
        if let "subscribed" | "consented" = field.as_str() {
            return self.time_test(&field);
        }
        if let Some(name) = field.strip_prefix("attribute.") {
            let name = parse_name(name).map_err(|message| fault(at, message))?;
            if let Some(relation) = self.relation() {
                let value = self.attribute_value()?;
                return Ok(SegmentQuery::Is(SubscriberTest::Attribute { name, relation, value }));
            }
            return self.comparison(|parser| {
                let (relation, value) = (ValueRelation::Equal, parser.attribute_value()?);
                Ok(SegmentQuery::Is(SubscriberTest::Attribute { name: name.clone(), relation, value }))
            });
        }
        self.comparison(|parser| parser.named(&field))
    }

    /// `=`, `!=`, `in (…)` or `not in (…)`, and what is compared with.
    fn comparison(
        &mut self,
        value: impl Fn(&mut Self) -> Result<SegmentQuery, String>,
    ) -> Result<SegmentQuery, String> {
        if self.took_sign("=") {
            return value(self);
        }
        if self.took_sign("!=") {
            return Ok(SegmentQuery::Not(Box::new(value(self)?)));
        }
        let is_not = self.took_word("not");
        if !self.took_word("in") {
            return Err(self.unexpected(if is_not { "\"in\"" } else { "\"=\", \"!=\" or \"in\"" }));
        }
        if !self.took_sign("(") {
            return Err(self.unexpected("\"(\""));
        }
        let mut any = vec![value(self)?];
        while self.took_sign(",") {
            any.push(value(self)?);
        }
        if !self.took_sign(")") {
            return Err(self.unexpected("\",\" or \")\""));
        }
        let any = if any.len() == 1 { any.remove(0) } else { SegmentQuery::Either(any) };
        Ok(if is_not { SegmentQuery::Not(Box::new(any)) } else { any })
    }

    fn relation(&mut self) -> Option<ValueRelation> {
        let signs = [
            ("<=", ValueRelation::LessOrEqual),
            (">=", ValueRelation::GreaterOrEqual),
            ("<", ValueRelation::Less),
            (">", ValueRelation::Greater),
        ];
        signs.into_iter().find(|(sign, _)| self.took_sign(sign)).map(|(_, relation)| relation)
    }

    fn value(&mut self) -> Result<(String, usize), String> {
        let at = self.at();
        match &self.tokens[self.next].0 {
            QueryToken::Word(_) | QueryToken::Quoted(_) => {}
            _ => return Err(self.unexpected("a value")),
        }
        match self.take() {
            QueryToken::Word(text) | QueryToken::Quoted(text) => Ok((text, at)),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn attribute_value(&mut self) -> Result<String, String> {
        let (text, at) = self.value()?;
        parse_value(&text).map_err(|message| fault(at, message))
    }

    /// The test that a field has a value.
    fn named(&mut self, field: &str) -> Result<SegmentQuery, String> {
        let (text, at) = self.value()?;
        self.test_of(field, text).map_err(|message| fault(at, message))
    }

    fn test_of(&self, field: &str, text: String) -> Result<SegmentQuery, String> {
        Ok(SegmentQuery::Is(match field {
            "language" => SubscriberTest::Language(language(text)?),
            "stories" => SubscriberTest::Stories(language(text)?),
            "topic" => SubscriberTest::Topic(self.known(text, "topic", |options| &options.topics)?),
            "partner" => SubscriberTest::Partner(self.known(text, "partner", |options| &options.partners)?),
            "cadence" if CADENCES.contains(&text.as_str()) => SubscriberTest::Cadence(text),
            "cadence" => {
                return Err(format!("\"{text}\" is no cadence: write {}", CADENCES.join(", ")));
            }
            "state" => {
                let names = SubscriberState::ALL.map(SubscriberState::as_str).join(", ");
                let state = SubscriberState::parse(&text);
                SubscriberTest::State(state.ok_or_else(|| format!("\"{text}\" is no state: write {names}"))?)
            }
            "domain" => SubscriberTest::Domain(text.trim_start_matches('@').to_lowercase()),
            "tag" => SubscriberTest::Tag(parse_tag(&text)?),
            _ => return self.segment(&text),
        }))
    }

    fn known(
        &self,
        text: String,
        what: &str,
        known: impl Fn(&SubscriptionOptions) -> &Vec<String>,
    ) -> Result<String, String> {
        let Some(names) = self.names else { return Ok(text) };
        let known = known(names.options);
        if known.contains(&text) {
            return Ok(text);
        }
        Err(format!(
            "no {what} is called \"{text}\"{}",
            did_you_mean(&text, known.iter().map(String::as_str))
        ))
    }

    /// The query of a configured segment.
    fn segment(&self, id: &str) -> Result<SegmentQuery, String> {
        let segments = self.names.map_or(&[][..], |names| names.segments);
        let found = segments.iter().find(|segment| segment.id == id);
        found.map(|segment| segment.query.clone()).ok_or_else(|| {
            let near = did_you_mean(id, segments.iter().map(|segment| segment.id.as_str()));
            format!("no [[segment]] above has the id \"{id}\"{near}")
        })
    }

    fn time_test(&mut self, field: &str) -> Result<SegmentQuery, String> {
        let side = if self.took_word("before") {
            TimeSide::Before
        } else if self.took_word("after") {
            TimeSide::After
        } else {
            return Err(self.unexpected("\"before\" or \"after\""));
        };
        let (text, at) = self.value()?;
        let bound = time_bound(&text).ok_or_else(|| {
            fault(at, format!("\"{text}\" is no time: write 2022-10-17, 2022-10-17T08:00:00Z or 90d"))
        })?;
        Ok(SegmentQuery::Is(match field {
            "subscribed" => SubscriberTest::Subscribed(side, bound),
            _ => SubscriberTest::Consented(side, bound),
        }))
    }
}

fn language(text: String) -> Result<String, String> {
    if is_language_tag(&text) {
        Ok(text)
    } else {
        Err(format!("\"{text}\" is no language: write a tag such as es or pt-BR"))
    }
}

fn time_bound(text: &str) -> Option<TimeBound> {
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        return (days <= DAYS_MAX).then_some(TimeBound::DaysAgo(days));
    }
    let day = || TimeZone::UTC.to_timestamp(text.parse::<Date>().ok()?.to_datetime(Time::midnight())).ok();
    // A date would be read as a time as well, without its hour.
    let is_day = text.len() == 10;
    let at = if is_day { day() } else { text.parse::<Timestamp>().ok() };
    at.map(TimeBound::At)
}
