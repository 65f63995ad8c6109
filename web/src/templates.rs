//! What holds for every template: nothing that the content policy forbids, and
//! only classes and icons that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
}

fn texts(name: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&folder(name), extension, &mut found);
    assert!(!found.is_empty());
    found
        .into_iter()
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect()
}

fn names(text: &str, starts: &str) -> BTreeSet<String> {
    text.split(starts)
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect()
        })
        .collect()
}

/// The words of each class attribute, without those that a template computes.
fn classes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in text.split("class=\"").skip(1) {
        let value = attribute.split('"').next().unwrap();
        let mut plain = String::new();
        let mut rest = value;
        while let Some(at) = rest.find('{') {
            plain.push_str(&rest[..at]);
            let tag = if rest[at..].starts_with("{{") { "}}" } else { "%}" };
            // What touches a computed part is not a word of its own.
            plain.push('\u{1}');
            rest = rest[at..].split_once(tag).map_or("", |(_, after)| after);
        }
        plain.push_str(rest);
        let words = plain.split_whitespace().filter(|word| !word.contains('\u{1}'));
        found.extend(words.map(str::to_owned));
    }
    found
}

#[test]
fn no_template_needs_what_the_content_policy_forbids() {
    let handlers = [
        "onclick=",
        "onsubmit=",
        "onload=",
        "onchange=",
        "onerror=",
        "oninput=",
    ];
    for (path, text) in texts("templates", "html") {
        let lower = text.to_lowercase();
        for banned in [
            "style=",
            "<style",
            "hx-on",
            "javascript:",
            "js:",
            "hx-boost",
            "<script>",
        ]
        .into_iter()
        .chain(handlers)
        {
            assert!(!lower.contains(banned), "{path} has {banned}");
        }
        for script in lower.split("<script").skip(1) {
            let (tag, after) = script.split_once('>').unwrap();
            assert!(
                tag.contains("src=") && after.starts_with("</script>"),
                "{path}: a script of its own"
            );
        }
        for address in [
            "src=\"http",
            "src=\"//",
            "action=\"http",
            "<link rel=\"stylesheet\" href=\"http",
        ] {
            assert!(!lower.contains(address), "{path} names another host");
        }
    }
}

#[test]
fn every_class_of_a_template_is_in_the_stylesheet() {
    let mut known = BTreeSet::new();
    for (_, text) in texts("static/css", "css") {
        known.append(&mut names(&text, "."));
    }
    for (path, text) in texts("templates", "html") {
        for class in classes(&text) {
            assert!(known.contains(&class), "{path}: nothing says how .{class} looks");
        }
    }
}

#[test]
fn every_icon_is_in_the_sprite() {
    let sprite = fs::read_to_string(folder("static").join("icons.svg")).unwrap();
    let known = names(&sprite, "id=\"");
    let starts = ["icon(\"", "ui::empty(\"", "icon: \""];
    for (path, text) in texts("templates", "html")
        .into_iter()
        .chain(texts("web/src", "rs"))
    {
        for name in starts.iter().flat_map(|start| names(&text, start)) {
            assert!(name.is_empty() || known.contains(&name), "{path}: no icon {name}");
        }
    }
}
