//! Numbers and bytes as text, each in one form only: what is read prints to the same text.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// ASCII decimal without a sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    // The parser takes "+7" and "007"; printing tells them from "7".
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

/// Standard base64 with its padding, and no bits that decode to nothing.
pub(crate) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The text up to its first newline, and what follows it.
pub(crate) fn first_line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in
            ["", "+1", "-1", "01", "00", " 1", "1 ", "1\n", "0x1", "18446744073709551616", "١"]
        {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn bytes_have_one_form() {
        assert_eq!(base64_bytes("AA=="), Some(vec![0]));
        for bad in ["AA", "AA=", "AB==", "AA==\n", "AA== ", "-_==", "AA==AA=="] {
            assert_eq!(base64_bytes(bad), None, "{bad:?}");
        }
    }
}
