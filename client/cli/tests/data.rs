//! The user's data and the key, without and with a fleet.

mod stage;

use stage::Stage;
use std::fs;

fn photos(stage: &Stage) -> String {
    let photos = stage.path("photos");
    fs::create_dir_all(photos.join("2026")).expect("dir");
    fs::write(photos.join("2026/cat.jpg"), vec![7; 100_000]).expect("file");
    fs::write(photos.join("list"), "cat").expect("file");
    photos.display().to_string()
}

#[test]
fn a_new_phone_recovers_the_key_and_then_the_files() {
    let stage = Stage::enrolled();
    let (photos, repository) = (photos(&stage), stage.path("repo").display().to_string());
    let done =
        stage.run(&["backup", &photos, "--repository", &repository, "--tag", "t"]).succeeds();
    assert!(done.err.contains("made a new repository at"), "{done:?}");
    assert!(done.out.starts_with("Snapshot "), "{done:?}");
    // The place is remembered.
    stage.run(&["backup", &photos]).succeeds();
    let listed = stage.run(&["snapshots"]).succeeds().out;
    assert_eq!(listed.lines().count(), 3, "{listed}");

    stage.phone("new");
    stage.run_on("new", &["recover", "PW:correct horse"]).succeeds();
    let out = stage.path("out").display().to_string();
    stage.run_on("new", &["restore", "latest", &out, "-r", &repository]).succeeds();
    let cat = fs::read(stage.path("out").join("photos/2026/cat.jpg")).expect("restored");
    assert_eq!(cat, vec![7; 100_000]);
    let checked = stage.run_on("new", &["check", "--read-data"]).succeeds();
    assert!(checked.out.starts_with("no errors: 2 snapshots"), "{checked:?}");
    let shallow = stage.run_on("new", &["check"]).succeeds();
    assert!(shallow.out.contains("NOT checked: the data itself"), "{shallow:?}");
}

#[test]
fn json_lines_say_what_was_done() {
    let stage = Stage::enrolled();
    let (photos, repository) = (photos(&stage), stage.path("repo").display().to_string());
    let done = stage.run(&["--json", "backup", &photos, "-r", &repository]).succeeds();
    assert_eq!(done.json("backed_up")["files_new"], 2);
    assert!(done.json("progress")["phase"].is_string());
    let listed = stage.run(&["--json", "snapshots"]).succeeds();
    assert_eq!(listed.json("snapshot")["paths"][0], photos.as_str());
    let out = stage.path("out").display().to_string();
    let back = stage.run(&["--json", "restore", "latest", &out]).succeeds();
    assert_eq!(back.json("restored")["files_restored"], 2);
    let checked = stage.run(&["--json", "check"]).succeeds();
    assert_eq!(checked.json("checked")["read_data"], false);
}

#[test]
fn what_is_missing_has_its_exit_code_and_hint() {
    let stage = Stage::new();
    let photos = photos(&stage);
    let none = stage.run(&["backup", &photos, "-r", "x"]);
    assert_eq!(none.code, 10);
    assert!(none.err.contains("this device has no backup key"), "{none:?}");
    stage.run(&["enroll", "PW:correct horse"]).succeeds();
    let nowhere = stage.run(&["backup", &photos]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("error: no repository"), "{nowhere:?}");
    let empty = stage.path("empty").display().to_string();
    assert_eq!(stage.run(&["snapshots", "-r", &empty]).code, 10);
    let repository = stage.path("repo").display().to_string();
    stage.run(&["backup", &photos, "-r", &repository]).succeeds();
    // A place that was used before is not made anew when it is gone.
    fs::rename(stage.path("repo"), stage.path("unplugged")).expect("rename");
    assert_eq!(stage.run(&["backup", &photos]).code, 10);
    assert!(!stage.path("repo").exists());
    let unknown = stage.run(&["backup", &photos, "-r", "s3:bucket"]);
    assert_eq!(unknown.code, 2);
}

#[test]
fn a_key_can_be_kept_without_any_vault() {
    let stage = Stage::new();
    let digits = "5e".repeat(32);
    let file = stage.path("digits");
    fs::write(&file, format!("{digits}\n")).expect("write");
    let file = file.display().to_string();
    stage.run(&["key", "import", "--key-file", &file]).succeeds();
    assert_eq!(stage.run(&["key", "show"]).succeeds().out.trim(), digits);
    let (photos, repository) = (photos(&stage), stage.path("repo").display().to_string());
    let done = stage.run(&["backup", &photos, "-r", &repository]).succeeds();
    assert!(done.err.contains("the backup key is on this device only"), "{done:?}");

    fs::write(&file, "ab".repeat(32)).expect("write");
    let other = stage.run(&["key", "import", "--key-file", &file]);
    assert_eq!(other.code, 2);
    let replaced = stage.run(&["key", "import", "--replace", "--key-file", &file]).succeeds();
    assert!(replaced.out.contains("The old one is kept in"), "{replaced:?}");
    // The repository was made with the old key.
    let wrong = stage.run(&["snapshots", "-r", &repository]);
    assert_eq!(wrong.code, 12);
    assert!(wrong.err.contains("wrong backup key"), "{wrong:?}");
    fs::write(&file, "short").expect("write");
    assert_eq!(stage.run(&["key", "import", "--key-file", &file]).code, 2);
}

#[test]
fn an_imported_key_is_the_one_that_is_enrolled() {
    let stage = Stage::new();
    let digits = "5e".repeat(32);
    let file = stage.path("digits");
    fs::write(&file, &digits).expect("write");
    stage.run(&["key", "import", "--key-file", &file.display().to_string()]).succeeds();
    stage.run(&["enroll", "PW:correct horse"]).succeeds();
    stage.phone("new");
    stage.run_on("new", &["recover", "PW:correct horse"]).succeeds();
    assert_eq!(stage.run_on("new", &["key", "show"]).succeeds().out.trim(), digits);
}
