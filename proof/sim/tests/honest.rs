//! The measure that peers failed: leaders killed under load, with right passwords only.

use strongroom_sim::{Plan, World};

#[test]
fn fifteen_hundred_honest_users_lose_no_attempt_while_leaders_are_killed() {
    let report = World::new(Plan::honest(1, 1_500)).run();
    assert_eq!(report.broken, []);
    assert_eq!(report.recoveries, 1_500);
    assert_eq!(report.locked, 0);
    assert!(report.crashes >= 5, "leaders were killed: {report:?}");
}
