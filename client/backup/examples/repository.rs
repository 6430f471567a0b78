//! The library on a command line: `repository init|backup|restore|snapshots|check LOCATION [PATH]`,
//! with the 64 digits of the key in `BACKUP_KEY`. Results are JSON; progress goes to standard error.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom_backup::{
    BackupKey, BackupOptions, CheckOptions, Error, Flow, Repository, RestoreOptions, Result, Update,
};

fn main() -> ExitCode {
    let Err(error) = run() else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("  hint: {hint}");
    }
    ExitCode::from(match error {
        Error::Partial { .. } => 3,
        Error::Cancelled => 130,
        _ => 1,
    })
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().unwrap_or_default();
    let (verb, location, path) = (next(), next().parse()?, PathBuf::from(next()));
    let key = BackupKey::from_digits(&std::env::var("BACKUP_KEY").unwrap_or_default())?;
    if verb == "init" {
        return Repository::init(&location, &key).map(drop);
    }
    let repository = Repository::open(&location, &key)?;
    let progress = Arc::new(|update: &Update| {
        eprint!("\r{:?} {} bytes", update.phase, update.bytes_done);
        Flow::Continue
    });
    let json = match verb.as_str() {
        "backup" => {
            let done = repository.backup(&[path], &BackupOptions::default(), progress)?;
            serde_json::to_string(&done.complete()?)
        }
        "restore" => {
            let options = RestoreOptions::default();
            let done = repository.restore("latest", &path, &options, progress)?;
            serde_json::to_string(&done.complete()?)
        }
        "check" => {
            let options = CheckOptions { read_data: true };
            serde_json::to_string(&repository.check(&options, progress)?)
        }
        _ => serde_json::to_string(&repository.snapshots()?),
    };
    eprintln!();
    println!("{}", json.unwrap_or_default());
    Ok(())
}
