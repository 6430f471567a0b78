//! `u32 BE length ‖ message` on the vault's pipes (spec §12).

use std::io;
use strongroom_wire::{
    caps, encode,
    process::{ToHost, ToVault, to_host_from_bytes},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Reads one message; nothing at a clean end.
pub(crate) async fn read(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<ToHost>> {
    let mut head = [0; 4];
    match pipe.read_exact(&mut head).await {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let len = u32::from_be_bytes(head) as usize;
    if len > caps::PROCESS_MESSAGE_LEN_MAX {
        return Err(io::Error::other(format!("a message of {len} bytes")));
    }
    let mut message = Vec::new();
    let read = pipe.take(len as u64).read_to_end(&mut message).await?;
    if read < len {
        return Err(io::Error::other("the end inside a message"));
    }
    to_host_from_bytes(&message).map(Some).map_err(|e| io::Error::other(e.to_string()))
}

/// Writes one message, without flushing.
pub(crate) async fn write(
    pipe: &mut (impl AsyncWrite + Unpin),
    message: &ToVault,
) -> io::Result<()> {
    let bytes = encode(message);
    let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    pipe.write_all(&len.to_be_bytes()).await?;
    pipe.write_all(&bytes).await
}
