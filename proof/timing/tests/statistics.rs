//! The statistics on numbers that were worked out by hand, and on synthetic times.

use strongroom_sim::plan::Dice;
use strongroom_timing::{
    Comparison, Expected, Finding, LEAK, Moments, Part, RESIDUE, SUSPECT, Test, Verdict, compare,
    welch,
};

fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() < 1e-9
}

#[test]
fn welch_of_two_classes_is_what_was_worked_out_by_hand() {
    // Means 3 and 6, variances 2.5 and 10: t = 3 / sqrt(2.5 / 5 + 10 / 5) = 3 / sqrt(2.5).
    let a = Moments::of([1.0, 2.0, 3.0, 4.0, 5.0]);
    let b = Moments::of([2.0, 4.0, 6.0, 8.0, 10.0]);
    assert!(close(a.mean, 3.0) && close(a.variance(), 2.5));
    assert!(close(b.mean, 6.0) && close(b.variance(), 10.0));
    assert!(close(welch(&a, &b).expect("t"), 1.897_366_596_101_027_6));
    // Classes of different sizes: means 1 and 5, variances 2 and 4, t = 4 / sqrt(2 / 2 + 4 / 3).
    let (a, b) = (Moments::of([0.0, 2.0]), Moments::of([3.0, 5.0, 7.0]));
    assert!(close(welch(&a, &b).expect("t"), 4.0 / (7.0_f64 / 3.0).sqrt()));
    assert!(welch(&b, &a).expect("t") < 0.0, "the sign says which class takes longer");
}

#[test]
fn nothing_is_said_of_too_few_numbers() {
    let (one, many) = (Moments::of([1.0]), Moments::of([1.0, 2.0]));
    assert_eq!(welch(&one, &many), None);
    assert_eq!(welch(&Moments::of([]), &many), None);
    assert_eq!(welch(&Moments::of([3.0, 3.0]), &Moments::of([3.0, 3.0])), None);
    assert_eq!(compare(&[], &[]).t.abs(), 0.0);
}

#[test]
fn moments_do_not_suffer_from_large_numbers() {
    let numbers = [1.0, 2.0, 3.0, 4.0, 5.0].map(|n| n + 1e9);
    assert!((Moments::of(numbers).variance() - 2.5).abs() < 1e-6);
}

/// Times around a mean, as a machine gives them: a bell, and now and then an interrupt.
fn times(dice: &mut Dice, mean: f64, width: f64, many: usize) -> Vec<f64> {
    let mut time = || {
        let bell: f64 = (0..12).map(|_| dice.below(1_000_001) as f64 / 1e6).sum::<f64>() - 6.0;
        let interrupt = if dice.chance(20) { dice.below(5_000_000) as f64 } else { 0.0 };
        mean + width * bell + interrupt
    };
    (0..many).map(|_| time()).collect()
}

#[test]
fn a_class_is_like_itself_for_every_seed() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed, 1);
        let (a, b) = (
            times(&mut dice, 800_000.0, 20_000.0, 500),
            times(&mut dice, 800_000.0, 20_000.0, 500),
        );
        let t = compare(&a, &b).t.abs();
        assert!(t < SUSPECT, "seed {seed}: {t}");
    }
}

#[test]
fn a_small_difference_is_found_below_the_interrupts() {
    let mut dice = Dice::new(1, 2);
    let a = times(&mut dice, 800_000.0, 5_000.0, 2_000);
    let b = times(&mut dice, 802_000.0, 5_000.0, 2_000);
    let all = welch(&Moments::of(a.iter().copied()), &Moments::of(b.iter().copied())).expect("t");
    let found = compare(&a, &b);
    assert!(all.abs() < SUSPECT, "interrupts hide it from the plain test: {all}");
    assert!(found.t > LEAK && matches!(found.by, Test::Below(_)), "{found:?}");
    assert!((found.difference_ns - 2_000.0).abs() < 3.0 * found.interval_ns, "{found:?}");
    assert!((found.first_ns - 800_000.0).abs() < 3_000.0 && found.samples == 2_000, "{found:?}");
}

#[test]
fn another_spread_around_the_same_mean_is_found() {
    let mut dice = Dice::new(1, 3);
    let a = times(&mut dice, 800_000.0, 5_000.0, 4_000);
    let b = times(&mut dice, 800_000.0, 7_000.0, 4_000);
    assert!(compare(&a, &b).t.abs() > LEAK);
}

#[test]
fn a_difference_is_told_by_medians_however_large_it_is() {
    let a: Vec<f64> = (0..101).map(f64::from).collect();
    let b: Vec<f64> = (0..101).map(|n| f64::from(n) + 1_000.0).collect();
    let found = compare(&a, &b);
    assert!(close(found.first_ns, 50.0) && close(found.difference_ns, 1_000.0), "{found:?}");
    // Ranks 0.5 +- 0.98 / sqrt(101) of 101 numbers: 40 and 60, so each half is 10 wide.
    assert!(close(found.interval_ns, 200.0_f64.sqrt()), "{found:?}");
}

fn judged(expected: Expected, within: f64, difference_ns: f64, t: f64) -> Finding {
    let comparison = Comparison {
        samples: 1_000,
        difference_ns,
        interval_ns: 100.0,
        first_ns: 1e6,
        t,
        by: Test::All,
    };
    Finding::new("pair", expected, within, Part::Sum, comparison, 1e6)
}

#[test]
fn what_must_be_alike_may_differ_by_the_residue_and_no_more() {
    let of = |difference, t| judged(Expected::Uniform, RESIDUE, difference, t);
    assert_eq!(of(0.0, 4.4).verdict, Verdict::Alike);
    assert_eq!(of(1_000.0, -4.6).verdict, Verdict::Suspect);
    assert_eq!(of(-1_000.0, -10.1).verdict, Verdict::Differs);
    assert!(of(-1_000.0, -10.1).ok);
    // A thousandth of the whole is 1 µs.
    assert!(of(RESIDUE * 1e3 + 99.0, 30.0).ok, "not surely above");
    assert!(!of(RESIDUE * 1e3 + 101.0, 30.0).ok && !of(-RESIDUE * 1e3 - 101.0, -30.0).ok);
    assert!((of(2_500.0, 20.0).per_mille - 2.5).abs() < 1e-9);
}

#[test]
fn controls_have_no_residue() {
    assert!(judged(Expected::Same, 0.0, 0.0, 3.0).ok);
    assert!(!judged(Expected::Same, 0.0, 10.0, 12.0).ok);
    assert!(judged(Expected::Different, 0.0, 5_000.0, 12.0).ok);
    assert!(!judged(Expected::Different, 0.0, 5_000.0, 9.9).ok, "a leak that is only suspected");
}
