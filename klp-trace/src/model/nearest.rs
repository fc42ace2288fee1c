//! The word that was meant, for errors that say so.

/// How alike two words must be (Jaro, from 0 to 1) before one is proposed for the other; clap's own bound. Below it, a
/// proposal is a riddle.
const ALIKE: f64 = 0.7;

/// The word most like `word`, whatever the case; none when no word is like it.
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    among
        .into_iter()
        .map(|known| (strsim::jaro(&word, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > ALIKE)
        // Of several that are as like, the first.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, known)| known)
}

/// `; did you mean patch?`, or nothing.
pub fn meant<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, among).map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_nonsense_is_not() {
        let words = ["patch", "object", "kind", "severity"];
        assert_eq!(nearest("ptch", words), Some("patch"));
        assert_eq!(nearest("SEVERTY", words), Some("severity"));
        assert_eq!(nearest("foo", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(meant("objct", words), "; did you mean object?");
        assert_eq!(meant("zzz", words), "");
    }
}
