//! Which characters a text may hold, and why not.

use core::fmt;
use precis_core::{CodepointInfo, DerivedPropertyValue};
use unicode_properties::{
    GeneralCategory, GeneralCategoryGroup, UnicodeEmoji as _, UnicodeGeneralCategory as _,
};

/// Why a character is refused.
///
/// It never holds the character: messages end up in logs, and this may be one of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A control character, a line break, or one that cannot be seen.
    Invisible,
    /// Not assigned in the version of Unicode that this build knows.
    Unassigned,
    /// Allowed only beside certain others (RFC 5892, appendix A).
    Context,
    /// Not of the kind that is allowed here, such as a space in an account name.
    Kind,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invisible => "a control or invisible character",
            Self::Unassigned => "unknown to this version of Unicode",
            Self::Context => "not allowed beside its neighbours",
            Self::Kind => "of a kind that is not allowed here",
        })
    }
}

impl Unfit {
    /// Sorts a refusal of the PRECIS classes.
    pub(crate) fn of(info: &CodepointInfo) -> Self {
        let Some(character) = char::from_u32(info.cp) else {
            return Self::Unassigned;
        };
        match info.property {
            DerivedPropertyValue::ContextJ | DerivedPropertyValue::ContextO => Self::Context,
            _ if character.general_category_group() == GeneralCategoryGroup::Other => {
                if is_assigned(character) { Self::Invisible } else { Self::Unassigned }
            }
            DerivedPropertyValue::Unassigned if character != NEW_IGNORABLE => Self::Unassigned,
            DerivedPropertyValue::Unassigned | DerivedPropertyValue::Disallowed => Self::Invisible,
            _ => Self::Kind,
        }
    }
}

fn is_assigned(character: char) -> bool {
    character.general_category() != GeneralCategory::Unassigned
}

/// U+180F (Unicode 14) chooses a Mongolian letter's shape: the one ignorable mark since Unicode 6.3.
const NEW_IGNORABLE: char = '\u{180f}';

/// Whether a character that RFC 8264's tables (Unicode 6.3) call unassigned is a letter, mark,
/// number, sign or symbol in the version that this build knows.
pub(crate) fn is_newer_and_visible(character: char) -> bool {
    character != NEW_IGNORABLE
        && matches!(
            character.general_category_group(),
            GeneralCategoryGroup::Letter
                | GeneralCategoryGroup::Mark
                | GeneralCategoryGroup::Number
                | GeneralCategoryGroup::Punctuation
                | GeneralCategoryGroup::Symbol
        )
}

/// Text or emoji presentation of the character before: keyboards differ in whether they add it.
pub(crate) const fn is_presentation(character: char) -> bool {
    matches!(character, '\u{fe0e}' | '\u{fe0f}')
}

/// Joins two emoji into one.
pub(crate) const JOINER: char = '\u{200d}';

/// An emoji that a joiner may stand beside; the digits are emoji too, by name only.
pub(crate) fn is_joinable(character: char) -> bool {
    !character.is_ascii() && character.is_emoji_char()
}
