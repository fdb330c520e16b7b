//! Suggests the word that a user may have meant.

/// Returns a question that ends an error message, or nothing without a similar word.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|word| format!("; did you mean \"{word}\"?")).unwrap_or_default()
}

/// Returns the word of `known` that is most similar to `word`, if one is similar.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let distances = known.into_iter().map(|one| (strsim::damerau_levenshtein(word, one), one));
    let (distance, nearest) = distances.min()?;
    (distance <= 1 + word.chars().count() / 4).then_some(nearest)
}
