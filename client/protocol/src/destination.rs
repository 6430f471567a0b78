//! Where one account's requests go: a fleet of a verified manifest, and nothing else.

use crate::{
    error::ProtocolError,
    ksf::{KsfVersion, Stretch},
};
use ed25519_dalek::VerifyingKey;
use std::{fmt, sync::Arc};
use strongroom_account::Account;
use strongroom_manifest::{Floors, Manifest, Protection, Verified};
use strongroom_session::FleetPublic;
use strongroom_wire::{AccountHash, Slot, caps};

/// A fleet that this client trusts with one account.
///
/// It can be made only from a [`Verified`] manifest that is valid now and reaches the floors that the
/// app compiled in. Cheap to clone.
#[derive(Clone)]
pub struct Destination(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) digest: [u8; 32],
    pub(crate) namespace: String,
    pub(crate) epoch: u64,
    pub(crate) fleet: String,
    pub(crate) protection: Protection,
    pub(crate) public: FleetPublic,
    pub(crate) nodes: Vec<KnownNode>,
    pub(crate) keysets: Vec<KnownKeyset>,
    pub(crate) account: AccountHash,
    pub(crate) slot: Slot,
    #[cfg(feature = "danger_unstretched")]
    pub(crate) unstretched: bool,
}

pub(crate) struct KnownNode {
    pub(crate) id: u8,
    pub(crate) site: String,
    pub(crate) identity: VerifyingKey,
}

#[derive(Clone, Copy)]
pub(crate) struct KnownKeyset {
    pub(crate) id: u32,
    pub(crate) server_key: [u8; 32],
}

impl Destination {
    /// Chooses a fleet of a verified manifest for an account of an app.
    ///
    /// # Errors
    /// [`ProtocolError::Manifest`] for a manifest that is not valid now, has no such fleet or is
    /// below a floor; [`ProtocolError::SlotElsewhere`], [`ProtocolError::NoTicketKey`] or
    /// [`ProtocolError::ManifestKey`] for one that cannot serve this account.
    pub fn new(
        manifest: &Verified<Manifest>,
        fleet: &str,
        app: &str,
        account: &Account,
        floors: &Floors,
        now_ms: u64,
    ) -> Result<Self, ProtocolError> {
        let found = manifest.fleet_at(fleet, floors, now_ms).map_err(ProtocolError::Manifest)?;
        if app.is_empty() || app.len() > caps::APP_LEN_MAX {
            return Err(ProtocolError::NoTicketKey);
        }
        if !manifest.ticket_keys.iter().any(|key| key.app == app) {
            return Err(ProtocolError::NoTicketKey);
        }
        let slot = Slot::of(app, &account.hash());
        if !found.slots.contains(slot.as_bytes()) {
            return Err(ProtocolError::SlotElsewhere);
        }
        let public = FleetPublic::from_bytes(&found.hpke_key.0)
            .map_err(|_| ProtocolError::ManifestKey("hpke_key"))?;
        let nodes = found.nodes.iter().map(|node| {
            let identity = VerifyingKey::from_bytes(&node.identity_key.0)
                .map_err(|_| ProtocolError::ManifestKey("identity_key"))?;
            Ok(KnownNode { id: node.id, site: node.site.clone(), identity })
        });
        let keysets = found
            .keysets
            .iter()
            .map(|keyset| KnownKeyset { id: keyset.id, server_key: keyset.server_key.0 });
        Ok(Self(Arc::new(Inner {
            digest: *manifest.digest(),
            namespace: manifest.namespace.clone(),
            epoch: manifest.epoch,
            fleet: found.id.clone(),
            protection: found.protection,
            public,
            nodes: nodes.collect::<Result<_, ProtocolError>>()?,
            keysets: keysets.collect(),
            account: account.hash(),
            slot,
            #[cfg(feature = "danger_unstretched")]
            unstretched: false,
        })))
    }

    /// Stretches passwords hardly at all: for simulations of thousands of users, whose passwords
    /// guard nothing. The feature only compiles this method; nothing is weaker until it is called.
    #[cfg(feature = "danger_unstretched")]
    #[must_use]
    pub fn danger_unstretched(mut self) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.unstretched = true;
        }
        self
    }

    /// The parameters of a version, as this destination runs them.
    pub(crate) fn stretch(&self, version: KsfVersion) -> Stretch {
        #[cfg(feature = "danger_unstretched")]
        if self.0.unstretched {
            return Stretch::danger_hardly(version);
        }
        Stretch::of(version)
    }

    /// The fleet's name.
    pub fn fleet(&self) -> &str {
        &self.0.fleet
    }

    /// What stands between the fleet's secrets and root on one of its nodes.
    pub fn protection(&self) -> Protection {
        self.0.protection
    }

    /// The account's slot.
    pub fn slot(&self) -> &Slot {
        &self.0.slot
    }

    /// SHA-256 of the manifest.
    pub fn manifest_digest(&self) -> &[u8; 32] {
        &self.0.digest
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn keyset(&self, id: u32) -> Result<KnownKeyset, ProtocolError> {
        let mut known = self.0.keysets.iter();
        known
            .find(|keyset| keyset.id == id)
            .copied()
            .ok_or(ProtocolError::UnknownKeyset { got: id })
    }

    /// The keyset that a registration must be answered with: an old one may be known to whoever
    /// the newest was made against.
    pub(crate) fn newest_keyset(&self, id: u32) -> Result<KnownKeyset, ProtocolError> {
        let newest = self.0.keysets.iter().map(|keyset| keyset.id).max();
        if newest != Some(id) {
            return Err(ProtocolError::UnknownKeyset { got: id });
        }
        self.keyset(id)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("fleet", &self.0.fleet)
            .field("epoch", &self.0.epoch)
            .field("slot", &self.0.slot)
            .finish_non_exhaustive()
    }
}
