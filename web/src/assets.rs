//! The files of `static/`: one stylesheet put together at the start, scripts,
//! the sprite. Each is served under a name that holds its hash, so browsers
//! keep it for ever and a new build never meets an old file.

use std::collections::HashMap;
use std::io::Write as _;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

/// The path below which static files stand.
pub(crate) const PREFIX: &str = "/static/";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The parts of the stylesheet, in the order of its layers.
const ORDER: &str = "css/order.txt";
/// Below this size compression costs more than it saves.
const WORTH_COMPRESSING: usize = 512;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../static"]
struct Files;

#[derive(Debug)]
struct Asset {
    media_type: HeaderValue,
    plain: Bytes,
    gzip: Option<Bytes>,
}

/// Every static file under its hashed name.
#[derive(Debug, Default)]
pub(crate) struct Assets {
    by_path: HashMap<String, Asset>,
    hashed: HashMap<String, String>,
}

impl Assets {
    /// Reads every file once.
    pub(crate) fn load() -> Self {
        let mut assets = Self::default();
        assets.add("app.css", stylesheet().into());
        for name in Files::iter() {
            let wanted = !name.starts_with("css/") && !name.ends_with(".txt");
            if let Some(file) = Files::get(&name).filter(|_| wanted) {
                assets.add(&name, file.data.into_owned().into());
            }
        }
        assets
    }

    fn add(&mut self, name: &str, plain: Bytes) {
        let (path, extension) = hashed(name, &plain);
        let asset = Asset {
            media_type: HeaderValue::from_static(media_type(extension)),
            gzip: compressed(extension, &plain),
            plain,
        };
        self.hashed.insert(name.to_owned(), path.clone());
        self.by_path.insert(path, asset);
    }

    /// The address of a file, by its plain name.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.hashed.get(name).map_or("", String::as_str)
    }

    /// The answer for a path below [`PREFIX`].
    pub(crate) fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let Some(asset) = self.by_path.get(path) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let takes_gzip = headers
            .get(ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("gzip"));
        let compressed = asset.gzip.as_ref().filter(|_| takes_gzip);
        let mut response = Response::new(Body::from(compressed.unwrap_or(&asset.plain).clone()));
        let answer = response.headers_mut();
        answer.insert(CONTENT_TYPE, asset.media_type.clone());
        answer.insert(CACHE_CONTROL, FOR_EVER);
        answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if compressed.is_some() {
            answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// The address of a file that is served as it stands.
pub(crate) fn address_of(name: &str) -> String {
    Files::get(name).map_or_else(String::new, |file| hashed(name, &file.data).0)
}

/// The path of a file with its hash, and its extension.
fn hashed<'a>(name: &'a str, content: &[u8]) -> (String, &'a str) {
    let hash = hex::encode(Sha256::digest(content));
    let short = hash.get(..12).unwrap_or(&hash);
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    ([PREFIX, stem, ".", short, ".", extension].concat(), extension)
}

fn stylesheet() -> Vec<u8> {
    let order = Files::get(ORDER)
        .map(|file| file.data.into_owned())
        .unwrap_or_default();
    let mut whole = Vec::new();
    for name in String::from_utf8_lossy(&order).lines().map(str::trim) {
        if let Some(part) = Files::get(&["css/", name].concat()) {
            whole.extend_from_slice(&part.data);
            whole.push(b'\n');
        }
    }
    whole
}

fn media_type(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

fn compressed(extension: &str, plain: &[u8]) -> Option<Bytes> {
    if extension == "png" || plain.len() < WORTH_COMPRESSING {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_stand_as_they_were_published() {
        let list = Files::get("VENDORED.txt").unwrap().data.into_owned();
        let list = String::from_utf8(list).unwrap();
        let lines: Vec<_> = list.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!lines.is_empty());
        for line in lines {
            let (hash, rest) = line.split_once("  ").unwrap();
            let name = rest.split_whitespace().next().unwrap();
            assert_eq!(
                hex::encode(Sha256::digest(Files::get(name).unwrap().data)),
                hash,
                "{name}"
            );
        }
    }

    #[test]
    fn what_a_page_loads_stays_within_its_budget() {
        let assets = Assets::load();
        for (name, limit) in [
            ("app.css", 14_000),
            ("app.js", 6_000),
            ("icons.svg", 4_000),
            ("htmx.min.js", 13_500),
        ] {
            let asset = &assets.by_path[assets.path(name)];
            let size = asset.gzip.as_ref().map_or(asset.plain.len(), Bytes::len);
            assert!(size <= limit, "{name} has {size} bytes, its budget is {limit}");
        }
    }

    #[test]
    fn the_stylesheet_has_every_part_and_a_hashed_name() {
        let assets = Assets::load();
        let path = assets.path("app.css").to_owned();
        assert!(path.starts_with("/static/app.") && path.len() > "/static/app..css".len());
        let response = assets.answer(&path, &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        let order = Files::get(ORDER).unwrap().data.into_owned();
        for name in String::from_utf8(order).unwrap().lines() {
            assert!(Files::get(&format!("css/{name}")).is_some(), "{name}");
        }
        assert_eq!(
            assets.answer("/static/nothing.css", &HeaderMap::new()).status(),
            404
        );
    }
}
