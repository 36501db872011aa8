//! The known word nearest to one that is not known.

use strsim::damerau_levenshtein;

/// The remedy for a word that is none of `words`.
#[must_use]
pub fn did_you_mean(unknown: &str, words: &[&str]) -> String {
    match nearest_word(unknown, words) {
        Some(word) => format!("did you mean {word:?}?"),
        None => "give one of these".to_owned(),
    }
}

/// The nearest of a set of words, if that is near enough to be meant.
#[must_use]
pub fn nearest_word<'a>(unknown: &str, words: &[&'a str]) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let distances = words.iter().map(|word| (damerau_levenshtein(&unknown, word), *word));
    let near = distances.filter(|(distance, _)| *distance <= most_typing_errors(&unknown));
    near.min().map(|(_, word)| word)
}

/// So many typing errors still leave a word recognisable.
#[must_use]
pub fn most_typing_errors(word: &str) -> usize {
    (word.chars().count() / 3).max(1)
}
