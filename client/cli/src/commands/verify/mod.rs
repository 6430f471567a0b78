//! `strongroom verify`: what anybody can check of a fleet, with a trust file and a log (spec §23).

mod binary;
mod bundle;
mod events;
mod examine;
mod fleet;
mod kept;
mod report;
mod say;
mod signatures;
mod source;
mod watch;

use crate::{
    Context,
    args::{FleetArgs, VerifyArgs, VerifyCommand},
    failure::{Failure, exit},
    interrupt,
    voice::Voice,
};
use examine::{Subject, examine};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::{Outcome, Report};
use serde_json::json;
use source::Source;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use strongroom_sdk::now_ms;
use strongroom_verify::{
    BUNDLE_LEN_MAX, EVIDENCE_LEN_MAX, Evidence, KeptHead, TRUST_LEN_MAX, Trust,
};
use strongroom_wire::digest::sha256;

const PROFILE_LEN_MAX: usize = 64 * 1_024;
/// Programs are told as often as a person would look.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What was asked for, with its defaults.
struct Settings {
    from: Option<PathBuf>,
    binary: Option<PathBuf>,
    evidence_out: Option<PathBuf>,
    every: Duration,
    rounds: Option<u64>,
    witnesses: Vec<String>,
}

impl Settings {
    fn of(args: &VerifyArgs, trust: &Trust) -> Self {
        let named = args.witness.clone();
        let of_policy = trust.policy().witnesses().iter().filter_map(|witness| witness.url());
        let of_policy = of_policy.map(|url| String::from_utf8_lossy(url).into_owned());
        Self {
            from: args.from.clone(),
            binary: args.binary.clone(),
            evidence_out: args.evidence_out.clone(),
            every: Duration::from_secs(args.every),
            rounds: if args.once { Some(1) } else { args.rounds },
            witnesses: if named.is_empty() { of_policy.collect() } else { named },
        }
    }

    fn load_head(&self, trust: &Trust) -> Result<Option<KeptHead>, Failure> {
        let head = self.from.as_deref().map(|path| kept::load(path, trust));
        Ok(head.transpose()?.flatten())
    }
}

/// Verifies what was asked for.
pub(crate) fn run(cx: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let (trust_named, log_named) = defaults(cx)?;
    if let Some(command) = &args.what {
        // Nothing is left out silently: these look at no log.
        let others = [&args.from, &args.offline, &args.binary, &args.evidence_out];
        if args.log.is_some() || args.watch || others.iter().any(|other| other.is_some()) {
            let what =
                "`verify evidence` and `verify fleet` take a path and their own options only";
            return Err(Failure::usage(what).free());
        }
        let (VerifyCommand::Evidence { trust, .. } | VerifyCommand::Fleet(FleetArgs { trust, .. })) =
            command;
        let trust = load_trust(trust.clone().or(args.trust.clone()).or(trust_named))?;
        return match command {
            VerifyCommand::Evidence { file, .. } => judge(cx.voice, file, &trust),
            VerifyCommand::Fleet(args) => fleet::check(cx.voice, args, &trust),
        };
    }
    let trust = load_trust(args.trust.clone().or(trust_named))?;
    let settings = Settings::of(args, &trust);
    if let Some(bundle) = &args.offline {
        return offline(cx, &settings, bundle, &trust);
    }
    let of_policy = trust.policy().logs().first().and_then(|log| log.url());
    let of_policy = of_policy.map(|url| String::from_utf8_lossy(url).into_owned());
    let log = args.log.clone().or(log_named).or(of_policy).ok_or_else(|| {
        Failure::usage("no log").hint("name where it is with --log URL or --log DIR").free()
    })?;
    let source = Source::open(&log, cx.patience)
        .map_err(|why| Failure::new(exit::PARTIAL, "source", why).free())?;
    if args.watch {
        return watch::watch(cx, &settings, &trust, &source);
    }
    let head = settings.load_head(&trust)?;
    if let (Some(path), None) = (&settings.from, &head) {
        let text = format!("no kept head in {}: checking from epoch 1", path.display());
        cx.voice.note("note", &text);
    }
    let subject = Subject {
        trust: &trust,
        source: &source,
        kept: head.as_ref(),
        binary: settings.binary.as_deref(),
        now_ms: now_ms(),
    };
    let mut bar = Bar::new(cx.voice);
    let (report, _) = examine(&subject, |done, total| bar.show(done, total));
    bar.bar.finish_and_clear();
    if interrupt::is_cancelled() {
        return Err(Failure::declined());
    }
    conclude(cx, &settings, &report, &trust)?;
    // What was said is kept only after it was said; a crash between checks the same epochs once more.
    if let (Some(path), Some(head)) = (&settings.from, &report.head) {
        kept::save(path, head, &trust)?;
    }
    ended(&report)
}

/// What a profile says of trust and log. Flags win; a profile is not needed.
fn defaults(cx: &Context) -> Result<(Option<PathBuf>, Option<String>), Failure> {
    let path = cx.home.path("profile.toml");
    let failed = |why: String| Failure::usage(format!("{}: {why}", path.display())).free();
    let Some(bytes) = kept::read(&path, PROFILE_LEN_MAX).map_err(|e| failed(e.to_string()))? else {
        return Ok((None, None));
    };
    let text = String::from_utf8(bytes).map_err(|_| failed("not UTF-8".to_owned()))?;
    // The message alone: the line it quotes may hold a token.
    let profile: toml::Table =
        text.parse().map_err(|e: toml::de::Error| failed(e.message().to_owned()))?;
    let named = |name: &str| profile.get(name).and_then(toml::Value::as_str);
    let log = named("log").map(|log| {
        if log.contains("://") {
            log.to_owned()
        } else {
            cx.home.resolve(Path::new(log)).display().to_string()
        }
    });
    Ok((named("trust").map(|trust| cx.home.resolve(Path::new(trust))), log))
}

fn load_trust(path: Option<PathBuf>) -> Result<Trust, Failure> {
    let path = path.ok_or_else(|| {
        Failure::usage("no trust file")
            .hint("name it with --trust; get it from whom you believe, not from the log")
            .free()
    })?;
    let failed = |why: String| Failure::usage(format!("{}: {why}", path.display())).free();
    let bytes = kept::read(&path, TRUST_LEN_MAX).map_err(|e| failed(e.to_string()))?;
    let bytes = bytes.ok_or_else(|| failed("does not exist".to_owned()))?;
    Trust::parse(&bytes).map_err(|error| failed(error.to_string()))
}

fn offline(cx: &Context, settings: &Settings, file: &Path, trust: &Trust) -> Result<(), Failure> {
    let head = settings.load_head(trust)?;
    let mut report = Report::default();
    examine::trust_stage(trust, &mut report);
    match kept::read(file, BUNDLE_LEN_MAX) {
        Ok(Some(bytes)) => bundle::offline(&bytes, trust, now_ms(), head.as_ref(), &mut report),
        Ok(None) => {
            let text = format!("{} does not exist", file.display());
            report.put("bundle", Outcome::Unchecked, text);
        }
        Err(error) => {
            let text = format!("cannot read {}: {error}", file.display());
            report.put("bundle", Outcome::Unchecked, text);
        }
    }
    conclude(cx, settings, &report, trust)?;
    ended(&report)
}

/// Says everything, and writes evidence if there is any.
fn conclude(
    cx: &Context,
    settings: &Settings,
    report: &Report,
    trust: &Trust,
) -> Result<(), Failure> {
    // Before it is said: who reads of evidence finds it.
    let evidence = write_evidence(settings, report)?;
    say::stages(cx.voice, report);
    say::verdict(cx.voice, report, trust, evidence.as_deref());
    Ok(())
}

fn ended(report: &Report) -> Result<(), Failure> {
    match say::exit_code(report.outcome()) {
        0 => Ok(()),
        code => Err(Failure::said(code)),
    }
}

/// Never over another file: what is there may be evidence, too.
fn write_evidence(settings: &Settings, report: &Report) -> Result<Option<PathBuf>, Failure> {
    let Some(evidence) = &report.evidence else { return Ok(None) };
    let bytes = evidence.to_bytes();
    let digits: String = hex::encode(sha256(&bytes)).chars().take(16).collect();
    let usual = || PathBuf::from(format!("strongroom-evidence-{digits}.json"));
    let path = settings.evidence_out.clone().unwrap_or_else(usual);
    match kept::write_new(&path, &bytes) {
        Ok(()) => Ok(Some(path)),
        Err(_)
            if kept::read(&path, EVIDENCE_LEN_MAX)
                .is_ok_and(|there| there.as_ref() == Some(&bytes)) =>
        {
            Ok(Some(path))
        }
        Err(error) => Err(Failure::machine(format!(
            "CONTRADICTION found, and its evidence could not be written to {}: {error}",
            path.display()
        ))
        .hint("name another file with --evidence-out and check again; send nothing to this fleet")
        .free()),
    }
}

/// Judges an evidence file: 0 it is genuine, 1 it proves nothing.
fn judge(voice: Voice, file: &Path, trust: &Trust) -> Result<(), Failure> {
    let unread = |why: String| {
        Failure::new(exit::PARTIAL, "evidence", format!("cannot read {}: {why}", file.display()))
            .free()
    };
    let bytes = kept::read(file, EVIDENCE_LEN_MAX).map_err(|e| unread(e.to_string()))?;
    let bytes = bytes.ok_or_else(|| unread("it does not exist".to_owned()))?;
    let proven = Evidence::parse(&bytes).and_then(|evidence| evidence.check(trust));
    match proven {
        Ok(proven) => {
            let accused: Vec<_> = proven
                .accused
                .iter()
                .map(|one| json!({"role": one.role, "name": one.name}))
                .collect();
            let names: Vec<String> =
                proven.accused.iter().map(|one| format!("{} {}", one.role, one.name)).collect();
            let text =
                format!("Genuine evidence against the {}: {}.", names.join(", the "), proven.what);
            let facts = json!({
                "schema": say::SCHEMA,
                "outcome": "proven",
                "exit_code": 0,
                "kind": proven.kind,
                "accused": accused,
                "text": text,
            });
            voice.result("evidence", &text, facts);
            Ok(())
        }
        Err(why) => {
            let text = format!("Proves nothing: {why}.");
            let facts = json!({
                "schema": say::SCHEMA,
                "outcome": "nothing",
                "exit_code": exit::FAILED,
                "kind": null,
                "accused": [],
                "text": text,
            });
            voice.result("evidence", &text, facts);
            Err(Failure::said(exit::FAILED))
        }
    }
}

/// How far a long history is: a bar on a terminal, lines for programs.
struct Bar {
    voice: Voice,
    bar: ProgressBar,
    told: Option<Instant>,
}

impl Bar {
    fn new(voice: Voice) -> Self {
        let target = if voice.has_audience() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style =
            ProgressStyle::with_template("checking  {bar:30} {pos} of {len} epochs, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { voice, bar, told: None }
    }

    fn show(&mut self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        if self.voice.is_json() && self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            self.voice.result("progress", "", json!({"epochs_done": done, "epochs_total": total}));
        }
    }
}
