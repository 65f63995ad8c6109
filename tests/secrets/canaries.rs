//! What is searched for, in every form that it may have been written in.

use std::collections::HashMap;
use std::path::Path;

use gatewright_testkit::process;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How one secret looks when somebody wrote it down in one way.
struct Trace {
    slot: String,
    form: &'static str,
    text: String,
}

/// All secrets of a run, and where they were found.
#[derive(Default)]
pub(crate) struct Canaries {
    slots: usize,
    traces: Vec<Trace>,
    /// Traces by their first two bytes: much is searched for few of them.
    begin: HashMap<[u8; 2], Vec<usize>>,
    found: Vec<String>,
    places: usize,
    bytes: usize,
}

impl Canaries {
    /// A secret that belongs to this slot.
    pub(crate) fn add(&mut self, slot: &str, secret: &str) {
        // What may be shown of a key is its beginning and its last four characters.
        let middle = secret
            .strip_prefix("gw_live_")
            .or_else(|| secret.strip_prefix("gw_test_"))
            .or_else(|| secret.strip_prefix("gwm_"))
            .map_or(secret, |random| &random[4..random.len() - 4]);
        assert!(
            middle.len() >= 12,
            "{slot}: too short to be found by itself alone"
        );
        let mut forms = vec![
            ("as it is", middle.to_owned()),
            ("backwards", middle.chars().rev().collect()),
            ("in hexadecimal", hex(middle.as_bytes())),
            ("in upper hexadecimal", hex(middle.as_bytes()).to_uppercase()),
            ("with percent signs", percent(middle)),
        ];
        for offset in 0..3 {
            let text = base64(middle.as_bytes(), offset);
            forms.push(("in base64", text.replace('+', "-").replace('/', "_")));
            forms.push(("in base64", text));
        }
        for (form, text) in forms {
            if self.traces.iter().any(|known| known.text == text) {
                continue;
            }
            let begin = [text.as_bytes()[0], text.as_bytes()[1]];
            self.begin.entry(begin).or_default().push(self.traces.len());
            self.traces.push(Trace {
                slot: slot.to_owned(),
                form,
                text,
            });
        }
        self.slots += 1;
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.slots
    }

    /// Searches what was said or shown somewhere.
    pub(crate) fn search(&mut self, place: &str, content: &[u8]) {
        self.places += 1;
        self.bytes += content.len();
        let mut quick = vec![false; 1 << 16];
        for [first, second] in self.begin.keys() {
            quick[usize::from(u16::from_be_bytes([*first, *second]))] = true;
        }
        for (at, pair) in content.windows(2).enumerate() {
            let pair = [pair[0], pair[1]];
            if !quick[usize::from(u16::from_be_bytes(pair))] {
                continue;
            }
            for index in self.begin.get(&pair).into_iter().flatten() {
                let Trace { slot, form, text } = &self.traces[*index];
                if content[at..].starts_with(text.as_bytes()) {
                    let end = content.len().min(at + 80);
                    let around = String::from_utf8_lossy(&content[at.saturating_sub(80)..end]);
                    self.found.push(format!("{slot} {form} in {place}: …{around:?}"));
                }
            }
        }
    }

    /// Searches every file below a directory, but for the named ones.
    pub(crate) fn search_files(&mut self, place: &str, folder: &Path, except: &[&str]) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                self.search_files(place, &path, except);
            } else if !except.contains(&name.as_str()) {
                // A file of a running process may go away in between.
                let content = std::fs::read(&path).unwrap_or_default();
                self.search(&format!("{place}, {}", path.display()), &content);
            }
        }
    }

    /// Says how much was searched; nothing may have been found.
    #[track_caller]
    pub(crate) fn nothing_found(&self, what: &str) {
        println!(
            "FIGURE: T24 {what}: {} secrets in 10 forms, {} places, {} KiB: {} found",
            self.slots,
            self.places,
            self.bytes >> 10,
            self.found.len()
        );
        assert!(
            self.found.is_empty(),
            "{:#?}",
            &self.found[..self.found.len().min(40)]
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    escaped.collect()
}

/// The characters of base64 that stand for these bytes wherever they begin in
/// a group of three; those that depend on their neighbours are left out.
fn base64(bytes: &[u8], offset: usize) -> String {
    let skipped = (3 - offset) % 3;
    let whole = &bytes[skipped..];
    let (groups, _) = whole.as_chunks::<3>();
    let letters = groups.iter().flat_map(|[a, b, c]| {
        let bits = (usize::from(*a) << 16) | (usize::from(*b) << 8) | usize::from(*c);
        [18, 12, 6, 0].map(|shift| char::from(BASE64[(bits >> shift) & 63]))
    });
    letters.collect()
}

/// What is in a compressed file.
pub(crate) fn unpacked(archive: &Path) -> Vec<u8> {
    let exit = process::run(
        "gzip".as_ref(),
        &["-dc".into(), archive.into()],
        &[],
        std::time::Duration::from_secs(60),
    );
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    exit.stdout.into_bytes()
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = "Correct-Horse/Battery 4711";
    for (form, text) in [
        ("plain", format!("x {secret} y")),
        ("hex", hex(format!("x{secret}y").as_bytes())),
        ("percent", format!("?a={}", percent(secret))),
        ("base64", base64(format!("{secret}yz.").as_bytes(), 0)),
        ("base64", base64(format!("x{secret}yz.").as_bytes(), 0)),
        ("base64", base64(format!("xy{secret}yz.").as_bytes(), 0)),
    ] {
        let mut canaries = Canaries::default();
        canaries.add("test", secret);
        canaries.search("here", text.as_bytes());
        assert_eq!(canaries.found.len(), 1, "{form}: {text} {:?}", canaries.found);
    }
    let mut canaries = Canaries::default();
    canaries.add("key", "gw_live_abcdEFGHIJKLMNOPQRSTUVWXYZ0123456789wxyz");
    canaries.search("a page", b"gw_live_abcd...wxyz");
    canaries.nothing_found("what may be shown");
}
