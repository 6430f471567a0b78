//! Lists that people keep in a few lines of TOML: entries of one kind, each with fields of text.

/// The entries under `[[kind]]`, each as it stands.
pub(crate) fn entries<'a>(text: &'a str, kind: &str) -> Vec<&'a str> {
    let heading = format!("[[{kind}]]\n");
    text.split(heading.as_str()).skip(1).collect()
}

/// A field of one entry: `name = "text"` or, where the text has quotes of its own, `name = 'text'`.
pub(crate) fn field(entry: &str, name: &str) -> Result<String, String> {
    let line = entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    let quoted = |value: &str, quote: char| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote) && (quote == '\'' || !inner.contains('\\')))
            .then(|| inner.to_owned())
    };
    line.and_then(|value| quoted(value, '"').or_else(|| quoted(value, '\'')))
        .ok_or_else(|| format!("an entry lacks {name}: {entry}"))
}

/// A field that may be missing.
pub(crate) fn number(entry: &str, name: &str, otherwise: usize) -> Result<usize, String> {
    let line = entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    line.map_or(Ok(otherwise), |value| {
        value.parse().map_err(|_| format!("{name} is a number, not {value}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{entries, field, number};

    #[test]
    fn fields_of_an_entry_are_read() {
        let text = "# words\n\n[[a]]\nx = \"one\"\nn = 3\n\n[[a]]\nx = 'says \"two\"'\n";
        let read = entries(text, "a");
        assert_eq!(read.len(), 2);
        assert_eq!(field(read[0], "x").as_deref(), Ok("one"));
        assert_eq!(field(read[1], "x").as_deref(), Ok("says \"two\""));
        assert_eq!((number(read[0], "n", 1), number(read[1], "n", 1)), (Ok(3), Ok(1)));
    }

    #[test]
    fn a_field_that_is_missing_or_no_text_is_an_error() {
        assert!(field("x = \"one\"\n", "y").is_err());
        assert!(field("x = one\n", "x").is_err());
        assert!(field("x = \"a\\n\"\n", "x").is_err());
        assert!(number("n = many\n", "n", 1).is_err());
    }
}
