//! The tables of `docs/permissions.md`, for the tests that ask every route as
//! every kind of caller. They stand in a file for people, so that what is right
//! is never worked out from the code that is tested.

const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/permissions.md"));

/// The kinds of callers.
pub const KINDS: [&str; 9] = [
    "visitor",
    "none",
    "developer",
    "approver",
    "publisher",
    "support",
    "auditor",
    "owner",
    "platform",
];

/// One row: who may call a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The method.
    pub method: &'static str,
    /// The route as the router has it.
    pub path: &'static str,
    /// The kinds that may.
    pub who: Vec<&'static str>,
    /// Whether the password is asked for once more.
    pub password: bool,
}

/// The table below a heading.
///
/// # Panics
/// When there is no such table, or a cell cannot be read.
#[must_use]
pub fn table(heading: &str) -> Vec<Rule> {
    let heading = format!("## {heading}");
    let below = TEXT.lines().skip_while(|line| *line != heading).skip(1);
    let rows: Vec<_> = below
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Method"))
        .map(row)
        .collect();
    assert!(
        !rows.is_empty(),
        "docs/permissions.md has no table below {heading:?}"
    );
    rows
}

fn row(line: &'static str) -> Rule {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [method, path, who, rest @ ..] = cells.as_slice() else {
        panic!("a row of docs/permissions.md has too few cells: {line}");
    };
    let password = match rest {
        [] | [""] => false,
        ["yes"] => true,
        _ => panic!("the last cell is neither empty nor yes: {line}"),
    };
    Rule {
        method,
        path,
        who: who.split(", ").flat_map(|word| kinds(word, line)).collect(),
        password,
    }
}

fn kinds(word: &str, line: &str) -> Vec<&'static str> {
    let [_, signed_in @ ..] = KINDS;
    let [_, roles @ .., _] = signed_in;
    match word {
        "everybody" => KINDS.to_vec(),
        "signed in" => signed_in.to_vec(),
        "any role" => roles.to_vec(),
        word => match KINDS.iter().find(|kind| **kind == word) {
            Some(kind) => vec![*kind],
            None => panic!("nobody is called {word:?}: {line}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_who_may_and_whether_the_password_is_asked_for() {
        let rule = row("| POST | /me/keys | any role, platform | yes |");
        assert_eq!(
            (rule.method, rule.path, rule.password),
            ("POST", "/me/keys", true)
        );
        assert_eq!(rule.who, KINDS[2..]);
        assert_eq!(row("| GET | / | signed in |").who, KINDS[1..]);
        assert_eq!(row("| GET | / | owner, visitor | |").who, ["owner", "visitor"]);
    }

    #[test]
    #[should_panic(expected = "nobody is called \"editor\"")]
    fn an_unknown_kind_is_no_row() {
        row("| GET | / | editor |");
    }
}
