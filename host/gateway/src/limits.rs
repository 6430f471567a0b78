//! How often one caller may knock. The fleet counts attempts; this only keeps the door free.

use crate::{address, config::LimitsConfig};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};
use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};
use strongroom_wire::AccountHash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Callers told apart at one time. Beyond, they share [`SHARED`] buckets: memory stays bounded, and
/// a flood of addresses costs its neighbours some of their share instead of the gateway its life.
const CALLERS_MAX: usize = 1 << 17;
const SHARED: u64 = 1 << 12;

/// Refused; when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// One kind of caller. It keeps keyed hashes, so that not even a dump lists who was here.
struct Buckets {
    limiter: RateLimiter<u64, DashMapStateStore<u64>, DefaultClock>,
    hasher: RandomState,
    clock: DefaultClock,
}

impl Buckets {
    fn per_minute(count: u32) -> Self {
        // 0 is refused where the configuration is read.
        let quota = Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            limiter: RateLimiter::dashmap(quota),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    fn take(&self, caller: impl Hash) -> Result<(), Wait> {
        let hash = self.hasher.hash_one(caller);
        let key = if self.limiter.len() < CALLERS_MAX { hash } else { hash % SHARED };
        self.limiter
            .check_key(&key)
            .map_err(|not_until| Wait(not_until.wait_time_from(self.clock.now())))
    }

    fn forget_idle(&self) {
        self.limiter.retain_recent();
    }
}

/// All limits of one gateway.
pub(crate) struct Limits {
    accounts: Buckets,
    addresses: Buckets,
    in_flight: Arc<Semaphore>,
    in_flight_max: usize,
}

impl Limits {
    pub(crate) fn new(config: &LimitsConfig) -> Self {
        let in_flight_max = config.in_flight_max.min(Semaphore::MAX_PERMITS);
        Self {
            accounts: Buckets::per_minute(config.per_account_per_minute),
            addresses: Buckets::per_minute(config.per_address_per_minute),
            in_flight: Arc::new(Semaphore::new(in_flight_max)),
            in_flight_max,
        }
    }

    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Wait> {
        self.addresses.take(address::subscriber(address))
    }

    pub(crate) fn account(&self, account: &AccountHash) -> Result<(), Wait> {
        self.accounts.take(account)
    }

    /// A place at the nodes, given back when it is dropped: also when the caller goes away.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.in_flight).try_acquire_owned().ok()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight_max.saturating_sub(self.in_flight.available_permits())
    }

    /// Under load a slow node is no reason to send more.
    pub(crate) fn has_room_to_hedge(&self) -> bool {
        self.in_flight() * 2 <= self.in_flight_max
    }

    /// Drops callers whose share is full again.
    pub(crate) fn forget_idle(&self) {
        self.accounts.forget_idle();
        self.addresses.forget_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::new(&LimitsConfig {
            per_account_per_minute: 2,
            per_address_per_minute: 3,
            in_flight_max: 1,
        })
    }

    #[test]
    fn each_account_has_its_own_share() {
        let limits = limits();
        let (one, two) = (AccountHash::of("a"), AccountHash::of("b"));
        let (one, two) = (one.expect("hash"), two.expect("hash"));
        assert_eq!(limits.account(&one), Ok(()));
        assert_eq!(limits.account(&one), Ok(()));
        let wait = limits.account(&one).expect_err("spent").0;
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(30));
        assert_eq!(limits.account(&two), Ok(()));
    }

    #[test]
    fn addresses_of_one_subscriber_share() {
        let limits = limits();
        for host in 1..=3_u16 {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
            assert_eq!(limits.address(address), Ok(()));
        }
        let fourth = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 4]);
        assert!(limits.address(fourth).is_err());
        let neighbour = IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 4]);
        assert_eq!(limits.address(neighbour), Ok(()));
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_memory() {
        let buckets = Buckets::per_minute(1);
        for address in 0..(CALLERS_MAX as u64 + 3 * SHARED) {
            let _ = buckets.take(address);
        }
        let bound = CALLERS_MAX + usize::try_from(SHARED).expect("small");
        assert!(buckets.limiter.len() <= bound);
    }

    #[test]
    fn a_place_is_given_back_when_dropped() {
        let limits = limits();
        let place = limits.enter();
        assert!(place.is_some() && limits.enter().is_none());
        drop(place);
        assert!(limits.enter().is_some());
        assert_eq!(limits.in_flight(), 0);
    }
}
