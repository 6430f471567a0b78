//! `cargo xtask coverage`: which lines of `trusted/` are reached, and why the others are not.
//!
//! Code that only tests run does not count, nor do deliberate bugs, nor lines that only close a
//! bracket. A line that nothing reaches is explained in `proof/coverage.toml`, or the command
//! fails; so does an explanation of what is reached.

mod explained;
mod measured;
mod runs;

use crate::args::CoverageOptions;
use crate::process::Failure;
use crate::setup;
use crate::tidy::{self, Line};
use explained::{Explained, Stretch};
use measured::{Measured, Share};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

const LIST: &str = "proof/coverage.toml";

/// Files by path.
type Files = BTreeMap<String, Measured>;

pub(crate) fn run(root: &Path, options: &CoverageOptions) -> Result<(), Failure> {
    let text = std::fs::read_to_string(root.join(LIST)).map_err(|e| format!("{LIST}: {e}"));
    let explained = text.and_then(|text| explained::parse(&text)).map_err(Failure::check)?;
    setup::for_coverage(root).map_err(Failure::check)?;
    let code = tidy::trusted_code(root).map_err(Failure::check)?;
    let (files, after) = measure(root, &code).map_err(Failure::check)?;
    let stretches: Vec<Stretch> = code
        .iter()
        .filter_map(|(path, lines)| Some((path, lines, files.get(path)?)))
        .flat_map(|(path, lines, file)| stretches(path, lines, &file.missed))
        .collect();
    report(&files, &after);
    if options.html {
        runs::html(root).map_err(Failure::check)?;
    }
    if options.json {
        write_json(root, &files, &after, &stretches).map_err(Failure::check)?;
    }
    judge(&stretches, &explained)
}

/// A run by its name, lines and regions after it.
type After = (&'static str, Share, Share);

fn measure(root: &Path, code: &[(String, Vec<Line>)]) -> Result<(Files, Vec<After>), String> {
    runs::forget(root)?;
    let mut after = Vec::new();
    let mut files = Files::new();
    for run in runs::RUNS {
        let began = Instant::now();
        println!("\n=== {} ===", run.name);
        (run.run)(root)?;
        files = measured::read(root, &runs::export(root)?, code)?;
        println!("--- {:.0} s", began.elapsed().as_secs_f64());
        let (lines, regions) = sum(files.values());
        after.push((run.name, lines, regions));
    }
    Ok((files, after))
}

fn sum<'a>(files: impl Iterator<Item = &'a Measured>) -> (Share, Share) {
    files.fold(Default::default(), |(mut lines, mut regions): (Share, Share), file| {
        lines.add(file.lines);
        regions.add(file.regions);
        (lines, regions)
    })
}

/// Missed lines that have no reached line of code between them.
fn stretches(path: &str, lines: &[Line], missed: &[usize]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for &number in missed {
        let goes_on = |last: &&mut Stretch| {
            let between = lines.get(last.last..number - 1).unwrap_or_default();
            between.iter().all(|line| !line.counts() || measured::is_no_statement(&line.code))
        };
        if let Some(last) = stretches.last_mut().filter(|last| goes_on(last)) {
            last.last = number;
            last.lines += 1;
        } else {
            let code = lines.get(number - 1).map_or("", |line| line.raw.trim()).to_owned();
            let above = lines.iter().take(number - 1).rev();
            let under = above.filter(|line| line.counts()).find(|line| decides(&line.code));
            let under = under.map_or("", |line| line.raw.trim()).to_owned();
            let (first, last) = (number, number);
            stretches.push(Stretch { file: path.to_owned(), first, last, lines: 1, under, code });
        }
    }
    stretches
}

/// Whether a line tells more than that something else begins.
fn decides(code: &str) -> bool {
    !measured::is_no_statement(code) && code.trim() != "else {"
}

fn report(files: &Files, after: &[After]) {
    let row = |name: &str, lines: Share, regions: Share| {
        println!(
            "{name:<46} {:>5} of {:>5} lines {:>6.2} %  {:>5} of {:>5} regions {:>6.2} %",
            lines.reached,
            lines.all,
            lines.percent(),
            regions.reached,
            regions.all,
            regions.percent()
        );
    };
    println!("\nafter each run:");
    after.iter().for_each(|(name, lines, regions)| row(name, *lines, *regions));
    println!("\nby crate:");
    for (name, (lines, regions)) in by_crate(files) {
        row(&name, lines, regions);
    }
    let (lines, regions) = sum(files.values());
    row("trusted/", lines, regions);
}

fn by_crate(files: &Files) -> BTreeMap<String, (Share, Share)> {
    let mut crates: BTreeMap<String, (Share, Share)> = BTreeMap::new();
    for (path, file) in files {
        let name = path.split('/').take(2).collect::<Vec<_>>().join("/");
        let (lines, regions) = crates.entry(name).or_default();
        lines.add(file.lines);
        regions.add(file.regions);
    }
    crates
}

fn write_json(
    root: &Path,
    files: &Files,
    after: &[After],
    stretches: &[Stretch],
) -> Result<(), String> {
    let share = |share: &Share| serde_json::json!({ "reached": share.reached, "all": share.all });
    let both = |lines: &Share, regions: &Share| serde_json::json!({ "lines": share(lines), "regions": share(regions) });
    let crates: BTreeMap<_, _> =
        by_crate(files).into_iter().map(|(name, (l, r))| (name, both(&l, &r))).collect();
    let partly: BTreeMap<_, _> = files.iter().map(|(path, file)| (path, &file.partly)).collect();
    let missed: Vec<_> = stretches
        .iter()
        .map(|s| {
            serde_json::json!({
                "file": s.file, "first": s.first, "last": s.last, "lines": s.lines,
                "under": s.under, "code": s.code,
            })
        })
        .collect();
    let after: Vec<_> = after
        .iter()
        .map(|(name, l, r)| serde_json::json!({ "run": name, "total": both(l, r) }))
        .collect();
    let all =
        serde_json::json!({ "runs": after, "crates": crates, "missed": missed, "partly": partly });
    let path = runs::target(root).join("coverage.json");
    std::fs::write(&path, format!("{all:#}\n")).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn judge(stretches: &[Stretch], explained: &[Explained]) -> Result<(), Failure> {
    let (unexplained, stale) = explained::compare(stretches, explained);
    let lines: usize = stretches.iter().map(|stretch| stretch.lines).sum();
    println!(
        "\n{lines} lines are not reached, in {} places; {} explained in {LIST}",
        stretches.len(),
        stretches.len() - unexplained.len()
    );
    for stretch in &unexplained {
        let Stretch { file, first, last, lines, under, code } = stretch;
        println!("{file}:{first}-{last} is not reached ({lines} lines): {under} ... {code}");
    }
    for Explained { file, under, code, lines, why } in &stale {
        println!(
            "{LIST} explains what is reached, or is no more: {file}, {lines} lines from `{code}` \
             under `{under}` ({why})"
        );
    }
    if unexplained.is_empty() && stale.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!(
        "{} places are neither reached nor explained, {} explanations are of nothing",
        unexplained.len(),
        stale.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str, missed: &[usize]) -> Vec<Stretch> {
        stretches("x.rs", &tidy::Source::new(code, false).lines, missed)
    }

    #[test]
    fn what_stands_together_is_one_stretch() {
        let found = found("a();\n// why\nb();\n}\nc();\nreached();\nd();\n", &[1, 3, 5, 7]);
        let told: Vec<_> = found.iter().map(|s| (s.first, s.last, s.lines, &*s.code)).collect();
        assert_eq!(told, [(1, 5, 3, "a();"), (7, 7, 1, "d();")]);
    }

    #[test]
    fn a_stretch_is_named_by_the_line_above_that_decides() {
        let code = "let Some(a) = b()\nelse {\n    // why\n    return;\n};\n";
        assert_eq!(found(code, &[4])[0].under, "let Some(a) = b()");
        assert_eq!(found("a();\n", &[1])[0].under, "");
    }

    #[test]
    fn a_line_that_nobody_explains_fails_and_so_does_an_explanation_of_none() {
        let missed = found("let Some(a) = b() else {\n    return;\n};\n", &[2]);
        let list = "[[line]]\nfile = \"x.rs\"\nunder = \"let Some(a) = b() else {\"\n\
                    code = \"return;\"\nwhy = \"b() is never nothing\"\n";
        let list = explained::parse(list).expect("a list");
        assert!(judge(&missed, &list).is_ok() && judge(&[], &[]).is_ok());
        assert_eq!(judge(&missed, &[]).expect_err("unexplained").code, 1);
        assert_eq!(judge(&[], &list).expect_err("stale").code, 1);
    }
}
