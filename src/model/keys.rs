//! The numbers by which the store knows things. Each kind is a type of its own, so that none is taken for another.

use std::fmt;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
            pub struct $name(pub i64);

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }
        )*
    };
}

keys! {
    /// An entry, by its place in the order in which entries became visible.
    EntryKey;
    /// A story.
    StoryKey;
    /// An issue of a digest.
    IssueKey;
    /// One issue to one recipient.
    DeliveryKey;
    /// The number of a story in a publication: the order in which they came into it.
    Seq;
}

impl EntryKey {
    /// Where somebody stands who has seen nothing yet.
    pub const BEFORE_ALL: EntryKey = EntryKey(0);
    /// Where somebody stands who has seen all that may ever come.
    pub const MAX: EntryKey = EntryKey(i64::MAX);
}

impl Seq {
    /// The last number of a publication that has no story yet.
    pub const BEFORE_ALL: Seq = Seq(0);
}
