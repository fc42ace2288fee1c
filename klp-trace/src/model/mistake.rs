//! What is wrong in a file of TOML that a person wrote, in words for that person.

use super::nearest::nearest;

/// Line and column, both from 1, of a byte of a text.
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The message of a TOML error; of an unknown key or word, with those that there are and the one that was meant.
pub fn explain(message: &str) -> String {
    let message = message.trim().replace('\n', " ");
    let what = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "word"
    } else {
        return message;
    };
    // serde: unknown field `a`, expected one of `b`, `c`
    let mut words = message.split('`').skip(1).step_by(2);
    let Some(unknown) = words.next() else { return message };
    let known: Vec<&str> = words.collect();
    let meant = nearest(unknown, known.iter().copied());
    let meant = meant.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("unknown {what} \"{unknown}\" (known: {}){meant}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one() {
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("a = 1\nä = 2\n", 11), (2, 5), "in characters");
        assert_eq!(place("a", 99), (1, 2));
    }

    #[test]
    fn serde_is_translated() {
        assert_eq!(
            explain("unknown field `palete`, expected one of `palette`, `ascii`"),
            "unknown key \"palete\" (known: palette, ascii); did you mean palette?"
        );
        assert_eq!(
            explain("unknown variant `pink`, expected `default` or `mono`\n"),
            "unknown word \"pink\" (known: default, mono)"
        );
        assert_eq!(explain("invalid type: integer\nfound"), "invalid type: integer found");
    }
}
