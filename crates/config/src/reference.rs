//! The settings in words, for `docs/configuration.md`.

use std::fmt::Write;

use crate::key::{Fallback, KEYS, Key, Reach};

const HEAD: &str = "<!-- Generated from the settings in crates/config by `cargo xtask gen`. -->

# Configuration

Every setting has one name in three spellings: a flag (`--gateway-listen`), an environment variable
(`GATEWRIGHT_GATEWAY_LISTEN`) and a key of `gatewright.toml` (`gateway_listen`). A flag wins over the environment,
the environment over the file, the file over the default. An empty environment variable counts as unset. In the file a
table spells the beginning of its keys, so `[gateway]` with `listen = \"…\"` is `gateway_listen`. Relative paths start
at the working directory. Everything is checked before a port is bound; a wrong or unknown key ends the process with
exit code 64 and a line that names it and the fix.
";

/// Every setting, in the order of the reference.
#[must_use]
pub fn describe() -> &'static [&'static Key] {
    KEYS
}

/// The reference of all settings, as Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for key in describe() {
        match sections.iter_mut().find(|(name, _)| *name == key.section) {
            Some((_, text)) => text.push_str(&entry(key)),
            None => sections.push((key.section, entry(key))),
        }
    }
    sections
        .into_iter()
        .fold(HEAD.to_owned(), |mut page, (name, entries)| {
            page.push_str(&format_section(name, &entries));
            page
        })
}

fn format_section(name: &str, entries: &str) -> String {
    format!("\n## {name}\n{entries}")
}

fn entry(key: &Key) -> String {
    let default = match key.fallback {
        Fallback::Value(value) => format!("`{value}`"),
        Fallback::Derived(words) => words.to_owned(),
        Fallback::Unset => "not set".to_owned(),
    };
    let reach = match key.reach {
        Reach::Everywhere => format!("`--{}`, `{}`", key.name, key.env()),
        Reach::NotInFile => format!("`--{}`, `{}`; not in the file", key.name, key.env()),
        Reach::EnvironmentOnly => format!("`{}` alone", key.env()),
    };
    let mut text = format!("\n### `{}`\n{}\n\n", key.snake(), key.doc);
    // Writing to a String cannot fail.
    let _infallible = writeln!(
        text,
        "- Type: {}\n- Default: {default}\n- Given by: {reach}",
        key.kind.describe()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_reference() {
        let page = reference_markdown();
        for key in KEYS {
            assert!(page.contains(&format!("### `{}`", key.snake())), "{}", key.name);
            assert!(page.contains(&key.env()), "{}", key.name);
        }
    }
}
