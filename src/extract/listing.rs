//! Listing pages without selectors: finds the cards by what they have in common.

use super::page::Page;
use super::prose_date::DateRules;
use crate::model::feed::RawFeed;
use crate::model::source::Select;

impl Page {
    /// Finds the cards of a listing by itself.
    pub fn mine_cards(&self, rules: DateRules) -> RawFeed {
        self.read_cards(&Select { item: "article".into(), ..Select::default() }, rules)
    }
}
