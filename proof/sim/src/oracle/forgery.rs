//! Who may be believed, and who is.

use super::Oracle;
use strongroom_protocol::ProtocolError;

impl Oracle {
    /// INV-6 and INV-9: an answer that no listed node signed for this request is refused; an honest
    /// one is not.
    pub fn inv6_signed(&mut self, forged: bool, refused: Option<&ProtocolError>) {
        match (forged, refused) {
            (true, None) => self.inv9_broken("a forged answer was believed".to_owned()),
            (false, Some(error)) if is_forgery(error) => {
                self.fail(
                    "INV-6",
                    "honest-refused",
                    format!("an honest answer was taken for forged: {error}"),
                );
            }
            _ => {}
        }
    }

    fn inv9_broken(&mut self, story: String) {
        self.fail("INV-9", "forged-believed", story);
    }
}

fn is_forgery(error: &ProtocolError) -> bool {
    matches!(
        error,
        ProtocolError::Sealed
            | ProtocolError::Signature { .. }
            | ProtocolError::Unlisted { .. }
            | ProtocolError::Length { .. }
            | ProtocolError::Encoding(_)
    )
}
