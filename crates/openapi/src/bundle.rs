//! Brings the documents that a description refers to into it, so that
//! everything later finds all in one place.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};
use url::Url;

use crate::bounds::Bounds;
use crate::document::Draft;
use crate::finding::{Code, Findings, LISTED};
use crate::references::{self, BUNDLED, Place};
use crate::{pointer, tree};

/// What a [`Fetch`] promises to give.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'a>>;

/// Gets another document. The implementer guards which addresses may be
/// reached, limits time and size, and follows redirects by the same rules.
pub trait Fetch: Sync {
    /// Gets what is at `url`, which is `http` or `https` and has no fragment.
    /// More than `max_bytes` need not be read.
    fn fetch<'a>(&'a self, url: &'a Url, max_bytes: usize) -> Fetching<'a>;
}

/// A document that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it was in the end, after redirects; its own references start there.
    pub url: Url,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Why a document could not be fetched. The texts are shown to the publisher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address may not be reached from here.
    #[error("the address is not allowed: {0}")]
    Refused(String),
    /// It answered with something other than success.
    #[error("it answered with status {0}")]
    Status(u16),
    /// It is larger than asked for.
    #[error("it is too large")]
    TooLarge,
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// No connection, or one that broke.
    #[error("it could not be reached: {0}")]
    Unreachable(String),
}

/// For documents that must be complete in themselves: refuses every fetch.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingOutside;

impl Fetch for NothingOutside {
    fn fetch<'a>(&'a self, _: &'a Url, _: usize) -> Fetching<'a> {
        let refusal = FetchError::Refused("this import reads no other documents".to_owned());
        Box::pin(std::future::ready(Err(refusal)))
    }
}

/// Fetches what the draft refers to, and what that refers to, puts it below
/// `/components/x-bundled`, and makes all references local.
///
/// # Errors
/// All findings so far, when a reference leads to something that cannot be had.
pub async fn bundle(mut draft: Draft, fetch: &dyn Fetch, bounds: &Bounds) -> Result<Draft, Findings> {
    if !draft.refers_outside() {
        return Ok(draft);
    }
    let mut bundler = Bundler {
        documents: HashMap::new(),
        queue: VecDeque::new(),
        bytes_left: bounds.raw_bytes.saturating_sub(draft.raw.len()),
        nodes_left: bounds.nodes.saturating_sub(draft.nodes),
        bounds,
    };
    if let Some(base) = &draft.base {
        bundler.documents.insert(without_fragment(base), String::new());
    }
    let base = draft.base.clone();
    bundler.localise(&mut draft.root, base.as_ref(), "", &mut draft.findings);
    let mut bundled = Map::new();
    while let Some(wanted) = bundler.queue.pop_front() {
        match bundler.take_in(&wanted, fetch, &mut draft.findings).await {
            Ok(tree) => {
                bundled.insert(wanted.name, tree);
            }
            Err((code, reason)) => {
                draft
                    .findings
                    .add(code, wanted.at, format!("`$ref` to {}: {reason}", wanted.url));
            }
        }
    }
    if !bundled.is_empty() {
        keep(&mut draft.root, bundled, &mut draft.findings);
    }
    if draft.findings.has_errors() {
        Err(draft.refused())
    } else {
        Ok(draft)
    }
}

/// Puts the bundled documents where the references now point.
fn keep(root: &mut Value, bundled: Map<String, Value>, findings: &mut Findings) {
    let components = root.as_object_mut().map(|members| {
        members
            .entry("components")
            .or_insert_with(|| Value::Object(Map::new()))
    });
    match components.and_then(Value::as_object_mut) {
        Some(components) => {
            components.insert(BUNDLED.to_owned(), Value::Object(bundled));
        }
        None => findings.add(Code::WrongType, "/components", "`components` must be an object"),
    }
}

fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

/// A document that has to be fetched.
struct Wanted {
    url: Url,
    name: String,
    /// Where the first reference to it is.
    at: String,
}

struct Bundler<'b> {
    /// The pointer of each document by its address; that of the root is empty.
    documents: HashMap<Url, String>,
    queue: VecDeque<Wanted>,
    bytes_left: usize,
    nodes_left: usize,
    bounds: &'b Bounds,
}

impl Bundler<'_> {
    async fn take_in(
        &mut self,
        wanted: &Wanted,
        fetch: &dyn Fetch,
        findings: &mut Findings,
    ) -> Result<Value, (Code, String)> {
        let fetched = fetch
            .fetch(&wanted.url, self.bytes_left)
            .await
            .map_err(|error| (Code::RefUnreachable, error.to_string()))?;
        let bytes_left = self.bytes_left.checked_sub(fetched.body.len());
        self.bytes_left = bytes_left.ok_or_else(|| {
            let message = format!("all documents together may have {} bytes", self.bounds.raw_bytes);
            (Code::BundleTooLarge, message)
        })?;
        let bounds = Bounds {
            nodes: self.nodes_left,
            ..self.bounds.clone()
        };
        let read = tree::read(&fetched.body, &bounds).map_err(|refusal| {
            let reason = refusal
                .listed()
                .first()
                .map_or_else(String::new, |finding| finding.message.clone());
            (Code::RefUnreachable, reason)
        })?;
        self.nodes_left -= read.nodes.min(self.nodes_left);
        let mut root = read.root;
        let mut inner = Findings::default();
        references::name_to_place(&mut root, bounds.copied, &mut inner).map_err(|_| {
            (
                Code::BundleTooLarge,
                "it has too many references by name".to_owned(),
            )
        })?;
        let prefix = prefix_of(&wanted.name);
        self.localise(&mut root, Some(&fetched.url), &prefix, findings);
        Ok(root)
    }

    /// Makes the references of one document local to the bundle and asks for
    /// the documents they lead to.
    fn localise(&mut self, root: &mut Value, base: Option<&Url>, prefix: &str, findings: &mut Findings) {
        let mut places: HashMap<String, String> = HashMap::new();
        let mut outside = Vec::new();
        references::walk(root, &mut |steps, reference| {
            if let Some(fragment) = reference.strip_prefix('#') {
                if !prefix.is_empty() {
                    places
                        .entry(reference.to_owned())
                        .or_insert_with(|| format!("#{prefix}{fragment}"));
                }
            } else if !places.contains_key(reference) {
                places.insert(reference.to_owned(), reference.to_owned());
                let at = if outside.len() < LISTED {
                    references::pointer_of(steps)
                } else {
                    String::new()
                };
                outside.push((format!("{prefix}{at}"), reference.to_owned()));
            }
        });
        for (at, reference) in outside {
            match self.place_of(&reference, base, &at) {
                Ok(place) => {
                    places.insert(reference, place);
                }
                Err((code, reason)) => findings.add(code, at, format!("`$ref: {reference:.200}`: {reason}")),
            }
        }
        references::walk_mut(root, &mut |place| {
            if let Place::Reference(text) = place
                && let Some(place) = places.get(text)
            {
                text.clone_from(place);
            }
        });
    }

    fn place_of(&mut self, reference: &str, base: Option<&Url>, at: &str) -> Result<String, (Code, String)> {
        let url = absolute(reference, base).map_err(|reason| (Code::RefUnreachable, reason))?;
        let fragment = url.fragment().unwrap_or_default().to_owned();
        let url = without_fragment(&url);
        if let Some(prefix) = self.documents.get(&url) {
            return Ok(format!("#{prefix}{fragment}"));
        }
        let number = self
            .documents
            .values()
            .filter(|prefix| !prefix.is_empty())
            .count()
            + 1;
        if number > self.bounds.bundled_documents {
            let message = format!(
                "at most {} other documents are read",
                self.bounds.bundled_documents
            );
            return Err((Code::BundleTooLarge, message));
        }
        let name = format!("d{number}");
        let prefix = prefix_of(&name);
        let place = format!("#{prefix}{fragment}");
        self.documents.insert(url.clone(), prefix);
        self.queue.push_back(Wanted {
            url,
            name,
            at: at.to_owned(),
        });
        Ok(place)
    }
}

fn prefix_of(name: &str) -> String {
    pointer::from_tokens(["components", BUNDLED, name])
}

fn absolute(reference: &str, base: Option<&Url>) -> Result<Url, String> {
    let url = match base {
        Some(base) => base.join(reference),
        None => Url::parse(reference),
    };
    match url {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(url) => Err(format!("only http and https are fetched, not {}", url.scheme())),
        Err(url::ParseError::RelativeUrlWithoutBase) => Err(
            "it is relative to an address that is not known; import by URL, or bundle the files into one first"
                .to_owned(),
        ),
        Err(error) => Err(format!("this is no address: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use serde_json::json;
    use url::Url;

    use super::{Fetch, FetchError, Fetched, Fetching, NothingOutside, bundle};
    use crate::block_on::block_on;
    use crate::bounds::Bounds;
    use crate::document::Draft;
    use crate::finding::{Code, Findings};

    /// The network: fixed answers, and what was asked for.
    struct Site {
        pages: HashMap<&'static str, &'static str>,
        asked: Mutex<Vec<String>>,
    }

    impl Site {
        fn new(pages: &[(&'static str, &'static str)]) -> Self {
            Self {
                pages: pages.iter().copied().collect(),
                asked: Mutex::new(Vec::new()),
            }
        }
    }

    impl Fetch for Site {
        fn fetch<'a>(&'a self, url: &'a Url, _: usize) -> Fetching<'a> {
            self.asked.lock().unwrap().push(url.to_string());
            let answer = self
                .pages
                .get(url.as_str())
                .map(|body| Fetched {
                    url: url.clone(),
                    body: body.as_bytes().to_vec(),
                })
                .ok_or(FetchError::Status(404));
            Box::pin(std::future::ready(answer))
        }
    }

    fn draft(refs: &serde_json::Value, base: Option<&str>) -> Draft {
        let raw =
            json!({"openapi": "3.0.0", "info": {"title": "T"}, "paths": {}, "components": {"schemas": refs}});
        let base = base.map(|base| Url::parse(base).unwrap());
        Draft::read(serde_json::to_vec(&raw).unwrap(), base, &Bounds::default()).unwrap()
    }

    fn run(draft: Draft, fetch: &dyn Fetch, bounds: &Bounds) -> Result<Draft, Findings> {
        block_on(bundle(draft, fetch, bounds))
    }

    #[test]
    fn documents_are_fetched_once_and_point_to_each_other() {
        let site = Site::new(&[
            (
                "https://x.test/api/common.yaml",
                "Id: {type: string}\nNode: {items: {$ref: '#/Node'}, up: {$ref: 'root.json#/components/schemas/A'}}\nFar: {$ref: '../far.json'}\n",
            ),
            ("https://x.test/far.json", r#"{"type": "integer"}"#),
        ]);
        let refs = json!({"A": {"$ref": "common.yaml#/Id"}, "B": {"$ref": "./common.yaml#/Far"}});
        let draft = run(
            draft(&refs, Some("https://x.test/api/root.json")),
            &site,
            &Bounds::default(),
        )
        .unwrap();
        assert_eq!(
            *site.asked.lock().unwrap(),
            ["https://x.test/api/common.yaml", "https://x.test/far.json"]
        );
        assert!(!draft.refers_outside());
        let components = &draft.root["components"];
        assert_eq!(components["schemas"]["A"]["$ref"], "#/components/x-bundled/d1/Id");
        let node = &components["x-bundled"]["d1"]["Node"];
        assert_eq!(node["items"]["$ref"], "#/components/x-bundled/d1/Node");
        assert_eq!(node["up"]["$ref"], "#/components/schemas/A");
        let resolved = crate::references::resolve(&draft.root, "#/components/schemas/B")
            .unwrap()
            .1;
        assert_eq!(resolved, &json!({"type": "integer"}));
    }

    #[test]
    fn what_cannot_be_had_refuses_the_import_with_its_place() {
        let base = Some("https://x.test/root.json");
        let cases = [
            (json!({"A": {"$ref": "gone.json"}}), base, Code::RefUnreachable),
            (json!({"A": {"$ref": "broken.json"}}), base, Code::RefUnreachable),
            (
                json!({"A": {"$ref": "relative.json"}}),
                None,
                Code::RefUnreachable,
            ),
            (
                json!({"A": {"$ref": "file:///etc/passwd"}}),
                base,
                Code::RefUnreachable,
            ),
        ];
        let site = Site::new(&[("https://x.test/broken.json", "{")]);
        for (refs, base, code) in cases {
            let refusal = run(draft(&refs, base), &site, &Bounds::default()).unwrap_err();
            let finding = &refusal.listed()[0];
            assert_eq!(
                (finding.code, finding.pointer.as_str()),
                (code, "/components/schemas/A"),
                "{refs}"
            );
            assert_eq!(finding.line, Some(1));
        }
        assert!(
            !site
                .asked
                .lock()
                .unwrap()
                .iter()
                .any(|url| url.starts_with("file"))
        );
        let refusal = run(
            draft(&json!({"A": {"$ref": "https://x.test/a"}}), None),
            &NothingOutside,
            &Bounds::default(),
        );
        assert!(refusal.unwrap_err().to_string().contains("no other documents"));
    }

    #[test]
    fn documents_and_bytes_are_bounded() {
        let site = Site::new(&[
            ("https://x.test/1", r#"{"$ref": "2"}"#),
            ("https://x.test/2", r#"{"$ref": "3"}"#),
        ]);
        let refs = json!({"A": {"$ref": "1"}});
        let base = Some("https://x.test/root.json");
        let few = Bounds {
            bundled_documents: 2,
            ..Bounds::default()
        };
        let refusal = run(draft(&refs, base), &site, &few).unwrap_err();
        assert_eq!(refusal.listed()[0].code, Code::BundleTooLarge);
        let small = Bounds {
            raw_bytes: 120,
            ..Bounds::default()
        };
        let refusal = run(draft(&refs, base), &site, &small).unwrap_err();
        assert_eq!(refusal.listed()[0].code, Code::BundleTooLarge);
    }
}
