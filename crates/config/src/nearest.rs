//! The known word that a misspelt one was probably meant to be.

/// The candidate with the fewest edits (insert, delete, replace), when that is at most `most`.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
    most: usize,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance with one row of memory.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, l) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        for (cell, r) in row.iter_mut().skip(1).zip(&right) {
            let replace = diagonal + usize::from(l != *r);
            diagonal = *cell;
            before = replace.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        let words = ["gateway_listen", "portal_listen", "log_format"];
        assert_eq!(
            nearest("gatway_listen", words.into_iter(), 4),
            Some("gateway_listen")
        );
        assert_eq!(nearest("colour", words.into_iter(), 2), None);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    proptest! {
        #[test]
        fn is_a_distance(a in "[a-c]{0,8}", b in "[a-c]{0,8}", c in "[a-c]{0,8}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
            prop_assert!(edits(&a, &c) <= edits(&a, &b) + edits(&b, &c));
        }
    }
}
