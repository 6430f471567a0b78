//! Inputs that are a sequence of pieces: `u16 BE length ‖ piece`, again and again.

/// The most pieces of one input.
const PIECES_MAX: usize = 4_096;

/// The pieces of an input. A length that says more than there is takes what is left.
pub fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some(([high, low], rest)) = bytes.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, after) = rest.split_at(len);
        pieces.push(piece);
        bytes = after;
        if pieces.len() == PIECES_MAX {
            break;
        }
    }
    pieces
}

/// The input of some pieces. What does not fit into a piece is cut.
pub fn join<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let piece = piece.as_ref();
        let len = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(&piece[..usize::from(len)]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{join, split};

    #[test]
    fn pieces_come_back() {
        let pieces = [&b"one"[..], b"", b"three"];
        assert_eq!(split(&join(pieces)), pieces);
    }

    #[test]
    fn a_length_that_lies_takes_what_is_left() {
        assert_eq!(split(&[0xff, 0xff, 1, 2]), [&[1_u8, 2][..]]);
        assert!(split(&[0]).is_empty());
    }
}
