//! Listing pages without selectors: finds the cards by what they have in common. Links that stand alike are a group;
//! groups that lead to the same addresses are one listing; the listing that reads most like news wins. What was found is
//! frozen into selectors that an operator can read.

mod cards;
mod groups;
mod links;
mod selectors;
mod structured;

use super::page::Page;
use super::prose_date::DateRules;
use super::{PageReading, Way};

impl Page {
    /// Finds the cards of a listing by itself.
    pub fn mine(&self, rules: DateRules) -> PageReading {
        let mut feed = self.catalog();
        let listing = groups::best_listing(self);
        let cards = listing.as_ref().map(|listing| cards::cards(self, listing)).unwrap_or_default();
        let mined = cards::entries(self, &cards, rules);
        let structured = structured::entries(self, rules);
        if structured.len() >= 3 && structured.len() * 10 >= mined.len() * 8 {
            feed.entries = structured;
            return PageReading { feed, way: Some(Way::StructuredData), select: None };
        }
        if mined.is_empty() {
            feed.problems.push("no listing was found on this page: it needs a [source.select]".into());
            return PageReading { feed, way: None, select: None };
        }
        let select = selectors::freeze(self, &cards, &mined, rules);
        feed.entries = mined;
        PageReading { feed, way: Some(Way::Records), select }
    }
}
