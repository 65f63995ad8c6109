//! Two dialects, written once: where SQL may be unsafe, and that migrations come in pairs.

use std::collections::BTreeSet;

use crate::tree::SourceFile;

/// The only file that may vouch for SQL that was built at run time.
const VOUCHER: &str = "crates/store/src/conn.rs";
/// The store's tests, which make databases and look into their catalogues.
const TESTS: [&str; 2] = ["crates/store/src/testing.rs", "crates/store/src/tests/"];
const DIALECTS: [&str; 2] = ["migrations/postgres/", "migrations/sqlite/"];

/// Both rules.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = vouching(files);
    findings.extend(pairs(files));
    findings
}

fn vouching(files: &[SourceFile]) -> Vec<String> {
    let vouch = concat!("Assert", "SqlSafe");
    let outside = files
        .iter()
        .filter(|file| file.is("rs") && file.path != VOUCHER && file.text.contains(vouch))
        .filter(|file| !TESTS.iter().any(|tests| file.path.starts_with(tests)));
    outside
        .map(|file| format!("{}: {vouch} belongs in {VOUCHER}", file.path))
        .collect()
}

fn pairs(files: &[SourceFile]) -> Vec<String> {
    let names = |folder: &str| -> BTreeSet<String> {
        let inside = files.iter().filter_map(|file| file.path.strip_prefix(folder));
        inside
            .filter(|name| name.ends_with(".sql"))
            .map(ToOwned::to_owned)
            .collect()
    };
    let [postgres, sqlite] = DIALECTS.map(names);
    let single = postgres.symmetric_difference(&sqlite);
    let mut findings: Vec<String> = single
        .map(|name| format!("migrations: {name} exists in one dialect alone"))
        .collect();
    for (place, name) in postgres.iter().enumerate() {
        let number = name
            .split('_')
            .next()
            .and_then(|digits| digits.parse::<usize>().ok());
        if number != Some(place + 1) {
            findings.push(format!("migrations: {name} should have number {:04}", place + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_migration_without_its_twin_or_with_a_gap_is_found() {
        let files = [
            file("migrations/postgres/0001_start.sql", ""),
            file("migrations/sqlite/0001_start.sql", ""),
            file("migrations/postgres/0003_more.sql", ""),
        ];
        let findings = check(&files);
        assert_eq!(findings.len(), 2, "{findings:?}");
    }

    #[test]
    fn vouching_is_allowed_in_one_file() {
        let text = format!("sqlx::query({}(text))", concat!("Assert", "SqlSafe"));
        assert!(check(&[file(VOUCHER, &text)]).is_empty());
        assert!(check(&[file("crates/store/src/tests/schemas.rs", &text)]).is_empty());
        assert_eq!(check(&[file("crates/store/src/apis.rs", &text)]).len(), 1);
    }
}
