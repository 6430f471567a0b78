//! INV-10 with real processes: what stands in the memory of vaults and hosts.

use strongroom_fleet_tests::{Fleet, processes_below, scan};

#[test]
fn inv10_no_vault_and_no_host_ever_holds_a_password_or_a_backup_key() {
    let fleet = Fleet::start(100_000);
    let password = "Zebra-Quartz-Umbrella-93-Xylophone";
    fleet.password("right", password);
    fleet.new_device("phone", "alice");
    let enrolled = fleet.device("phone", &["enroll", "--password-file", "right"]);
    assert_eq!(enrolled.code, 0, "{}", enrolled.text);
    let shown = fleet.device("phone", &["key", "show"]).text;
    let digits = |line: &&str| line.len() == 64 && line.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = shown.lines().map(str::trim).find(digits).expect("64 digits").to_owned();
    let backup_key = hex::decode(&digits).expect("hexadecimal");
    let slot_free = b"encrypted_backups.fleet_keys";

    let processes = processes_below(fleet.path("fleet").as_path());
    assert!(processes.len() >= 15, "seven vaults, seven hosts, a gateway: {processes:?}");
    let needles: [&[u8]; 4] = [password.as_bytes(), &backup_key, digits.as_bytes(), slot_free];
    let mut controls = 0;
    for round in 0..3 {
        std::thread::scope(|scope| {
            let recovery = scope.spawn(|| fleet.recover("phone", "right"));
            for process in &processes {
                let found = scan(process.pid, &needles).expect("memory is readable to root");
                assert_eq!(found[..3], [false; 3], "round {round}: {process:?}");
                controls += usize::from(found[3]);
            }
            assert_eq!(recovery.join().expect("recovery").code, 0);
        });
    }
    // The same search finds what is there: the manifest's namespace, in every vault at least.
    assert!(controls >= 3 * 7, "the search found nothing at all: {controls}");
}
