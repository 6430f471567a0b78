//! Key stretching: Argon2id (RFC 9106), versioned, with a floor and a ceiling that no fleet moves.

use crate::error::ProtocolError;
use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{
    errors::InternalError,
    generic_array::{ArrayLength, GenericArray},
    ksf::Ksf,
};

/// The lowest version that this client accepts: a fleet cannot ask for cheaper guesses.
pub const KSF_FLOOR: u16 = 1;
/// The highest: a fleet cannot make a phone work for minutes or run out of memory.
pub const KSF_CEILING: u16 = 1;

/// RFC 9807 §6.3.1.1: the input is unique to one user and one salt of the vault already.
const SALT: [u8; 16] = [0; 16];

struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Version 1: RFC 9106's second recommendation, 64 MiB, 3 passes, 4 lanes.
const COSTS: [Cost; 1] = [Cost { memory_kib: 64 * 1_024, passes: 3, lanes: 4 }];

/// A version between floor and ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KsfVersion(u16);

impl KsfVersion {
    /// What new registrations use.
    pub const CURRENT: Self = Self(1);

    /// Accepts the version of a record.
    ///
    /// # Errors
    /// [`ProtocolError::Stretching`].
    pub const fn accept(version: u16) -> Result<Self, ProtocolError> {
        if version < KSF_FLOOR || version > KSF_CEILING {
            return Err(ProtocolError::Stretching { got: version });
        }
        Ok(Self(version))
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self.0
    }

    fn cost(self) -> Option<&'static Cost> {
        COSTS.get(usize::from(self.0.checked_sub(KSF_FLOOR)?))
    }
}

/// Argon2id of one version, as the suite calls it.
pub(crate) struct Stretch {
    version: KsfVersion,
    #[cfg(feature = "danger_unstretched")]
    hardly: bool,
}

impl Stretch {
    /// The parameters of a version.
    pub(crate) const fn of(version: KsfVersion) -> Self {
        Self {
            version,
            #[cfg(feature = "danger_unstretched")]
            hardly: false,
        }
    }

    /// Eight kibibytes and one pass, whatever the version says.
    #[cfg(feature = "danger_unstretched")]
    pub(crate) const fn danger_hardly(version: KsfVersion) -> Self {
        Self { version, hardly: true }
    }

    fn cost(&self) -> Option<&'static Cost> {
        #[cfg(feature = "danger_unstretched")]
        if self.hardly {
            return Some(&Cost { memory_kib: 8, passes: 1, lanes: 1 });
        }
        self.version.cost()
    }
}

impl Default for Stretch {
    fn default() -> Self {
        Self::of(KsfVersion::CURRENT)
    }
}

impl Ksf for Stretch {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let cost = self.cost().ok_or(InternalError::KsfError)?;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|_| InternalError::KsfError)?;
        let mut output = GenericArray::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&input, &SALT, &mut output)
            .map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_outside_floor_and_ceiling_is_refused() {
        for version in [0, KSF_CEILING + 1, u16::MAX] {
            let refused = ProtocolError::Stretching { got: version };
            assert_eq!(KsfVersion::accept(version), Err(refused));
        }
        assert_eq!(KsfVersion::accept(1), Ok(KsfVersion::CURRENT));
    }

    #[test]
    fn version_1_is_argon2id_of_64_mib_3_passes_4_lanes() {
        // Made with the reference implementation in C: a silent change would lock everybody out.
        let output = Stretch::default()
            .hash(GenericArray::<u8, opaque_ke::generic_array::typenum::U64>::from([7; 64]))
            .expect("stretch");
        assert_eq!(hex::encode(output), EXPECTED);
    }

    const EXPECTED: &str = "38cfb95476101afbf9a87097da1b1369a3bdc4a4f0e980258b12739d59a67b73\
                            1c5bb1dd934600b7576be71b050cd8c8103b91a4c29e9e02e3ccdf0d25b256d6";
}
