//! Times and spans as people read them.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span in its largest unit, rounded up: whoever obeys is not early.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    let (unit, name) = match seconds {
        0..120 => (1, "s"),
        120..7_200 => (MINUTE, "min"),
        7_200..172_800 => (HOUR, "h"),
        _ => (DAY, "days"),
    };
    format!("{} {name}", seconds.div_ceil(unit))
}

/// Milliseconds since the Unix epoch as `2026-11-25 02:12:56 UTC`.
pub(crate) fn utc(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        rest / HOUR,
        rest % HOUR / MINUTE,
        rest % MINUTE
    )
}

/// The Gregorian date of a day since 1970, counted in 400-year cycles that begin on 1 March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (cycle, of_cycle) = (shifted / 146_097, shifted % 146_097);
    let year_of_cycle =
        (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_cycle + cycle * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_around_leap_days_are_right() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59:59 UTC"),
            (1_709_251_200_000, "2024-03-01 00:00:00 UTC"),
            (1_795_572_776_000, "2026-11-25 02:12:56 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(ms), text);
        }
    }

    #[test]
    fn spans_are_rounded_up() {
        for (ms, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (60_000, "60 s"),
            (120_001, "3 min"),
            (3_600_000, "60 min"),
            (43_200_000, "12 h"),
            (604_800_000, "7 days"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}
