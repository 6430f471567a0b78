//! A file and a function that a reader can hold in one view.

use super::tree::Tree;
use super::{Rule, Violation};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

static FILE_SIZE: Rule = Rule {
    name: "file-size",
    why: "a Rust file has at most 600 lines, better 100 to 400: split it by concept",
};

static FUNCTION_SIZE: Rule = Rule {
    name: "function-size",
    why: "a function in trusted/ has at most 70 lines, so that an auditor sees it whole",
};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in tree.sources() {
        let lines = source.lines.len();
        if lines > FILE_LINES {
            found.push(Violation::new(path, lines, &FILE_SIZE, format!("{lines} lines")));
        }
        if !path.starts_with("trusted/") {
            continue;
        }
        for function in &source.functions {
            let lines = function.last - function.first + 1;
            let test = source.lines.get(function.first).is_some_and(|line| line.test);
            if lines > FUNCTION_LINES && !test {
                let what = format!("fn {}: {lines} lines", function.name);
                found.push(Violation::new(path, function.first + 1, &FUNCTION_SIZE, what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lines_of;

    #[test]
    fn a_file_of_601_lines_is_too_long_and_one_of_600_is_not() {
        let (good, bad) = ("x\n".repeat(600), "x\n".repeat(601));
        let tree = Tree::snippets(&[("host/a.rs", &good), ("host/b.rs", &bad)]);
        assert_eq!(lines_of(&check(&tree)), [("host/b.rs".to_owned(), 601)]);
    }

    #[test]
    fn a_trusted_function_of_71_lines_is_too_long_unless_it_is_a_test() {
        let body = |lines: usize| format!("fn f() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        let test = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", body(90));
        let tree = Tree::snippets(&[
            ("trusted/a.rs", &body(70)),
            ("trusted/b.rs", &body(71)),
            ("trusted/c.rs", &test),
            ("host/d.rs", &body(90)),
        ]);
        assert_eq!(lines_of(&check(&tree)), [("trusted/b.rs".to_owned(), 1)]);
    }
}
