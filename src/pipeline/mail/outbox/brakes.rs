//! The brakes of a run, one for each kind of mail: what is refused of one stops and shows nothing of another. Anybody can cause
//! confirmations that are refused; they must not cost a list anything.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::digest::DigestId;
use crate::pipeline::mail::brake::Brake;

pub(super) struct Brakes {
    pub(super) lists: Brake,
    confirmations: Brake,
    welcomes: Brake,
    own: Brake,
}

/// Whom the mail of a brake is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    Lists,
    Strangers,
    Operator,
}

/// What a server took in a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AcceptedMail {
    pub(super) for_lists: bool,
    pub(super) any: bool,
}

impl Brakes {
    /// `paused` are domains that an earlier run stopped sending the mail of lists to, and why.
    pub(super) fn new(refusals_max: usize, paused: &[(String, String)]) -> Brakes {
        let brake = |paused| Brake::new(refusals_max, paused);
        Brakes { lists: brake(paused), confirmations: brake(&[]), welcomes: brake(&[]), own: brake(&[]) }
    }

    pub(super) fn of(&self, digest: &DigestId) -> &Brake {
        match digest {
            DigestId::Configured(_) | DigestId::Personal | DigestId::Campaign | DigestId::Reengagement => {
                &self.lists
            }
            DigestId::Confirmation => &self.confirmations,
            DigestId::Welcome => &self.welcomes,
            DigestId::Operator | DigestId::Answer | DigestId::Draft | DigestId::Partner => &self.own,
        }
    }

    pub(super) fn all(&self) -> [(&Brake, Audience); 4] {
        [
            (&self.lists, Audience::Lists),
            (&self.confirmations, Audience::Strangers),
            (&self.welcomes, Audience::Strangers),
            (&self.own, Audience::Operator),
        ]
    }

    /// The servers that answered in this run.
    pub(super) fn servers(&self) -> BTreeMap<usize, AcceptedMail> {
        let mut servers: BTreeMap<usize, AcceptedMail> = BTreeMap::new();
        for (brake, audience) in self.all() {
            for (server, has_taken) in brake.servers() {
                let taken = servers.entry(server).or_default();
                taken.any |= has_taken;
                taken.for_lists |= has_taken && audience == Audience::Lists;
            }
        }
        servers
    }

    /// Why mail to strangers waits, if that is about us; `taken` is when mail of a list was last taken.
    pub(super) fn trouble_with_strangers(&self, taken: Option<Timestamp>) -> Option<String> {
        let strangers = [&self.confirmations, &self.welcomes];
        strangers.into_iter().find_map(|brake| brake.trouble_with_strangers(taken))
    }
}
