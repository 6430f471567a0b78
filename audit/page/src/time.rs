//! Moments as people read them.

/// `2026-11-29 08:15 UTC`, of milliseconds since the Unix epoch (proleptic Gregorian calendar).
pub(crate) fn utc(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (days, minute) = (minutes / 1_440, minutes % 1_440);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}

/// Year, month and day of a number of days since 1970-01-01. A year is counted from March, so that the
/// day which leap years add comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days.saturating_add(DAYS_TO_1970);
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let day = day - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// How long ago a moment was, coarsely.
pub(crate) fn ago(then_ms: u64, now_ms: u64) -> String {
    let Some(minutes) = now_ms.checked_sub(then_ms).map(|ms| ms / 60_000) else {
        return "by this clock in the future".to_owned();
    };
    let (number, unit) = match minutes {
        0 => return "less than a minute ago".to_owned(),
        1..120 => (minutes, "minute"),
        120..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    format!("{number} {unit}{} ago", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_calendars_have_them() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (1_709_251_200, "2024-03-01 00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59 UTC"),
            (4_102_444_800, "2100-01-01 00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(seconds * 1_000), expected);
        }
    }

    #[test]
    fn ages_are_coarse_and_never_negative() {
        let now = 1_000_000_000_000;
        let minute = 60_000;
        for (before, expected) in [
            (0, "less than a minute ago"),
            (minute, "1 minute ago"),
            (119 * minute, "119 minutes ago"),
            (120 * minute, "2 hours ago"),
            (3 * 1_440 * minute, "3 days ago"),
        ] {
            assert_eq!(ago(now - before, now), expected);
        }
        assert_eq!(ago(now + 1, now), "by this clock in the future");
    }
}
