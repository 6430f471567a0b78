//! `u32 BE length ‖ message` on the pipes between host and vault (spec §12).

use std::io::{self, Read, Write};
use strongroom_wire::caps;

/// Reads one message; nothing at a clean end.
///
/// # Errors
/// A length above the cap, or an end inside a message.
pub fn read(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let len = u32::from_be_bytes(head) as usize;
    if len > caps::PROCESS_MESSAGE_LEN_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {len} bytes, at most {} expected", caps::PROCESS_MESSAGE_LEN_MAX),
        ));
    }
    // Not reserved in advance: a length alone costs the sender nothing.
    let mut message = Vec::new();
    let read = reader.take(len as u64).read_to_end(&mut message)?;
    if read < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

/// Writes one message.
///
/// # Errors
/// Any error of the pipe; a message above the cap.
pub fn write(writer: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let len = u32::try_from(message.len())
        .ok()
        .filter(|len| *len as usize <= caps::PROCESS_MESSAGE_LEN_MAX)
        .ok_or(io::ErrorKind::InvalidInput)?;
    writer.write_all(&len.to_be_bytes())?;
    writer.write_all(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_cross_and_a_clean_end_is_an_end() {
        let mut pipe = Vec::new();
        write(&mut pipe, b"one").expect("write");
        write(&mut pipe, b"").expect("write");
        let mut reader = pipe.as_slice();
        assert_eq!(read(&mut reader).expect("read"), Some(b"one".to_vec()));
        assert_eq!(read(&mut reader).expect("read"), Some(Vec::new()));
        assert_eq!(read(&mut reader).expect("read"), None);
    }

    #[test]
    fn a_torn_message_and_a_length_above_the_cap_are_errors() {
        let mut pipe = Vec::new();
        write(&mut pipe, b"message").expect("write");
        for cut in [1, 3, 4, 10] {
            assert!(read(&mut &pipe[..cut]).is_err(), "{cut}");
        }
        assert!(read(&mut [0xff, 0xff, 0xff, 0xff, 1].as_slice()).is_err());
    }
}
