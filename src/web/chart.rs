//! Plots of numbers by day: bars of which a template makes SVG. Knows nothing of what they count.

use serde::Serialize;

/// The height of a plot, and the width of a day and of its bar, in units of the drawing.
const HEIGHT: u64 = 100;
const DAY_WIDTH: usize = 8;
const BAR_WIDTH: usize = 6;

/// One bar, or a part of one that is stacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bar {
    x: usize,
    y: u64,
    width: usize,
    height: u64,
    /// Which of the numbers of a day it shows, from 0.
    series: usize,
}

/// Bars by day, with what they say in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Plot {
    width: usize,
    height: u64,
    bars: Vec<Bar>,
    label: String,
}

impl Plot {
    /// A plot of the numbers of each day, the first at the bottom. What is not 0 is seen.
    pub(super) fn stacked<const N: usize>(days: &[[u64; N]], label: String) -> Plot {
        let most = days.iter().map(|day| day.iter().sum::<u64>()).max().unwrap_or(0).max(1);
        let mut bars = Vec::new();
        for (at, day) in days.iter().enumerate() {
            let mut top = HEIGHT;
            for (series, number) in day.iter().enumerate().filter(|(_, number)| **number > 0) {
                let height = (number.saturating_mul(HEIGHT) / most).max(1).min(top);
                top -= height;
                bars.push(Bar { x: at * DAY_WIDTH, y: top, width: BAR_WIDTH, height, series });
            }
        }
        Plot { width: days.len() * DAY_WIDTH, height: HEIGHT, bars, label }
    }
}

/// The numbers of the days from one on, of which those without a number are 0.
pub(super) fn by_day(from: i64, days: usize, numbers: impl Iterator<Item = (i64, u64)>) -> Vec<u64> {
    let mut filled = vec![0; days];
    for (day, number) in numbers {
        let slot = usize::try_from(day - from).ok().and_then(|at| filled.get_mut(at));
        if let Some(slot) = slot {
            *slot += number;
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_numbers_of_their_days_and_never_higher_than_the_plot() {
        let plot = Plot::stacked(&[[4, 4], [0, 0], [1, 0], [1, 0]], "words".into());
        let bar = |x, y, height, series| Bar { x, y, width: 6, height, series };
        assert_eq!(plot.bars, [bar(0, 50, 50, 0), bar(0, 0, 50, 1), bar(16, 88, 12, 0), bar(24, 88, 12, 0)]);
        assert_eq!((plot.width, plot.height, plot.label.as_str()), (32, 100, "words"));
        let uneven = Plot::stacked(&[[100_000, 1]], String::new());
        assert!(uneven.bars.iter().all(|bar| bar.height > 0 && bar.y + bar.height <= 100), "{uneven:?}");
        assert!(Plot::stacked::<1>(&[], String::new()).bars.is_empty());
        assert_eq!(by_day(10, 3, [(9, 1), (10, 2), (12, 3), (12, 4), (13, 5)].into_iter()), [2, 0, 7]);
    }
}
