//! A file has one subject.

use crate::tree::SourceFile;

/// Where a file is split; its tests are counted apart.
const LINES: usize = 600;

/// Rust, templates, styles and scripts stay below the bound.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let sources = files
        .iter()
        .filter(|file| ["rs", "html", "css", "js"].iter().any(|end| file.is(end)));
    sources
        .filter_map(|file| {
            let (lines, tests) = count(&file.text);
            let over = [("code", lines), ("tests", tests)]
                .into_iter()
                .find(|(_, count)| *count > LINES)?;
            Some(format!(
                "{}: {} lines of {}, split at {LINES}",
                file.path, over.1, over.0
            ))
        })
        .collect()
}

/// The lines before and from the test module on.
fn count(text: &str) -> (usize, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines
        .iter()
        .position(|line| line.trim_start().starts_with("#[cfg(test)]"));
    let start = start.unwrap_or(lines.len());
    (start, lines.len() - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_apart() {
        let text = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "//\n".repeat(600),
            "//\n".repeat(500)
        );
        let file = |text: String| {
            [SourceFile {
                path: "crates/a/src/long.rs".to_owned(),
                text,
            }]
        };
        assert!(check(&file(text.clone())).is_empty());
        assert_eq!(check(&file(format!("//\n{text}"))).len(), 1);
    }
}
