//! Reads campaigns: files of Markdown (CommonMark) with front matter (TOML between lines of `+++`). Makes HTML and text of them. Pure;
//! the HTML is not safe yet.

mod mail_style;
mod markdown;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

pub use self::mail_style::with_mail_style;
pub use self::markdown::{html, text};
use crate::model::digest::SUBJECT_CHARS_MAX;
use crate::support::i18n;
use crate::support::text::{hex, one_line};

/// Length of a file: mail programs cut off what is longer than half of it.
pub const FILE_BYTES_MAX: usize = 200_000;
/// What stands before and after the front matter.
const FENCE: &str = "+++";

/// A campaign as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignFile {
    pub subject: String,
    pub audience: CampaignAudience,
    /// Interface language of the words around the text; that of the channel without it.
    pub language: Option<String>,
    /// Whether it has no web version.
    pub is_private: bool,
    pub markdown: String,
}

/// Whom a campaign is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampaignAudience {
    /// The id of a `[[segment]]`.
    Segment(String),
    /// A query for subscribers.
    Where(String),
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct CampaignFault {
    /// Starting at 1.
    pub line: usize,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    subject: String,
    segment: Option<String>,
    r#where: Option<String>,
    language: Option<String>,
    #[serde(default)]
    private: bool,
}

/// A fingerprint of a file: the same file is the same campaign.
pub fn fingerprint(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it first.
pub fn parse(text: &str) -> Result<CampaignFile, CampaignFault> {
    let fault = |line: usize, message: &str| CampaignFault { line, message: message.to_owned() };
    if text.len() > FILE_BYTES_MAX {
        return Err(fault(1, &format!("the file is longer than {} kB", FILE_BYTES_MAX / 1_000)));
    }
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let (head, markdown) = parts(&text)?;
    let matter: FrontMatter = toml::from_str(head).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(head.len()));
        fault(2 + head[..at].matches('\n').count(), &one_line(error.message()))
    })?;
    let line_of = |key: &str| {
        let is_key = |line: &str| {
            line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        2 + head.lines().position(is_key).unwrap_or(0)
    };
    let subject = one_line(&matter.subject);
    let chars = subject.chars().count();
    if subject.is_empty() {
        return Err(fault(line_of("subject"), "subject is empty"));
    }
    if chars > SUBJECT_CHARS_MAX {
        let message = format!("subject has {chars} characters, and mail programs show {SUBJECT_CHARS_MAX}");
        return Err(fault(line_of("subject"), &message));
    }
    let audience = match (matter.segment, matter.r#where) {
        (Some(id), None) => CampaignAudience::Segment(id),
        (None, Some(query)) => CampaignAudience::Where(query),
        (None, None) => {
            let message = "say for whom it is: segment = \"ID\", or where = \"tag = member\"; where = \"all\" is everybody";
            return Err(fault(1, message));
        }
        (Some(_), Some(_)) => {
            let message = "segment and where are both there: write one, or where = \"segment = ID and …\"";
            return Err(fault(line_of("where"), message));
        }
    };
    let language = matter.language.as_deref().map(i18n::parse_interface_language).transpose();
    let language = language.map_err(|message| fault(line_of("language"), &format!("language: {message}")))?;
    if markdown.trim().is_empty() {
        return Err(fault(head.matches('\n').count() + 3, "there is no text"));
    }
    let is_private = matter.private;
    Ok(CampaignFile { subject, audience, language, is_private, markdown: markdown.to_owned() })
}

/// The front matter of a file, and the text.
fn parts(text: &str) -> Result<(&str, &str), CampaignFault> {
    let fault = |line: usize, message: &str| CampaignFault { line, message: message.to_owned() };
    let Some(rest) =
        text.strip_prefix(FENCE).and_then(|rest| rest.trim_start_matches(' ').strip_prefix('\n'))
    else {
        let is_other = text.starts_with("---");
        let why = if is_other {
            "the front matter stands between lines of ---, which is YAML"
        } else {
            "there is no front matter"
        };
        return Err(fault(
            1,
            &format!(
                "{why}: begin with a line of {FENCE}, then subject = \"…\" and where = \"…\", then a line of {FENCE}"
            ),
        ));
    };
    let mut start = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == FENCE {
            return Ok((&rest[..start], &rest[start + line.len()..]));
        }
        start += line.len();
    }
    Err(fault(1, &format!("the front matter does not end: write a line of {FENCE} after it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_front_matter() {
        let text = "+++\r\nsubject = \"Hello  you\"\r\nwhere = \"tag = vip\"\r\nlanguage = \"es\"\r\nprivate = true\r\n+++\r\n\r\n# Hi\r\n+++\r\n";
        let file = parse(text).unwrap();
        assert_eq!(
            (file.subject.as_str(), file.language.as_deref(), file.is_private),
            ("Hello you", Some("es"), true)
        );
        assert_eq!(file.audience, CampaignAudience::Where("tag = vip".into()));
        assert_eq!(file.markdown, "\n# Hi\n+++\n");
        let file = parse("+++\nsubject = \"S\"\nsegment = \"x\"\n+++\nText").unwrap();
        assert_eq!((file.audience, file.is_private), (CampaignAudience::Segment("x".into()), false));
        assert_ne!(fingerprint("a"), fingerprint("b"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let long = format!("+++\nwhere = \"all\"\nsubject = \"{}\"\n+++\nx", "x".repeat(79));
        for (text, want) in [
            ("# Hi", "line 1: there is no front matter: begin with"),
            ("---\nsubject: x\n---\n", "line 1: the front matter stands between lines of ---, which is YAML"),
            ("+++\nsubject = \"x\"\n", "line 1: the front matter does not end"),
            ("+++\nsubject = \"x\"\n+++\nHi", "line 1: say for whom it is"),
            ("+++\nwhere = \"all\"\n+++\nHi", "line 2: missing field `subject`"),
            ("+++\nwhere = \"all\"\nsubject = \"  \"\n+++\nHi", "line 3: subject is empty"),
            (&long, "line 3: subject has 79 characters"),
            (
                "+++\nsubject = \"x\"\nwhere = \"all\"\nsubjekt = 1\n+++\nHi",
                "line 4: unknown field `subjekt`",
            ),
            ("+++\nsubject = \"x\"\nwhere = \"all\n+++\nHi", "line 3: "),
            ("+++\nsubject = \"x\"\nsegment = \"a\"\nwhere = \"all\"\n+++\nHi", "line 4: segment and where"),
            (
                "+++\nsubject = \"x\"\nwhere = \"all\"\nlanguage = \"xx\"\n+++\nHi",
                "line 4: language: the interface",
            ),
            ("+++\nsubject = \"x\"\nwhere = \"all\"\n+++\n \n", "line 5: there is no text"),
        ] {
            let fault = parse(text).unwrap_err().to_string();
            assert!(fault.starts_with(want), "{text}: {fault}");
        }
        assert!(parse(&"x".repeat(FILE_BYTES_MAX + 1)).is_err());
    }
}
