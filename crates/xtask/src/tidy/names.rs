//! Names that say nothing.

use crate::tree::SourceFile;

const EMPTY: [&str; 10] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "stuff", "shared",
];

/// No file, folder or module is named after nothing.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.is("rs"));
    rust.flat_map(|file| {
        let parts = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
        let in_path = parts.filter(|part| says_nothing(part)).map(ToOwned::to_owned);
        let modules = file
            .text
            .lines()
            .filter_map(module)
            .filter(|name| says_nothing(name))
            .map(ToOwned::to_owned);
        let findings = in_path.chain(modules);
        findings
            .map(|name| format!("{}: `{name}` names no subject", file.path))
            .collect::<Vec<_>>()
    })
    .collect()
}

fn says_nothing(name: &str) -> bool {
    EMPTY.contains(&name)
        || EMPTY
            .iter()
            .any(|empty| name.strip_suffix(empty).is_some_and(|head| head.ends_with('_')))
}

/// The name of the module that a line declares.
fn module(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "mod")?;
    if place > 1 {
        return None;
    }
    words.get(place + 1).map(|name| name.trim_end_matches([';', '{']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_in_paths_and_modules() {
        let file = |path: &str, text: &str| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let files = [
            file("crates/a/src/http_utils.rs", ""),
            file("crates/a/src/ports.rs", "pub(crate) mod helpers;\nmod tests {}\n"),
            file("crates/a/src/commons.rs", "// a common word in a comment\n"),
        ];
        let findings = check(&files);
        assert_eq!(findings.len(), 2, "{findings:?}");
    }
}
