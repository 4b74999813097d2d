//! What became of each delivery, and what a run that sent many has to tell.

use crate::model::digest::DeliveryState;
use crate::store::WhyHandedBack;
use crate::support::text::many;

/// Different reasons told; the rest is counted.
const REASONS_MAX: usize = 50;

/// The results of the deliveries that were due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub sent: u64,
    pub deferred: u64,
    pub refused: u64,
    /// Why mail waits for the operator: the server refuses us, or cannot be reached.
    pub held_up: Option<String>,
    /// Why messages were not sent, with counts, most frequent first.
    pub reasons: Vec<(String, u64)>,
    /// Those of `sent` that are not for the operator.
    pub sent_to_lists: u64,
    /// Those that anybody can cause, by asking for mail in a sign-up.
    pub to_strangers: Attempts,
    /// What is to be told of this run: why mail waits that is not its recipients' to mend.
    pub trouble: Option<String>,
    /// One of several servers was left out, or takes mail again: the operator is to hear of it.
    pub is_server_news: bool,
    /// Why a message waits that is not the recipients'.
    pub(super) put_off: Option<String>,
}

/// Numbers of attempts by their result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    pub sent: u64,
    pub deferred: u64,
    pub refused: u64,
}

impl Deliveries {
    /// Whether none of the messages tried was sent.
    pub fn is_none_sent(&self) -> bool {
        let by_strangers = self.to_strangers.deferred + self.to_strangers.refused;
        self.sent == 0 && self.deferred + self.refused > by_strangers
    }

    /// What was not sent, in one line; `None` if everything was.
    pub fn unsent(&self) -> Option<String> {
        let (reason, count) = self.reasons.first()?;
        let others = match self.reasons.len() - 1 {
            0 => String::new(),
            n => format!(" ({count} times, and {})", many(n, "other reason", "other reasons")),
        };
        Some(format!("{} deferred, {} refused: {reason}{others}", self.deferred, self.refused))
    }

    pub(super) fn count(&mut self, outcome: DeliveryOutcome, is_to_stranger: bool) {
        let (sent, deferred, refused) = (self.sent, self.deferred, self.refused);
        self.add(outcome);
        if is_to_stranger {
            self.to_strangers.sent += self.sent - sent;
            self.to_strangers.deferred += self.deferred - deferred;
            self.to_strangers.refused += self.refused - refused;
        }
    }

    fn add(&mut self, outcome: DeliveryOutcome) {
        match outcome {
            DeliveryOutcome::HandedBack(_) | DeliveryOutcome::Withheld(..) | DeliveryOutcome::InDoubt(_) => {}
            DeliveryOutcome::PutOff(_, reason, is_held) => {
                self.deferred += 1;
                self.count_reason(&reason);
                if is_held {
                    self.put_off.get_or_insert(reason);
                }
            }
            DeliveryOutcome::Sent(_, is_for_list) => {
                self.sent += 1;
                self.sent_to_lists += u64::from(is_for_list);
            }
            DeliveryOutcome::Deferred(_, reason) | DeliveryOutcome::Unsure(_, reason) => {
                self.deferred += 1;
                self.count_reason(&reason);
            }
            DeliveryOutcome::Refused(_, reason) => {
                self.refused += 1;
                self.count_reason(&reason);
            }
        }
    }

    fn count_reason(&mut self, reason: &str) {
        let has_room = self.reasons.len() < REASONS_MAX;
        match self.reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None if has_room => self.reasons.push((reason.to_owned(), 1)),
            None => {}
        }
    }
}

/// What became of a delivery.
#[derive(Clone)]
pub(super) enum DeliveryOutcome {
    /// Whether it is for somebody else than the operator.
    Sent(String, bool),
    Deferred(String, String),
    /// It was handed over, nobody knows whether it was taken, and it is tried again.
    Unsure(String, String),
    Refused(String, String),
    /// The recipient has left in the meantime; no server was contacted.
    Withheld(String, String),
    /// Nothing of it was sent: it is as if it had not been claimed.
    HandedBack(String),
    /// It waits for reasons that are not the recipient's, and is not counted as an attempt; whether it waits for the operator.
    PutOff(String, String, bool),
    /// Its recipient was refused: it waits until it is known whether that is to be believed.
    InDoubt(WhyHandedBack),
}

impl DeliveryOutcome {
    /// The state to store; `None` if it does not change.
    pub(super) fn state(&self) -> Option<(DeliveryState, Option<&str>)> {
        match self {
            DeliveryOutcome::Sent(..) => Some((DeliveryState::Sent, None)),
            DeliveryOutcome::Deferred(_, reason) | DeliveryOutcome::Unsure(_, reason) => {
                Some((DeliveryState::Pending, Some(reason)))
            }
            DeliveryOutcome::Refused(_, reason) | DeliveryOutcome::Withheld(_, reason) => {
                Some((DeliveryState::Failed, Some(reason)))
            }
            DeliveryOutcome::HandedBack(_) | DeliveryOutcome::PutOff(..) | DeliveryOutcome::InDoubt(_) => {
                None
            }
        }
    }

    /// What is to be told of it at once; of what is in doubt, that is decided later.
    pub(super) fn immediate(&self) -> Option<DeliveryOutcome> {
        (!matches!(self, DeliveryOutcome::InDoubt(_))).then(|| self.clone())
    }

    /// Why it was not sent.
    pub(super) fn reason(&self) -> Option<&str> {
        self.state().and_then(|(_, reason)| reason)
    }

    pub(super) fn why_handed_back(&self) -> Option<WhyHandedBack> {
        match self {
            DeliveryOutcome::PutOff(_, reason, false) => {
                Some(WhyHandedBack::InDoubt { reason: reason.clone(), since: None })
            }
            DeliveryOutcome::PutOff(_, reason, true) => Some(WhyHandedBack::NotTheirs(reason.clone())),
            DeliveryOutcome::InDoubt(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// One line for all of them is enough where nobody asks for more.
    pub(super) fn log(&self) {
        match self {
            DeliveryOutcome::Sent(id, _) => tracing::info!(delivery.id = id, "delivered"),
            DeliveryOutcome::Deferred(id, reason) | DeliveryOutcome::Unsure(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery deferred")
            }
            DeliveryOutcome::Refused(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery refused")
            }
            DeliveryOutcome::Withheld(id, reason) => {
                tracing::info!(delivery.id = id, reason, "delivery withheld")
            }
            DeliveryOutcome::HandedBack(id) => {
                tracing::info!(delivery.id = id, "delivery put off: the work is to end")
            }
            DeliveryOutcome::PutOff(id, reason, _) => {
                tracing::info!(delivery.id = id, reason, "delivery put off")
            }
            DeliveryOutcome::InDoubt(_) => {}
        }
    }
}
