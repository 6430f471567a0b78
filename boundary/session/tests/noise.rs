//! Sealed bytes and keys against noise.

use proptest::prelude::*;
use strongroom_session::{FleetPublic, FleetSecret, Scope};
use strongroom_wire::caps;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn noise_opens_nothing_and_never_panics(byte in any::<u8>(), len in 0_usize..2_400) {
        let secret = FleetSecret::from_seed([1; 32]);
        let scope = Scope { manifest_digest: &[0; 32], fleet: "dev" };
        let bytes = vec![byte; len];
        prop_assert!(secret.open_request(&scope, &bytes).is_err());
        prop_assert!(secret.open_ticket(&scope, &bytes).is_err());
        prop_assert!(secret.open_box("label", &bytes, 1_024).is_err());
        let _ = FleetPublic::from_bytes(&bytes);
    }

    #[test]
    fn a_frame_of_the_right_size_and_the_wrong_content_opens_nothing(
        bytes in prop::collection::vec(any::<u8>(), caps::REQUEST_FRAME_LEN)
    ) {
        let secret = FleetSecret::from_seed([1; 32]);
        let scope = Scope { manifest_digest: &[0; 32], fleet: "dev" };
        prop_assert!(secret.open_request(&scope, &bytes).is_err());
    }
}
