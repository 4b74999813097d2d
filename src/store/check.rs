//! Whether what a store holds is whole: what the database itself can tell, and what every unit of work leaves true.

use super::Result;
use super::unit::{Read, Unit};

/// What must not be: each a query for the number of rows, and what they are.
const FAULTS: [(&str, &str); 15] = [
    ("SELECT count(*) FROM entry WHERE NOT EXISTS (SELECT 1 FROM story WHERE story.pk = entry.story)", "entries without a story"),
    ("SELECT count(*) FROM story WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.story = story.pk)", "stories without an entry"),
    ("SELECT count(*) FROM source WHERE entries <> (SELECT count(*) FROM entry WHERE entry.source = source.id)", "sources whose number of entries is wrong"),
    (
        "SELECT count(*) FROM entry WHERE NOT EXISTS (SELECT 1 FROM sketch WHERE sketch.entry = entry.pk)
         AND NOT EXISTS (SELECT 1 FROM unsketched WHERE unsketched.entry = entry.pk)",
        "entries that cannot be compared with others",
    ),
    ("SELECT count(*) FROM publication WHERE published < (SELECT max(seq) FROM published_story WHERE published_story.publication = publication.path)", "feeds that would use a number again"),
    (
        "SELECT count(*) FROM published_story WHERE NOT EXISTS (SELECT 1 FROM story WHERE story.pk = published_story.story)
         AND NOT EXISTS (SELECT 1 FROM dirty_story WHERE dirty_story.story = published_story.story)",
        "published stories that are gone",
    ),
    ("SELECT count(*) FROM subscriber WHERE seen > (SELECT coalesce(max(pk), 0) FROM entry)", "subscribers who would miss stories"),
    ("SELECT count(*) FROM digest_mark WHERE seen > (SELECT coalesce(max(pk), 0) FROM entry)", "digests that would miss stories"),
    ("SELECT count(*) FROM delivery WHERE state NOT IN ('pending', 'sending', 'sent', 'failed')", "deliveries in no known state"),
    ("SELECT count(*) FROM delivery WHERE NOT EXISTS (SELECT 1 FROM issue WHERE issue.pk = delivery.issue)", "deliveries of no issue"),
    ("SELECT count(*) FROM issue_story WHERE NOT EXISTS (SELECT 1 FROM issue WHERE issue.pk = issue_story.issue)", "stories told by no issue"),
    ("SELECT count(*) FROM source_day WHERE entries < 1", "days of sources on which they brought less than an entry"),
    ("SELECT count(*) FROM campaign WHERE state NOT IN ('scheduled', 'sending', 'sent', 'cancelled')", "campaigns in no known state"),
    ("SELECT count(*) FROM campaign WHERE state IN ('sending', 'sent') AND issue IS NULL OR (ended IS NULL) <> (state IN ('scheduled', 'sending'))", "campaigns that are neither waiting, under way nor over"),
    ("SELECT count(*) FROM ruling WHERE a >= b", "rulings the wrong way round"),
];

/// What is wrong, in words; empty if nothing is.
pub(super) fn faults(unit: &Unit<Read>) -> Result<Vec<String>> {
    let mut faults = unit.db.damage()?;
    for (sql, what) in FAULTS {
        let count: i64 = unit.db.one(sql, [], |row| row.get(0))?;
        if count > 0 {
            faults.push(format!("{count} {what}"));
        }
    }
    Ok(faults)
}
