//! What must not stay behind: reminders, unescaped templates, traces of one machine.

use crate::tree::SourceFile;

const REMINDERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINE: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// All three rules.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(line_by_line(file));
        if file.path == "Cargo.lock" {
            findings.extend(foreign_sources(file));
        }
    }
    findings
}

fn line_by_line(file: &SourceFile) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let place = format!("{}:{number}", file.path);
        if let Some(word) = REMINDERS.iter().find(|word| has_word(line, word)) {
            findings.push(format!("{place}: {word}: do it, or write an issue"));
        }
        if let Some(path) = MACHINE.iter().find(|path| line.contains(**path)) {
            findings.push(format!("{place}: {path} is a path of one machine"));
        }
        if file.path.starts_with("templates/") && line.replace(' ', "").contains("|safe") {
            findings.push(format!("{place}: `safe` switches escaping off"));
        }
        if file.path.ends_with("package-lock.json")
            && line.contains("\"resolved\"")
            && !line.contains("registry.npmjs.org")
        {
            findings.push(format!("{place}: names a registry of one workplace"));
        }
    }
    findings
}

fn foreign_sources(lock: &SourceFile) -> Vec<String> {
    let sources = lock
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("source = \""));
    let foreign = sources
        .map(|source| source.trim_end_matches('"'))
        .filter(|source| *source != CRATES_IO);
    foreign
        .map(|source| format!("Cargo.lock: {source} is not crates.io"))
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(start, found)| {
        let before = line.get(..start).and_then(|head| head.chars().next_back());
        let after = line
            .get(start + found.len()..)
            .and_then(|tail| tail.chars().next());
        !is_part(before) && !is_part(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&[SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
        .len()
    }

    #[test]
    fn leftovers_are_found_and_words_around_them_are_not() {
        let reminder = REMINDERS[0];
        assert_eq!(findings("a.rs", &format!("// {reminder}: later")), 1);
        assert_eq!(
            findings("a.rs", &format!("let x = {reminder}S; // MAS{reminder}")),
            0
        );
        assert_eq!(findings("docs/a.md", &format!("see {}main", MACHINE[0])), 1);
        assert_eq!(findings("templates/console/a.html", "{{ text | safe }}"), 1);
        assert_eq!(findings("templates/console/a.html", "{{ text }} is safe"), 0);
    }

    #[test]
    fn the_lock_file_names_crates_io_alone() {
        assert_eq!(findings("Cargo.lock", &format!("source = \"{CRATES_IO}\"")), 0);
        assert_eq!(
            findings("Cargo.lock", "source = \"registry+https://mirror.example/index\""),
            1
        );
    }
}
