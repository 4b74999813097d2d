//! How far the rules of a calendar are followed: each up to a horizon, and all of them together for so many steps.

use calcard::common::PartialDateTime;
use calcard::icalendar::{
    ICalendarComponent, ICalendarFrequency as Frequency, ICalendarRecurrenceRule as Rule, ICalendarValue,
};
use jiff::ToSpan;
use jiff::civil::Date;

/// Occurrences of one event that are counted through to find the next one: every day for half a century.
pub(super) const OCCURRENCES_MAX: usize = 20_000;
/// Recurring events whose rules are followed, and the steps that all of these take together.
const RECURRING_MAX: usize = 500;
const STEPS_MAX: i64 = 4_000_000;
/// Steps after which `calcard` gives up looking for a day that a rule fulfils.
const NEVER_STEPS: i64 = 100_000;
/// Days, months and the like that one rule names.
const PARTS_MAX: usize = 400;

/// What may still be spent on the rules of a document.
pub(super) struct RuleBudget {
    rules: usize,
    steps: i64,
    /// Events that recur, and whose rules were not followed.
    pub(super) left_out: usize,
}

impl RuleBudget {
    pub(super) fn new() -> RuleBudget {
        RuleBudget { rules: RECURRING_MAX, steps: STEPS_MAX, left_out: 0 }
    }

    /// Whether the rules of one more event may be followed.
    pub(super) fn allows_one(&mut self) -> bool {
        let is_allowed = self.rules > 0 && self.steps > 0;
        if is_allowed {
            self.rules -= 1;
        } else {
            self.left_out += 1;
        }
        is_allowed
    }

    /// Counts what it took to find so many occurrences of an event, the last one on this day.
    pub(super) fn spend(
        &mut self,
        component: &ICalendarComponent,
        from: Date,
        found: usize,
        last: Option<Date>,
    ) {
        for rule in component.entries.iter().flat_map(|entry| &entry.values).filter_map(rule_of) {
            let period = Period::of(rule);
            let is_all = rule.count.is_some_and(|count| found >= count as usize) || found >= OCCURRENCES_MAX;
            let end = last.filter(|_| is_all).or(rule.until.as_ref().and_then(day));
            let steps = match (last, end) {
                (None, _) => NEVER_STEPS,
                (_, Some(end)) => i64::from((end - from).get_days().max(0)) / period.days,
                (..) => 0,
            };
            self.steps -= (steps + 1) * period.cost;
        }
    }
}

/// How long a step of a rule is, how many days' worth of work it is, and how far ahead of now or of its begin a rule is followed.
struct Period {
    days: i64,
    cost: i64,
    horizon_years: i64,
}

impl Period {
    fn of(rule: &Rule) -> Period {
        let (days, cost, horizon_years) = match rule.freq {
            Frequency::Yearly => (365, 8, 60),
            Frequency::Monthly => (30, 4, 60),
            Frequency::Weekly => (7, 1, 12),
            _ => (1, 1, 12),
        };
        Period { days: days * i64::from(rule.interval.unwrap_or(1).max(1)), cost, horizon_years }
    }
}

fn rule_of(value: &ICalendarValue) -> Option<&Rule> {
    match value {
        ICalendarValue::RecurrenceRule(rule) => Some(rule),
        _ => None,
    }
}

fn day(time: &PartialDateTime) -> Option<Date> {
    Date::new(i16::try_from(time.year?).ok()?, i8::try_from(time.month?).ok()?, i8::try_from(time.day?).ok()?)
        .ok()
}

/// Whether an event recurs by days or longer, and not by endless lists: hourly events are not announced.
pub(super) fn is_rule_of_days(component: &ICalendarComponent) -> bool {
    component.entries.iter().flat_map(|entry| &entry.values).filter_map(rule_of).all(|rule| {
        let days = rule.byday.len() + rule.bymonthday.len() + rule.byyearday.len() + rule.bysetpos.len();
        rule.freq <= Frequency::Daily
            && rule.byhour.len() + rule.byminute.len() + rule.bysecond.len() <= 8
            && days + rule.byweekno.len() + rule.bymonth.len() <= PARTS_MAX
    })
}

/// The event with rules that end where no answer is looked for any more: one that is hardly ever fulfilled would be followed for
/// thousands of years.
pub(super) fn with_horizon(component: &ICalendarComponent, from: Date) -> ICalendarComponent {
    let mut bounded = component.clone();
    for value in bounded.entries.iter_mut().flat_map(|entry| &mut entry.values) {
        let ICalendarValue::RecurrenceRule(rule) = value else { continue };
        let horizon = from.saturating_add(Period::of(rule).horizon_years.years());
        if rule.until.as_ref().and_then(day).is_none_or(|until| until > horizon) {
            let part = |part: i8| u8::try_from(part).ok();
            rule.until = Some(PartialDateTime {
                year: u16::try_from(horizon.year()).ok(),
                month: part(horizon.month()),
                day: part(horizon.day()),
                ..PartialDateTime::default()
            });
        }
    }
    bounded
}
