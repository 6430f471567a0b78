//! What is lost on the way costs nothing twice.

#[path = "../../protocol/tests/mini_vault/mod.rs"]
mod mini_vault;

use mini_vault::{APP, FLEET, MiniVault, NOW_MS};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use strongroom_sdk::{
    Account, Authority, BackupKey, CarryCode, CarryError, Cost, Destination, DeviceKey, Floors,
    IfOccupied, OutgoingFrame, Owner, Password, Patience, Retry, SdkError, StrongroomClient,
    Transport, Verb,
};
use strongroom_wire::Slot;

/// What happens to one frame.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Answered,
    /// It never gets there.
    NotSent,
    /// The vault acts and the answer is lost.
    AnswerLost,
    /// The vault acts and nothing more happens.
    Hangs,
    /// Somebody changes the answer.
    Changed,
}

struct Inner {
    vault: MiniVault,
    fates: VecDeque<Fate>,
    verbs: Vec<Verb>,
}

#[derive(Clone)]
struct Road(Arc<Mutex<Inner>>);

impl Road {
    fn inner<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.0.lock().expect("lock"))
    }

    fn fates(&self, fates: &[Fate]) {
        self.inner(|inner| {
            inner.fates = fates.iter().copied().collect();
            inner.verbs.clear();
        });
    }

    fn verbs(&self) -> Vec<Verb> {
        self.inner(|inner| inner.verbs.clone())
    }

    fn failures(&self, slot: &Slot) -> u8 {
        self.inner(|inner| inner.vault.slots.states.get(slot).map_or(0, |s| s.failures))
    }
}

fn failed(may_have_arrived: bool) -> CarryError {
    CarryError {
        code: CarryCode::Unreachable,
        detail: "lost".to_owned(),
        may_have_arrived,
        retry: Retry::Now,
        request_id: None,
    }
}

impl Transport for Road {
    async fn carry(&self, frame: &OutgoingFrame) -> Result<Vec<u8>, CarryError> {
        let (fate, mut answer) = self.inner(|inner| {
            let fate = inner.fates.pop_front().unwrap_or(Fate::Answered);
            if fate == Fate::NotSent {
                return (fate, Vec::new());
            }
            inner.verbs.push(frame.verb());
            (fate, inner.vault.answer(frame.bytes()))
        });
        match fate {
            Fate::Answered => Ok(answer),
            Fate::NotSent => Err(failed(false)),
            Fate::AnswerLost => Err(failed(true)),
            Fate::Hangs => std::future::pending().await,
            Fate::Changed => {
                answer[40] ^= 1;
                Ok(answer)
            }
        }
    }
}

fn word(password: &str) -> Password {
    Password::prepare(password).expect("a password")
}

fn device() -> DeviceKey {
    DeviceKey::from_seed(&[5; 32])
}

fn key() -> BackupKey {
    BackupKey::from_bytes([7; 32])
}

fn scene(tries: u32) -> (StrongroomClient<Road>, Road, Slot) {
    let vault = MiniVault::new();
    let account = Account::normalise("alice").expect("account");
    let floors = Floors::DANGER_DEVELOPMENT;
    let to = Destination::new(&vault.fleet.manifest, FLEET, APP, &account, &floors, NOW_MS);
    let to = to.expect("destination");
    let slot = *to.slot();
    let road =
        Road(Arc::new(Mutex::new(Inner { vault, fates: VecDeque::new(), verbs: Vec::new() })));
    let patience = Patience { tries, ..Patience::default() };
    let client = StrongroomClient::new(to, road.clone()).with_patience(patience);
    (client, road, slot)
}

async fn enrolled(tries: u32) -> (StrongroomClient<Road>, Road, Slot) {
    let (client, road, slot) = scene(tries);
    let stop = IfOccupied::Stop;
    client.enroll(&word("correct horse"), &key(), &device(), &stop).await.expect("enrolled");
    (client, road, slot)
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_charged_once() {
    let (client, road, slot) = enrolled(5).await;
    road.fates(&[Fate::AnswerLost, Fate::NotSent, Fate::Answered]);
    let wrong = client.recover(&word("wrong"), &device(), false).await;
    assert!(matches!(wrong, Err(SdkError::WrongPassword { budget, .. }) if budget.row_left == 9));
    assert_eq!(road.failures(&slot), 1);
    let expected = [Verb::RecoverStart, Verb::RecoverStart, Verb::RecoverFinish];
    assert_eq!(road.verbs(), expected);
}

#[tokio::test]
async fn a_recovery_goes_on_where_it_failed_when_it_is_called_again() {
    let (client, road, slot) = enrolled(1).await;
    let password = word("correct horse");
    for fates in [[Fate::AnswerLost], [Fate::Changed]] {
        road.fates(&fates);
        let error = client.recover(&password, &device(), false).await;
        assert_eq!(error.expect_err("lost").cost(), Cost::Unknown);
    }
    // The second answer is lost too: by then the charge is signed.
    road.fates(&[Fate::Answered, Fate::NotSent]);
    let error = client.recover(&password, &device(), false).await;
    assert_eq!(error.expect_err("lost").cost(), Cost::Charged);
    assert_eq!(road.failures(&slot), 1);
    road.fates(&[]);
    let back = client.recover(&password, &device(), false).await;
    assert_eq!(back.expect("recovered").backup_key, key());
    assert_eq!(road.verbs(), [Verb::RecoverFinish]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_recovery_goes_on_with_the_same_attempt() {
    let (client, road, slot) = enrolled(1).await;
    road.fates(&[Fate::Hangs]);
    let password = word("correct horse");
    let device = device();
    let dropped =
        tokio::time::timeout(Duration::from_secs(1), client.recover(&password, &device, false));
    assert!(dropped.await.is_err());
    assert_eq!(road.failures(&slot), 1);
    let wrong_first = road.inner(|inner| inner.verbs.len());
    assert_eq!(wrong_first, 1);
    client.recover(&password, &device, false).await.expect("recovered");
    let failures = road.inner(|inner| inner.vault.slots.states[&slot].failures);
    assert_eq!(failures, 0);
}

#[tokio::test]
async fn what_never_left_costs_nothing() {
    let (client, road, slot) = enrolled(2).await;
    road.fates(&[Fate::NotSent, Fate::NotSent]);
    let error = client.recover(&word("x"), &device(), false).await.expect_err("not sent");
    assert_eq!((error.cost(), error.name()), (Cost::None, "unreachable"));
    assert_eq!(road.failures(&slot), 0);
}

#[tokio::test]
async fn a_refused_password_is_not_sent_again_in_this_session() {
    let (client, road, slot) = enrolled(5).await;
    road.fates(&[]);
    let error = client.recover(&word("wrong"), &device(), false).await;
    assert_eq!(error.expect_err("wrong").cost(), Cost::Charged);
    let again = client.recover(&word("wrong"), &device(), false).await;
    assert_eq!(again.expect_err("refused"), SdkError::RefusedBefore);
    assert_eq!(road.failures(&slot), 1);
    assert_eq!(road.verbs().len(), 2);
    // Nor when the fleet has a new manifest meanwhile.
    let to = client.destination().clone();
    let client = client.moved_to(to, road.clone());
    let again = client.recover(&word("wrong"), &device(), false).await;
    assert_eq!(again.expect_err("refused"), SdkError::RefusedBefore);
    assert_eq!(road.verbs().len(), 2);
    client.recover(&word("correct horse"), &device(), false).await.expect("recovered");
}

#[tokio::test]
async fn a_wrong_password_is_reported_even_if_the_second_answer_is_lost() {
    let (client, road, _) = enrolled(1).await;
    road.fates(&[Fate::Answered, Fate::AnswerLost]);
    let error = client.recover(&word("wrong"), &device(), false).await;
    assert!(matches!(error, Err(SdkError::WrongPassword { budget, .. }) if budget.row_left == 9));
}

#[tokio::test]
async fn a_registration_without_a_receipt_is_not_repeated_but_asked_about() {
    let (client, road, slot) = scene(1);
    let password = word("correct horse");
    let stop = IfOccupied::Stop;
    road.fates(&[Fate::Answered, Fate::AnswerLost]);
    let error = client.enroll(&password, &key(), &device(), &stop).await;
    let error = error.expect_err("no receipt");
    assert!(matches!(error, SdkError::ReceiptMissing { generation: 1, last: Some(_) }));
    let again = client.enroll(&password, &key(), &device(), &stop).await;
    assert!(matches!(again, Err(SdkError::ReceiptMissing { last: None, .. })));
    assert_eq!(road.verbs(), [Verb::RegisterStart, Verb::RegisterFinish]);

    let receipt = client.receipt().await.expect("answered").expect("missing until now");
    assert_eq!(receipt.receipt.generation, 1);
    assert_eq!(client.receipt().await.expect("nothing to ask"), None);
    let stored = road.inner(|inner| inner.vault.slots.states[&slot].record.is_some());
    assert!(stored);
}

#[tokio::test]
async fn an_occupied_account_is_not_replaced_by_itself() {
    let (client, _, _) = enrolled(5).await;
    let other = DeviceKey::from_seed(&[6; 32]);
    let stop = IfOccupied::Stop;
    let error = client.enroll(&word("mine now"), &key(), &other, &stop).await;
    assert_eq!(error.expect_err("occupied").name(), "occupied");
}

#[tokio::test]
async fn the_password_changes_with_a_fresh_recovery() {
    let (client, _, _) = enrolled(5).await;
    let back = client.recover(&word("correct horse"), &device(), false).await.expect("recovered");
    assert!(back.timings.argon2 > Duration::ZERO);
    assert!(back.timings.total >= back.timings.argon2 + back.timings.network);
    let fresh = Authority::Fresh(back.fresh);
    let changed = client
        .change_password(&word("new one"), &back.backup_key, &device(), &fresh)
        .await
        .expect("changed");
    assert_eq!(changed.receipt.destroyed, Some(1));
    client.recover(&word("new one"), &device(), false).await.expect("recovered");
    let old = client.recover(&word("correct horse"), &device(), false).await;
    assert!(matches!(old, Err(SdkError::WrongPassword { .. })));
}

#[tokio::test]
async fn owners_commands_survive_a_lost_answer() {
    let (client, road, _) = enrolled(5).await;
    let owner = |counter| Owner { key: device(), generation: 1, counter };
    road.fates(&[Fate::AnswerLost]);
    let status = client.status(&owner(1)).await.expect("status").status;
    assert_eq!((status.generation, status.devices), (1, 1));
    let (devices, _) = client.enroll_device(&owner(3), [9; 32]).await.expect("added");
    assert_eq!(devices, 2);
    assert_eq!(client.budget().await.expect("budget").0.row_left, 10);
    road.fates(&[Fate::AnswerLost]);
    let gone = client.destroy(&owner(5)).await.expect("destroyed");
    assert!(gone.found_gone);
    let none = client.recover(&word("correct horse"), &device(), false).await;
    assert!(matches!(none, Err(SdkError::NoRecord { .. })));
}

#[tokio::test]
async fn the_tenth_wrong_password_locks_and_says_so() {
    let (client, _, _) = enrolled(5).await;
    for n in 0..9 {
        let error = client.recover(&word(&format!("wrong {n}")), &device(), false).await;
        assert_eq!(error.expect_err("wrong").name(), "wrong_password");
    }
    let last = client.recover(&word("wrong 9"), &device(), false).await.expect_err("locked");
    assert_eq!((last.name(), last.cost()), ("locked", Cost::Charged));
}
