//! What `llvm-cov` exported, as lines and regions of the code that ships.

use crate::tidy::Line;
use std::collections::BTreeMap;
use std::path::Path;

/// How much of something was reached.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) reached: usize,
    pub(crate) all: usize,
}

impl Share {
    fn count(&mut self, reached: bool) {
        self.all += 1;
        self.reached += usize::from(reached);
    }

    pub(crate) fn add(&mut self, other: Share) {
        self.all += other.all;
        self.reached += other.reached;
    }

    pub(crate) fn percent(self) -> f64 {
        if self.all == 0 { 100.0 } else { 100.0 * self.reached as f64 / self.all as f64 }
    }
}

/// One file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) lines: Share,
    pub(crate) regions: Share,
    /// Lines that nothing reached, counted from 1.
    pub(crate) missed: Vec<usize>,
    /// Lines that were reached, but not each branch on them.
    pub(crate) partly: Vec<usize>,
}

/// Where the count changes: `[line, column, count, has count, is entry, is gap]`.
#[derive(Debug, Clone, Copy)]
struct Segment {
    line: usize,
    count: u64,
    counts: bool,
    enters: bool,
}

/// Each file of the export, by its path from the root.
pub(crate) fn read(
    root: &Path,
    export: &str,
    code: &[(String, Vec<Line>)],
) -> Result<BTreeMap<String, Measured>, String> {
    let export: serde_json::Value =
        serde_json::from_str(export).map_err(|e| format!("llvm-cov: {e}"))?;
    let files = export["data"][0]["files"].as_array().ok_or("llvm-cov exported no files")?;
    let mut measured = BTreeMap::new();
    for (path, lines) in code {
        let full = root.join(path);
        let of =
            |file: &&serde_json::Value| file["filename"].as_str().map(Path::new) == Some(&full);
        if let Some(file) = files.iter().find(of) {
            let segments = file["segments"].as_array().into_iter().flatten();
            let segments: Vec<Segment> = segments.filter_map(segment).collect();
            measured.insert(path.clone(), measure(&segments, lines));
        }
    }
    if measured.is_empty() {
        return Err("llvm-cov saw no file of trusted/".to_owned());
    }
    Ok(measured)
}

fn segment(value: &serde_json::Value) -> Option<Segment> {
    let flag = |at: usize| value[at].as_bool();
    Some(Segment {
        line: usize::try_from(value[0].as_u64()?).ok()?,
        count: value[2].as_u64()?,
        counts: flag(3)?,
        enters: flag(4)? && !flag(5)?,
    })
}

fn measure(segments: &[Segment], lines: &[Line]) -> Measured {
    let excluded = excluded(lines);
    let mut measured = Measured::default();
    let (mut at, mut before) = (0, None);
    for (number, line) in (1..).zip(lines) {
        let here: Vec<Segment> =
            segments[at..].iter().take_while(|segment| segment.line == number).copied().collect();
        at += here.len();
        let count = count(&here, before);
        before = here.last().copied().or(before);
        if !line.counts() || excluded[number - 1] || is_no_statement(&line.code) {
            continue;
        }
        if let Some(count) = count {
            measured.lines.count(count > 0);
            if count == 0 {
                measured.missed.push(number);
            }
            let entries = here.iter().filter(|segment| segment.counts && segment.enters);
            let mut whole = true;
            for entry in entries {
                whole &= entry.count > 0;
                measured.regions.count(entry.count > 0);
            }
            if count > 0 && !whole {
                measured.partly.push(number);
            }
        }
    }
    measured
}

/// As `llvm-cov` counts a line: the most of what begins on it and what goes on from before.
fn count(here: &[Segment], before: Option<Segment>) -> Option<u64> {
    let entries = here.iter().filter(|segment| segment.counts && segment.enters);
    let goes_on = before.filter(|segment| segment.counts);
    entries.chain(&goes_on).map(|segment| segment.count).max()
}

/// A closing bracket is reached or not with what it closes; what an attribute derives is not ours.
pub(crate) fn is_no_statement(code: &str) -> bool {
    let code = code.trim();
    let closes = |sign| "})];,?".contains(sign);
    code.chars().all(closes) || code == "} else {" || code.starts_with("#[")
}

/// Deliberate bugs: the line that asks for one, and the block that it opens.
fn excluded(lines: &[Line]) -> Vec<bool> {
    let mut excluded = vec![false; lines.len()];
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| l.raw.contains("danger_mutant_")) {
        excluded[at] = true;
        let Some(asked) = line.code.find("cfg!(") else { continue };
        if line.code[..asked].ends_with('!') {
            continue;
        }
        let mut depth = 0_usize;
        for (below, line) in lines.iter().enumerate().skip(at) {
            let from = if below == at { asked } else { 0 };
            let end = line.code[from..].chars().find(|sign| match sign {
                '{' | '(' => {
                    depth += 1;
                    false
                }
                '}' | ')' => {
                    depth = depth.saturating_sub(1);
                    depth == 0 && *sign == '}'
                }
                _ => depth == 0 && matches!(sign, ';' | ','),
            });
            // The line that ends a block has the brace alone, or what stands in for the bug.
            excluded[below] |= end != Some('}');
            if end.is_some() {
                break;
            }
        }
    }
    excluded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Source;

    fn lines(text: &str) -> Vec<Line> {
        Source::new(text, false).lines
    }

    fn entry(line: usize, count: u64) -> Segment {
        Segment { line, count, counts: true, enters: true }
    }

    #[test]
    fn a_line_that_nothing_reached_is_told() {
        let code = "fn a() {\n    if b {\n        c();\n    }\n    d();\n}\n";
        let back = Segment { enters: false, ..entry(4, 3) };
        let seen = measure(&[entry(1, 3), entry(2, 0), back], &lines(code));
        assert_eq!(seen.missed, [3]);
        assert_eq!(seen.lines, Share { reached: 3, all: 4 });
        assert_eq!(seen.regions, Share { reached: 1, all: 2 });
    }

    #[test]
    fn a_branch_inside_a_reached_line_is_told_apart() {
        let seen = measure(&[entry(1, 2), entry(1, 0)], &lines("a.or_else(|| b());\n"));
        assert_eq!((seen.missed, seen.partly), (vec![], vec![1]));
    }

    #[test]
    fn what_only_closes_derives_or_tests_does_not_count() {
        let code =
            "#[derive(Debug)]\n#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n    })\n// words\n";
        let segments: Vec<Segment> = (1..=7).map(|line| entry(line, 0)).collect();
        assert_eq!(measure(&segments, &lines(code)), Measured::default());
    }

    #[test]
    fn a_deliberate_bug_does_not_count_and_what_stands_beside_it_does() {
        let code = "let a = if cfg!(feature = \"danger_mutant_x\") {\n    bad()\n} else {\n    \
                    good()\n};\nif e && !cfg!(feature = \"danger_mutant_y\") {\n    good()\n}\n";
        let seen = excluded(&lines(code));
        assert_eq!(seen, [true, true, false, false, false, true, false, false]);
        let arm = "    x if cfg!(feature = \"danger_mutant_z\") => None,\n    y => good(),\n";
        assert_eq!(excluded(&lines(arm)), [true, false]);
        let late = "let free = cfg!(feature = \"danger_mutant_z\")\n    && b;\nif free {\n}\n";
        assert_eq!(excluded(&lines(late)), [true, true, false, false]);
    }
}
