//! Walks through everything that somebody can reach, and hands it on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gatewright_testkit::http::Client;
use http::Method;
use serde_json::Value;

use super::canaries::Canaries;

/// Pages of one kind (equal but for ids) that are looked at.
const EACH: usize = 3;
/// Where every walk begins, whoever walks.
const STARTS: [&str; 10] = [
    "/",
    "/apis",
    "/search?q=pet",
    "/sign-in",
    "/sign-up",
    "/forgot",
    "/me",
    "/me/settings",
    "/console",
    "/console/audit.csv",
];

/// Follows the links of the portal and the console; gives how many pages were
/// read and all of their text.
pub(crate) async fn pages(portal: &Client, who: &str, canaries: &mut Canaries) -> (usize, String) {
    let mut queue: VecDeque<String> = STARTS.iter().map(|path| (*path).to_owned()).collect();
    let mut seen: BTreeSet<String> = queue.iter().cloned().collect();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let (mut read, mut all) = (0, String::new());
    while let Some(path) = queue.pop_front() {
        let reply = portal.get(&path).await;
        assert!(reply.status < 500, "{who}: {reply}");
        read += 1;
        let content = format!("{:?}\n{}", reply.headers, reply.text());
        canaries.search(&format!("{path} as {who}"), content.as_bytes());
        for link in links(&reply.text()) {
            let known = kinds.entry(kind(&link)).or_default();
            if *known < EACH && seen.insert(link.clone()) {
                *known += 1;
                queue.push_back(link);
            }
        }
        all.push_str(&content);
    }
    (read, all)
}

/// The paths on this host that a page links to.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in ["href=\"", "src=\"", "hx-get=\""] {
        let values = page.split(attribute).skip(1);
        let values = values.filter_map(|rest| rest.split('"').next());
        let here = values.filter(|link| link.starts_with('/') && !link.starts_with("//"));
        found.extend(here.map(|link| link.replace("&amp;", "&").replace("&#38;", "&")));
    }
    for link in &mut found {
        if let Some(at) = link.find('#') {
            link.truncate(at);
        }
    }
    found.retain(|link| !link.starts_with("/static/") && !link.starts_with("/assets/"));
    found
}

/// A path without what tells one thing from its likes.
fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_id = |part: &str| {
        part.rsplit_once('_').is_some_and(|(_, rest)| {
            rest.len() == 26 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    let parts = path.split('/').map(|part| if is_id(part) { "{}" } else { part });
    let names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default());
    let names: Vec<&str> = names.collect();
    format!("{}?{}", parts.collect::<Vec<_>>().join("/"), names.join("&"))
}

/// Reads every list of the management API and its items; gives how many
/// answers were read and all of their text.
pub(crate) async fn resources(management: &Client, who: &str, canaries: &mut Canaries) -> (usize, String) {
    let document = management.get("/openapi.json").await.expect(200);
    let paths: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| item.get("get").is_some())
        .map(|(path, _)| path.trim_start_matches("/api/v1"))
        .collect();
    let mut queue: VecDeque<String> = paths
        .iter()
        .filter(|path| !path.contains('{'))
        .map(|path| (*path).to_owned())
        .collect();
    let mut seen: BTreeSet<String> = queue.iter().cloned().collect();
    let (mut read, mut all) = (0, String::new());
    while let Some(path) = queue.pop_front() {
        let reply = management.send(Method::GET, &path, "").await;
        assert!(reply.status < 500, "{who}: {reply}");
        read += 1;
        let content = format!("{:?}\n{}", reply.headers, reply.text());
        canaries.search(&format!("GET {path} as {who}"), content.as_bytes());
        all.push_str(&content);
        let items = reply.json();
        let items = items["items"].as_array().into_iter().flatten();
        for item in items.take(EACH * 4) {
            for deeper in deeper(&paths, &path, item) {
                if seen.insert(deeper.clone()) {
                    queue.push_back(deeper);
                }
            }
        }
    }
    (read, all)
}

/// The paths below an item of a list.
fn deeper(paths: &[&str], list: &str, item: &Value) -> Vec<String> {
    let id = ["id", "seq", "label", "name"]
        .iter()
        .find_map(|name| match &item[*name] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
    let Some(id) = id else { return Vec::new() };
    let here: Vec<&str> = list.split('/').collect();
    let below = paths.iter().filter_map(|path| {
        let parts: Vec<&str> = path.split('/').collect();
        let (head, tail) = parts.split_at_checked(here.len())?;
        let same = head
            .iter()
            .zip(&here)
            .all(|(part, given)| part == given || part.starts_with('{'));
        let (first, rest) = tail.split_first()?;
        let fits = same && first.starts_with('{') && rest.iter().all(|part| !part.starts_with('{'));
        fits.then(|| {
            let rest: String = rest.iter().map(|part| format!("/{part}")).collect();
            format!("{list}/{id}{rest}")
        })
    });
    below.collect()
}
