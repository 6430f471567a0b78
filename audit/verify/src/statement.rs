//! What an auditor signs for one epoch (spec §21.2), byte for byte as Cloudflare's does.

use strongroom_wire::caps::NAMESPACE_LEN_MAX;

const CIPHERSUITE: u8 = 1;

/// One auditor's statement: this namespace had this manifest at this epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The namespace.
    pub namespace: String,
    /// When it was made, milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// The manifest's epoch.
    pub epoch: u64,
    /// SHA-256 of the manifest's bytes.
    pub digest: [u8; 32],
}

impl Statement {
    /// The signed bytes: protobuf, suite 1, fields in rising order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut epoch = vec![0x08];
        varint(&mut epoch, self.epoch);
        let mut bytes = vec![0x08, CIPHERSUITE, 0x12];
        varint(&mut bytes, self.namespace.len() as u64);
        bytes.extend_from_slice(self.namespace.as_bytes());
        bytes.push(0x18);
        varint(&mut bytes, self.timestamp_ms);
        bytes.push(0x22);
        varint(&mut bytes, epoch.len() as u64);
        bytes.extend_from_slice(&epoch);
        bytes.extend_from_slice(&[0x2a, 0x20]);
        bytes.extend_from_slice(&self.digest);
        bytes
    }

    /// Reads the signed bytes; what does not encode to the same bytes again is refused.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        take(&mut rest, &[0x08, CIPHERSUITE, 0x12])?;
        let len = usize::try_from(read_varint(&mut rest)?).ok()?;
        if len > NAMESPACE_LEN_MAX {
            return None;
        }
        let (namespace, after) = rest.split_at_checked(len)?;
        rest = after;
        take(&mut rest, &[0x18])?;
        let timestamp_ms = read_varint(&mut rest)?;
        take(&mut rest, &[0x22])?;
        read_varint(&mut rest)?;
        take(&mut rest, &[0x08])?;
        let epoch = read_varint(&mut rest)?;
        take(&mut rest, &[0x2a, 0x20])?;
        let digest = rest.try_into().ok()?;
        let namespace = String::from_utf8(namespace.to_vec()).ok()?;
        let statement = Self { namespace, timestamp_ms, epoch, digest };
        (statement.to_bytes() == bytes).then_some(statement)
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take(rest: &mut &[u8], expected: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(expected)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            namespace: "org.encrypted_backups.fleet_keys.v1".to_owned(),
            timestamp_ms: 1_749_311_381_801,
            epoch: 300,
            digest: [7; 32],
        }
    }

    #[test]
    fn a_statement_reads_back() {
        for epoch in [1, 127, 128, 300, u64::MAX] {
            let statement = Statement { epoch, ..statement() };
            assert_eq!(Statement::parse(&statement.to_bytes()), Some(statement));
        }
    }

    #[test]
    fn no_other_bytes_read_as_a_statement() {
        let bytes = statement().to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(Statement::parse(&bytes[..len]), None, "cut at {len}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Statement::parse(&longer), None, "a byte after the end");
        let mut suite = bytes.clone();
        suite[1] = 2;
        assert_eq!(Statement::parse(&suite), None, "another suite");
        // The epoch in two bytes more than it needs: the same number, other bytes.
        let at = bytes.len() - 34 - 2;
        let mut padded = bytes[..at].to_vec();
        padded.extend_from_slice(&[0xac, 0x82, 0x00]);
        padded.extend_from_slice(&bytes[at + 2..]);
        assert_eq!(Statement::parse(&padded), None, "a longer number");
    }
}
