//! The known word that is most like an unknown one.

/// The candidate that is most like `word`: by the edit distance, where a candidate that holds the word counts
/// as two edits away. The first of equals.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let held = |candidate: &str| word.len() >= 3 && candidate.contains(word);
    candidates.min_by_key(|candidate| {
        let distance = distance(word, candidate);
        if held(candidate) { distance.min(2) } else { distance }
    })
}

/// Levenshtein's distance in characters. Words are cut at 128 characters, so that it is cheap for any input.
pub(super) fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 128;

    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().take(LONGEST).enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_known_pairs() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("samplng", "sampling"), 1);
        assert_eq!(distance("über", "uber"), 1);
    }

    #[test]
    fn the_nearest_is_the_least_distant() {
        let known = ["enabled", "sampling", "resources"];
        assert_eq!(nearest("enabeld", known.into_iter()), Some("enabled"));
        assert_eq!(nearest("boost", ["enabled", "boost_factor"].into_iter()), Some("boost_factor"));
        assert_eq!(nearest("resource", known.into_iter()), Some("resources"));
        assert_eq!(nearest("x", [].into_iter()), None);
    }
}
