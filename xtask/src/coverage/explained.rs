//! Lines that nothing reaches, and why: `proof/coverage.toml`.

use crate::listed;

/// Why a stretch of lines is not reached. It is found by the text of its first line and of the line
/// of code above, so that it survives edits elsewhere and tells one `return;` from another; and it
/// speaks of so many lines, so that it never covers new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) file: String,
    /// The line of code above it, without indentation: most often what decides.
    pub(crate) under: String,
    /// The first line, without indentation.
    pub(crate) code: String,
    /// Lines of code that belong to it.
    pub(crate) lines: usize,
    pub(crate) why: String,
}

/// Lines without anything reached between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) file: String,
    /// Counted from 1.
    pub(crate) first: usize,
    pub(crate) last: usize,
    /// Lines of code in it.
    pub(crate) lines: usize,
    /// As in [`Explained`].
    pub(crate) under: String,
    /// As in [`Explained`].
    pub(crate) code: String,
}

/// Reads the list.
pub(crate) fn parse(text: &str) -> Result<Vec<Explained>, String> {
    let read = |entry: &str| {
        Ok(Explained {
            file: listed::field(entry, "file")?,
            under: listed::field(entry, "under")?,
            code: listed::field(entry, "code")?,
            lines: listed::number(entry, "lines", 1)?,
            why: listed::field(entry, "why")?,
        })
    };
    listed::entries(text, "line").into_iter().map(read).collect()
}

/// Stretches that nobody explains, and explanations of what is reached after all. One explanation
/// is for one stretch.
pub(crate) fn compare(
    stretches: &[Stretch],
    explained: &[Explained],
) -> (Vec<Stretch>, Vec<Explained>) {
    let mut left = explained.to_vec();
    let mut unexplained = Vec::new();
    for stretch in stretches {
        let fits = |entry: &Explained| {
            (&entry.file, &entry.under, &entry.code, entry.lines)
                == (&stretch.file, &stretch.under, &stretch.code, stretch.lines)
        };
        match left.iter().position(fits) {
            Some(at) => drop(left.remove(at)),
            None => unexplained.push(stretch.clone()),
        }
    }
    (unexplained, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(code: &str, lines: usize) -> Stretch {
        let (file, under) = ("trusted/a/src/lib.rs".to_owned(), "match a {".to_owned());
        Stretch { file, first: 3, last: 2 + lines, lines, under, code: code.to_owned() }
    }

    fn list() -> Vec<Explained> {
        let text = "[[line]]\nfile = \"trusted/a/src/lib.rs\"\nunder = \"match a {\"\n\
                    code = 'None => \"x\",'\nlines = 2\nwhy = \"nobody\"\n";
        parse(text).expect("a list")
    }

    #[test]
    fn an_explained_stretch_is_in_order() {
        let (unexplained, stale) = compare(&[stretch("None => \"x\",", 2)], &list());
        assert_eq!((unexplained.len(), stale.len()), (0, 0));
    }

    #[test]
    fn a_stretch_that_grew_or_came_twice_is_not_explained() {
        let (unexplained, stale) = compare(&[stretch("None => \"x\",", 3)], &list());
        assert_eq!((unexplained.len(), stale.len()), (1, 1));
        let twice = [stretch("None => \"x\",", 2), stretch("None => \"x\",", 2)];
        assert_eq!(compare(&twice, &list()).0.len(), 1);
    }

    #[test]
    fn the_same_line_under_another_one_is_not_explained() {
        let mut elsewhere = stretch("None => \"x\",", 2);
        elsewhere.under = "match b {".to_owned();
        let (unexplained, stale) = compare(&[elsewhere], &list());
        assert_eq!((unexplained.len(), stale.len()), (1, 1));
    }

    #[test]
    fn an_explanation_of_a_reached_line_is_told() {
        assert_eq!(compare(&[], &list()).1, list());
        let nothing = "[[line]]\nfile = \"a\"\nunder = \"b\"\ncode = \"c\"\n";
        assert!(parse(nothing).is_err(), "no reason");
        assert!(parse(&format!("{nothing}why = \"d\"\n")).is_ok());
    }
}
