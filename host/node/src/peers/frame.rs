//! `u32 BE length ‖ frame`. The first frame of a connection says who opened it.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A link's frame has at most 65,535 bytes.
pub(super) const FRAME_LEN_MAX: usize = 70_000;
const HELLO: &[u8] = b"strongroom peer 1 ";

/// The first frame: the protocol's name and the node that the sender claims to be.
pub(super) fn hello(node: u8) -> Vec<u8> {
    [HELLO, &[node]].concat()
}

/// The node of a first frame.
pub(super) fn node_of_hello(frame: &[u8]) -> Option<u8> {
    match frame.strip_prefix(HELLO)? {
        [node] => Some(*node),
        _ => None,
    }
}

/// Reads one frame.
pub(super) async fn read(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let len = connection.read_u32().await? as usize;
    if len > FRAME_LEN_MAX {
        let what = format!("a frame of {len} bytes, at most {FRAME_LEN_MAX} expected");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let mut frame = vec![0; len];
    connection.read_exact(&mut frame).await?;
    Ok(frame)
}

/// Writes one frame, without flushing.
pub(super) async fn write(
    connection: &mut (impl AsyncWrite + Unpin),
    frame: &[u8],
) -> io::Result<()> {
    let len = u32::try_from(frame.len())
        .ok()
        .filter(|len| *len as usize <= FRAME_LEN_MAX)
        .ok_or(io::ErrorKind::InvalidInput)?;
    connection.write_u32(len).await?;
    connection.write_all(frame).await
}
