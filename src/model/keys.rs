//! Row numbers of the store. Each kind has its own type, so that they cannot be mixed up.

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
    /// An entry; keys are in the order in which entries became visible.
    EntryKey;
    /// A story.
    StoryKey;
    /// An issue of a digest.
    IssueKey;
    /// A delivery.
    DeliveryKey;
    /// The next issue of a digest, as editors shape it.
    DraftKey;
    /// A ruling of an editor; keys are in the order in which they were made.
    RulingKey;
    /// An alarm.
    AlarmKey;
    /// A mail that somebody wrote for a part of the list.
    CampaignKey;
    /// What a partner proposes; keys are in the order in which it came.
    ProposalKey;
    /// What goes to an outlet; keys are in the order in which it was queued.
    PostKey;
    /// The number of a story in a publication, in the order of publication.
    Seq;
}

impl EntryKey {
    /// The mark of a reader who has seen nothing yet.
    pub const BEFORE_ALL: EntryKey = EntryKey(0);
    /// The mark of a reader who has seen everything, now and later.
    pub const MAX: EntryKey = EntryKey(i64::MAX);
}

impl Seq {
    /// The last number of a publication without stories.
    pub const BEFORE_ALL: Seq = Seq(0);
}
