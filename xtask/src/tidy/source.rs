//! Rust text, taken apart just far enough: code, comments and tests, line by line.
//!
//! No parser: the rules need to know what is a comment, what is a string and what is compiled only
//! for tests, and must keep working on files that do not compile yet.

/// One line of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// As it stands in the file.
    pub(crate) raw: String,
    /// Without comments; the inside of strings and characters is `_`.
    pub(crate) code: String,
    /// Only what stands in comments, with their slashes.
    pub(crate) comment: String,
    /// Compiled for tests only.
    pub(crate) test: bool,
}

impl Line {
    /// True when the line counts in the budget: it holds code that ships.
    pub(crate) fn counts(&self) -> bool {
        !self.test && !self.code.trim().is_empty()
    }

    /// The text of a documentation comment, without its slashes.
    pub(crate) fn documentation(&self) -> Option<&str> {
        let comment = self.comment.trim_start();
        comment.strip_prefix("///").or_else(|| comment.strip_prefix("//!")).map(str::trim)
    }
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(super) name: String,
    /// Line of the `fn`, counted from 0.
    pub(super) first: usize,
    /// Line of the closing brace.
    pub(super) last: usize,
}

/// One Rust file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) lines: Vec<Line>,
    pub(crate) functions: Vec<Function>,
    /// Modules that this file declares for tests only.
    pub(super) test_modules: Vec<String>,
}

impl Source {
    /// Takes a file apart. `all_test` says that the whole file is compiled for tests only.
    pub(crate) fn new(text: &str, all_test: bool) -> Source {
        let mut lines = split(text);
        let code = Code::of(&lines);
        let functions = code.functions();
        let (spans, test_modules) = code.test_spans();
        for (first, last) in spans {
            lines.iter_mut().take(last + 1).skip(first).for_each(|line| line.test = true);
        }
        if all_test || code.is_test_file() {
            lines.iter_mut().for_each(|line| line.test = true);
        }
        Source { lines, functions, test_modules }
    }

    /// Lines that ship, with their number counted from 1.
    pub(super) fn shipped(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.test)
            .map(|(at, line)| (at + 1, line))
    }
}

/// True when `word` stands in `text` and is not part of a longer identifier.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part =
        |sign: Option<char>| sign.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
    let (first, last) = (word.chars().next(), word.chars().next_back());
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let continues_left = is_part(first) && is_part(before.chars().next_back());
        let continues_right = is_part(last) && is_part(after.chars().next());
        !continues_left && !continues_right
    })
}

/// What the scanner is inside of.
enum Inside {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text { raw_hashes: Option<usize> },
}

fn split(text: &str) -> Vec<Line> {
    let signs: Vec<char> = text.chars().collect();
    let mut lines = vec![Line::default()];
    let mut inside = Inside::Code;
    let mut at = 0;
    while let Some(&sign) = signs.get(at) {
        if sign == '\n' {
            if matches!(inside, Inside::LineComment) {
                inside = Inside::Code;
            }
            lines.push(Line::default());
            at += 1;
            continue;
        }
        let (took, into_comment, next) = advance(&signs, at, &inside);
        let in_text = matches!(inside, Inside::Text { .. });
        let ends = matches!(next, Some(Inside::Code));
        let visible = took == 1 && (!in_text || ends);
        if let Some(line) = lines.last_mut() {
            let part: String = signs.iter().skip(at).take(took).filter(|&&s| s != '\n').collect();
            line.raw.push_str(&part);
            if into_comment {
                line.comment.push_str(&part);
                line.code.extend(std::iter::repeat_n(' ', part.chars().count()));
            } else if visible {
                line.code.push(if sign.is_ascii() { sign } else { '_' });
            } else {
                line.code.extend(
                    part.chars().map(|sign| if sign == '\'' && !in_text { sign } else { '_' }),
                );
            }
        }
        at += took;
        if let Some(next) = next {
            inside = next;
        }
    }
    if text.ends_with('\n') {
        lines.pop();
    }
    lines
}

/// How many characters belong together at `at`, whether they are comment, and what comes next.
fn advance(signs: &[char], at: usize, inside: &Inside) -> (usize, bool, Option<Inside>) {
    let sees = |text: &str| text.chars().enumerate().all(|(i, c)| signs.get(at + i) == Some(&c));
    match inside {
        Inside::LineComment => (1, true, None),
        Inside::BlockComment { depth } if sees("*/") => {
            let next =
                if *depth == 1 { Inside::Code } else { Inside::BlockComment { depth: depth - 1 } };
            (2, true, Some(next))
        }
        Inside::BlockComment { depth } if sees("/*") => {
            (2, true, Some(Inside::BlockComment { depth: depth + 1 }))
        }
        Inside::BlockComment { .. } => (1, true, None),
        Inside::Text { raw_hashes: None } if sees("\\") => {
            // An escaped line end must still end the line.
            if signs.get(at + 1) == Some(&'\n') { (1, false, None) } else { (2, false, None) }
        }
        Inside::Text { raw_hashes } if sees("\"") => {
            let hashes = raw_hashes.unwrap_or(0);
            let closes = (1..=hashes).all(|i| signs.get(at + i) == Some(&'#'));
            (1, false, closes.then_some(Inside::Code))
        }
        Inside::Text { .. } => (1, false, None),
        Inside::Code if sees("//") => (2, true, Some(Inside::LineComment)),
        Inside::Code if sees("/*") => (2, true, Some(Inside::BlockComment { depth: 1 })),
        Inside::Code if sees("\"") => {
            (1, false, Some(Inside::Text { raw_hashes: raw_hashes(signs, at) }))
        }
        Inside::Code if sees("'") => (character_length(signs, at), false, None),
        Inside::Code => (1, false, None),
    }
}

/// For the quote at `at`: the number of hashes when it opens a raw string.
fn raw_hashes(signs: &[char], at: usize) -> Option<usize> {
    let before = signs.get(..at)?;
    let hashes = before.iter().rev().take_while(|&&sign| sign == '#').count();
    let mut prefix = before.iter().rev().skip(hashes);
    if prefix.next() != Some(&'r') {
        return None;
    }
    let mut before_prefix = prefix.next();
    if matches!(before_prefix, Some('b' | 'c')) {
        before_prefix = prefix.next();
    }
    let part_of_name = before_prefix.is_some_and(|sign| sign.is_alphanumeric() || *sign == '_');
    (!part_of_name).then_some(hashes)
}

/// The length of the character literal at `at`, or 1 when the quote begins a lifetime.
fn character_length(signs: &[char], at: usize) -> usize {
    match (signs.get(at + 1), signs.get(at + 2)) {
        (Some('\\'), _) => {
            let rest = signs.iter().skip(at + 3).take(10);
            rest.take_while(|&&sign| sign != '\'' && sign != '\n').count() + 4
        }
        (Some(sign), Some('\'')) if *sign != '\n' => 3,
        _ => 1,
    }
}

/// The code of a whole file as one text, to find what spans lines.
struct Code {
    bytes: Vec<u8>,
}

impl Code {
    fn of(lines: &[Line]) -> Code {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend(line.code.bytes().map(|byte| if byte.is_ascii() { byte } else { b'_' }));
            bytes.push(b'\n');
        }
        Code { bytes }
    }

    fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn line_of(&self, at: usize) -> usize {
        self.bytes.iter().take(at).filter(|&&byte| byte == b'\n').count()
    }

    fn starts(&self, at: usize, text: &str) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(text.as_bytes()))
    }

    fn skip_space(&self, mut at: usize) -> usize {
        while self.at(at).is_ascii_whitespace() {
            at += 1;
        }
        at
    }

    fn word(&self, at: usize) -> String {
        let rest = self.bytes.iter().skip(at);
        rest.take_while(|&&byte| is_name(byte)).map(|&byte| char::from(byte)).collect()
    }

    /// From `at` to the end of the item there: its closing brace, its semicolon, or the place
    /// where the surrounding braces close.
    fn item_end(&self, mut at: usize) -> usize {
        let mut depth = 0_usize;
        while at < self.bytes.len() {
            match self.at(at) {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth == 0 => return at.saturating_sub(1),
                b'}' if depth == 1 => return at,
                b')' | b']' | b'}' => depth -= 1,
                b';' if depth == 0 => return at,
                _ => {}
            }
            at += 1;
        }
        self.bytes.len().saturating_sub(1)
    }

    /// The attribute at `at` (`#[` or `#![`): its text without spaces, and where it ends.
    fn attribute(&self, at: usize) -> Option<(String, usize)> {
        let open = if self.starts(at, "#![") { at + 2 } else { at + 1 };
        if self.at(at) != b'#' || self.at(open) != b'[' {
            return None;
        }
        let mut depth = 0_usize;
        let mut text = String::new();
        for place in open..self.bytes.len() {
            match self.at(place) {
                b'[' => depth += 1,
                b']' if depth == 1 => return Some((text, place + 1)),
                b']' => depth -= 1,
                _ => {}
            }
            if place > open && !self.at(place).is_ascii_whitespace() {
                text.push(char::from(self.at(place)));
            }
        }
        None
    }

    fn is_test_file(&self) -> bool {
        (0..self.bytes.len()).any(|at| {
            self.starts(at, "#![")
                && self.attribute(at).is_some_and(|(text, _)| is_test_only(&text))
        })
    }

    /// Line spans of items compiled for tests only, and names of such modules in other files.
    fn test_spans(&self) -> (Vec<(usize, usize)>, Vec<String>) {
        let (mut spans, mut modules) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < self.bytes.len() {
            let found = if self.starts(at, "#[") { self.attribute(at) } else { None };
            let Some((text, end)) = found else {
                at += 1;
                continue;
            };
            if !is_test_only(&text) {
                at = end;
                continue;
            }
            let mut item = self.skip_space(end);
            while let Some((_, next)) = self.attribute(item) {
                item = self.skip_space(next);
            }
            let last = self.item_end(item);
            spans.push((self.line_of(at), self.line_of(last)));
            modules.extend(self.declared_module(item, last));
            at = last + 1;
        }
        (spans, modules)
    }

    /// The name in `mod name;`.
    fn declared_module(&self, item: usize, last: usize) -> Option<String> {
        let text = String::from_utf8_lossy(self.bytes.get(item..last)?).into_owned();
        let name = text.trim().strip_prefix("pub ").unwrap_or(text.trim()).strip_prefix("mod ")?;
        let name = name.trim();
        name.bytes().all(is_name).then(|| name.to_owned())
    }

    fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for at in 0..self.bytes.len() {
            let starts_word = at == 0 || !is_name(self.at(at - 1));
            if !starts_word || !self.starts(at, "fn ") {
                continue;
            }
            let name = self.word(self.skip_space(at + 3));
            if name.is_empty() {
                continue;
            }
            if let Some(body) = self.body_of(at) {
                let (first, last) = (self.line_of(at), self.line_of(self.item_end(body)));
                functions.push(Function { name, first, last });
            }
        }
        functions
    }

    /// Where the body of the function at `at` opens; a declaration has none.
    fn body_of(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for place in at..self.bytes.len() {
            match self.at(place) {
                b'(' | b'[' => depth += 1,
                b')' | b']' => depth = depth.checked_sub(1)?,
                b'{' if depth == 0 => return Some(place),
                b';' | b'}' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `any(test, feature = …)` is not among them: a feature can ship.
fn is_test_only(attribute: &str) -> bool {
    attribute == "test" || attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        Source::new(text, false)
            .lines
            .into_iter()
            .map(|line| line.code.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(code("let a = \"x // y\"; // z\n"), ["let a = \"______\";"]);
        assert_eq!(code("/* a\nb /* c */ */ d\n"), ["", "             d"]);
        assert_eq!(code("let a = r#\"x\" /* \"# + 1;\n"), ["let a = r#\"______\"# + 1;"]);
        assert_eq!(code("let a = \"x\\\"y\"; b\n"), ["let a = \"____\"; b"]);
    }

    #[test]
    fn a_quote_may_be_a_character_or_a_lifetime() {
        assert_eq!(code("f('\"', x) // y\n"), ["f('_', x)"]);
        assert_eq!(code("fn f<'a>(x: &'a str) {} // y\n"), ["fn f<'a>(x: &'a str) {}"]);
        assert_eq!(
            code("f('\\'', '\\u{1F600}') // y\n").first().map(|line| line.contains('y')),
            Some(false)
        );
    }

    #[test]
    fn the_raw_text_is_kept_as_it_stands() {
        let text = "let ä = \"ö\\\n  x\"; /* ü */ 'ß'\n\nend";
        let source = Source::new(text, false);
        let raw: Vec<_> = source.lines.iter().map(|line| line.raw.clone()).collect();
        assert_eq!(raw.join("\n"), text);
    }

    #[test]
    fn test_items_end_where_their_item_ends() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n#[cfg(not(test))]\nfn d() {}\n";
        let tests: Vec<_> = Source::new(text, false).lines.iter().map(|line| line.test).collect();
        assert_eq!(tests, [false, true, true, true, true, false, false, false]);
        let declared = Source::new("#[cfg(test)]\nmod tests;\nfn a() {}\n", false);
        assert_eq!(declared.test_modules, ["tests"]);
        assert!(declared.lines.last().is_some_and(|line| !line.test));
    }

    #[test]
    fn functions_have_a_first_and_a_last_line() {
        let text =
            "trait T {\n fn a(&self);\n}\nfn b(x: [u8; 2])\nwhere\n X: Y,\n{\n if x { y }\n}\n";
        let functions = Source::new(text, false).functions;
        assert_eq!(functions, [Function { name: "b".to_owned(), first: 3, last: 8 }]);
    }

    #[test]
    fn words_are_whole_words() {
        assert!(has_word("use std::collections::HashMap;", "HashMap"));
        assert!(!has_word("struct MyHashMap;", "HashMap"));
        assert!(has_word("x.unwrap()", ".unwrap()"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    }
}
