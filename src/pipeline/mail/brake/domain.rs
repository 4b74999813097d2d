//! What was said in a run of the recipients at one domain. A mail server that passes mail on repeats what other providers say: one of
//! them may refuse everybody while the others take their mail.

use super::doubt::RefusalGround;

/// Some addresses of a list that was not cleaned for years stand in a row: so many times `refusals_max` are no accident.
pub(super) const MAILBOX_FACTOR: usize = 4;

/// What was said of the recipients at a domain since one of them was last taken, by whichever server.
#[derive(Debug, Default)]
pub(super) struct Domain {
    /// An earlier run stopped asking for it.
    pub(super) was_paused: bool,
    /// It did since the recipients at many domains were refused in the same words.
    pub(super) was_alike: bool,
    /// The same was found in this run: why nothing that was said of recipients there is believed.
    pub(super) alike: Option<String>,
    /// The refusal of such a recipient was repeated on another day, and is believed.
    pub(super) is_settled: bool,
    /// Messages in a row that wait because of us or the server, or for a reason that nobody gives.
    about_us: usize,
    /// Recipients in a row who do not exist, or are refused without a reason.
    grave: usize,
    /// Recipients in a row who are refused by a final answer.
    of_recipients: usize,
    pub(super) has_taken: bool,
    /// Nothing more is sent there in this run, and why.
    pub(super) out: Option<String>,
    pub(super) under_way: usize,
}

impl Domain {
    pub(super) fn take(&mut self) {
        self.has_taken = true;
        self.out = None;
        self.forget();
    }

    /// What was counted is about a server that is left out.
    pub(super) fn forget(&mut self) {
        (self.about_us, self.grave, self.of_recipients) = (0, 0, 0);
    }

    /// A recipient was refused; without a ground it is because of us or the server. Answers whether that was one too many.
    pub(super) fn refuse(
        &mut self,
        ground: Option<RefusalGround>,
        reason: &str,
        refusals_max: usize,
    ) -> bool {
        if ground == Some(RefusalGround::Later) {
            return false;
        }
        let is_unexplained = ground == Some(RefusalGround::Unexplained);
        self.about_us += usize::from(ground.is_none() || is_unexplained);
        self.grave += usize::from(ground.is_some_and(RefusalGround::is_grave));
        self.of_recipients += usize::from(ground.is_some());
        let many = refusals_max.saturating_mul(MAILBOX_FACTOR);
        let grave_max = if self.has_taken { many } else { refusals_max };
        let is_probe = self.is_shut() && self.about_us + self.grave > 0;
        let is_many = self.about_us >= refusals_max || self.grave >= grave_max || self.of_recipients >= many;
        if self.out.is_some() || !(is_probe || is_many) {
            return false;
        }
        self.out = Some(reason.to_owned());
        true
    }

    /// An earlier run stopped asking, and nothing has been taken yet.
    fn is_shut(&self) -> bool {
        self.was_paused && !self.has_taken
    }

    /// Whether what was said of a recipient may be about everybody there.
    pub(super) fn is_lost(&self, refusals_max: usize) -> bool {
        self.out.is_some() || self.is_shut() || self.grave >= refusals_max
    }

    /// Whether one more message may be tried: one after the other where many were refused, and no more at a time than refusals are left.
    pub(super) fn has_room(&self, refusals_max: usize) -> bool {
        let refused = self.about_us.max(self.grave);
        self.under_way == 0
            || !self.is_shut() && (self.has_taken && refused == 0 || self.under_way + refused < refusals_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 5;

    #[test]
    fn a_domain_is_left_alone_after_as_many_in_a_row_as_its_answers_weigh() {
        use RefusalGround::{Full, Later, NoMailbox, Unexplained};
        // What is refused, whether somebody was taken before, whether an earlier run stopped asking.
        for (ground, has_taken, was_paused, want) in [
            (None, false, false, Some(MAX)),
            (None, true, false, Some(MAX)),
            (Some(NoMailbox), false, false, Some(MAX)),
            (Some(NoMailbox), true, false, Some(4 * MAX)),
            (Some(Unexplained), true, false, Some(MAX)),
            (Some(Full), false, false, Some(4 * MAX)),
            (Some(Later), false, false, None),
            (None, false, true, Some(1)),
            (Some(NoMailbox), false, true, Some(1)),
            (Some(NoMailbox), true, true, Some(4 * MAX)),
            (Some(Later), false, true, None),
        ] {
            let mut domain = Domain { was_paused, ..Domain::default() };
            if has_taken {
                domain.take();
            }
            let out = (1..=100).find(|_| domain.refuse(ground, "no", MAX));
            assert_eq!(out, want, "{ground:?} {has_taken} {was_paused}");
            domain.take();
            assert!(domain.out.is_none() && !domain.is_lost(MAX));
        }
    }

    #[test]
    fn no_more_are_under_way_to_a_domain_than_refusals_are_left() {
        let at_once = |mut domain: Domain| {
            while domain.has_room(MAX) && domain.under_way < 100 {
                domain.under_way += 1;
            }
            domain.under_way
        };
        assert_eq!(at_once(Domain::default()), MAX);
        assert_eq!(at_once(Domain { was_paused: true, ..Domain::default() }), 1);
        assert_eq!(at_once(Domain { has_taken: true, was_paused: true, ..Domain::default() }), 100);
        assert_eq!(at_once(Domain { has_taken: true, about_us: 3, ..Domain::default() }), 2);
        assert_eq!(at_once(Domain { has_taken: true, grave: 9, ..Domain::default() }), 1);
    }
}
