//! Welch's t-test as dudect uses it: on all measurements, and on those below some percentiles.
//!
//! O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code constant time?", DATE 2017
//! (<https://eprint.iacr.org/2016/1123>). Interrupts and other processes only ever add time, so most
//! of the noise is in the upper tail; which percentile shows a difference best is not known before,
//! so several are tried. The percentiles are those of both classes together: a cut that depended on
//! the class would make the difference that it looks for.

use serde::Serialize;

/// Above this, two classes differ (|t|; Goodwill et al., "A testing methodology for side-channel
/// resistance validation", 2011): one test in 150,000 of equal classes reaches it.
pub const SUSPECT: f64 = 4.5;
/// Above this, dudect calls code "probably not constant time". Many tests are made, and times that
/// follow each other are not quite independent: this is what fails a run.
pub const LEAK: f64 = 10.0;
/// Percentiles that are tried beside all measurements.
const CROPPINGS: usize = 10;
/// Spreads are compared over the fastest nine in ten: above, they are the machine's.
const FAST: f64 = 0.9;
/// The 97.5 % quantile of the normal distribution.
const QUANTILE: f64 = 1.959_964;

/// Number, mean and spread of some measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// How many.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of some numbers (Welford's method).
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        numbers.into_iter().fold(Self::default(), |before, number| {
            let count = before.count + 1.0;
            let off = number - before.mean;
            let mean = before.mean + off / count;
            Self { count, mean, squares: before.squares + off * (number - mean) }
        })
    }

    /// The unbiased variance.
    pub fn variance(&self) -> f64 {
        if self.count > 1.0 { self.squares / (self.count - 1.0) } else { 0.0 }
    }

    fn error(&self) -> f64 {
        if self.count > 0.0 { self.variance() / self.count } else { 0.0 }
    }
}

/// Welch's t of two classes: their means' difference in units of its standard error. Nothing if a
/// class has fewer than two measurements, or if neither varies.
pub fn welch(a: &Moments, b: &Moments) -> Option<f64> {
    let error = (a.error() + b.error()).sqrt();
    (a.count > 1.0 && b.count > 1.0 && error > 0.0).then(|| (b.mean - a.mean) / error)
}

/// What the tests of one pair of classes found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// Measurements of the smaller class.
    pub samples: usize,
    /// How much longer the second class takes, by medians.
    pub difference_ns: f64,
    /// Half the width of its 95 % interval.
    pub interval_ns: f64,
    /// What the first class takes, by its median.
    pub first_ns: f64,
    /// The t furthest from 0.
    pub t: f64,
    /// The test that gave it.
    pub by: Test,
}

/// One of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The means of all measurements.
    All,
    /// The means below this percentile.
    Below(f64),
    /// The spreads below the last percentile: the same mean, another distribution.
    Spread,
}

/// Compares two classes.
pub fn compare(a: &[f64], b: &[f64]) -> Comparison {
    let mut both: Vec<f64> = a.iter().chain(b).copied().collect();
    both.sort_by(f64::total_cmp);
    let moments = |class: &[f64], limit: f64| {
        Moments::of(class.iter().copied().filter(|time| *time <= limit))
    };
    let mut tests = vec![(Test::All, f64::INFINITY)];
    tests.extend((1..=CROPPINGS).map(|step| {
        let share = percentile(step);
        (Test::Below(share), at(&both, share))
    }));
    let mut found: Vec<(Test, f64)> = tests
        .iter()
        .filter_map(|(test, limit)| Some((*test, welch(&moments(a, *limit), &moments(b, *limit))?)))
        .collect();
    let limit = at(&both, FAST);
    let (fast_a, fast_b) = (moments(a, limit), moments(b, limit));
    let spread = |class: &[f64], around: f64| {
        let kept = class.iter().filter(|time| **time <= limit);
        Moments::of(kept.map(|time| (time - around).powi(2)))
    };
    let spreads = (spread(a, fast_a.mean), spread(b, fast_b.mean));
    found.extend(welch(&spreads.0, &spreads.1).map(|t| (Test::Spread, t)));
    let (by, t) = found
        .into_iter()
        .max_by(|x, y| x.1.abs().total_cmp(&y.1.abs()))
        .unwrap_or((Test::All, 0.0));
    let ((first, width_a), (second, width_b)) = (median(a), median(b));
    Comparison {
        samples: a.len().min(b.len()),
        difference_ns: second - first,
        interval_ns: width_a.hypot(width_b),
        first_ns: first,
        t,
        by,
    }
}

/// A median, and half the width of its 95 % interval: that between the order statistics that stand
/// 0.98 times the root of the number away from the middle.
fn median(class: &[f64]) -> (f64, f64) {
    let mut sorted = class.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return (0.0, 0.0);
    }
    let away = QUANTILE / 2.0 / (sorted.len() as f64).sqrt();
    let width = at(&sorted, (0.5 + away).min(1.0)) - at(&sorted, (0.5 - away).max(0.0));
    (at(&sorted, 0.5), width / 2.0)
}

/// dudect's percentiles: dense where most measurements are, and none above 99.9 %.
fn percentile(step: usize) -> f64 {
    1.0 - 0.5_f64.powf(10.0 * step as f64 / CROPPINGS as f64)
}

/// The number at a percentile of sorted ones.
fn at(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
}
