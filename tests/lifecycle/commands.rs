//! Commands beside `serve`.

use gatewright_testkit::http::text;
use gatewright_testkit::server::Setup;
use serde_json::{Value, json};

use crate::documents;
use crate::stores;
use crate::world::shared;

#[test]
fn help_lists_what_is_there() {
    let exit = Setup::embedded().command(&["--help"]);
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    for command in [
        "serve", "demo", "migrate", "doctor", "admin", "token", "api", "backup", "restore",
    ] {
        assert!(exit.stdout.contains(command), "{command} in {}", exit.stdout);
    }
    let exit = Setup::embedded().command(&["serve", "--help"]);
    for flag in [
        "--gateway-listen",
        "--management-listen",
        "--portal-listen",
        "--status-listen",
        "--data-dir",
        "--database-url",
        "--redis-url",
        "--master-key-file",
        "--fetch-allow",
        "--workers",
        "--log-format",
        "--config",
    ] {
        assert!(exit.stdout.contains(flag), "{flag} in {}", exit.stdout);
    }
}

#[test]
fn doctor_finds_what_is_wrong_and_how_to_mend_it() {
    let setup = Setup::embedded();
    let server = setup.start();
    let well = setup.command(&["doctor", "--output", "json"]);
    assert_eq!(well.code, 0, "{}\n{}", well.stdout, well.stderr);
    let report: Value = serde_json::from_str(&well.stdout).unwrap_or_else(|_| panic!("{}", well.stdout));
    assert!(report.is_object() || report.is_array(), "{report}");
    server.stop();
    let url = gatewright_testkit::faulty::nobody().replace("http", "redis");
    let ill = setup.env("GATEWRIGHT_REDIS_URL", &url).command(&["doctor"]);
    assert_eq!(ill.code, 1, "{}\n{}", ill.stdout, ill.stderr);
    assert!(ill.stdout.to_lowercase().contains("redis"), "{}", ill.stdout);
}

#[test]
fn migrations_are_listed_and_applied() {
    let Some(database) = stores::database() else {
        return;
    };
    let setup = Setup::cluster(&database.url, "redis://127.0.0.1:1/0").without_env("GATEWRIGHT_REDIS_URL");
    let applied = setup.command(&["migrate"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let again = setup.command(&["migrate"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(setup.start().stop().code, 0);
}

#[tokio::test]
async fn an_administrator_made_at_the_command_line_can_act() {
    let world = shared().await;
    let setup = world
        .server
        .setup()
        .clone()
        .env("GATEWRIGHT_ADMIN_PASSWORD", "another-long-password-17");
    let made = setup.command(&["admin", "create", "--email", "second@example.com"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let token = setup.command(&["token", "create", "--user", "second@example.com", "--name", "x"]);
    assert_eq!(token.code, 0, "{}", token.stderr);
    let client = world.server.management().bearer(token.stdout.trim());
    client.get("/apis").await.expect(200);
    let twice = setup.command(&["admin", "create", "--email", "second@example.com"]);
    assert_ne!(twice.code, 0);
}

#[test]
fn lint_ends_with_1_when_it_finds_an_error() {
    let setup = Setup::embedded();
    let good = setup.data_dir().join("good.yaml");
    std::fs::write(&good, documents::PETS_YAML).unwrap();
    let exit = setup.command(&["api", "lint", good.to_str().unwrap()]);
    assert_eq!(exit.code, 0, "{}\n{}", exit.stdout, exit.stderr);
    let outside = format!("{}/p.json", gatewright_testkit::faulty::nobody());
    for (reference, code, severity) in [("#/nowhere", 0, "warning"), (&outside, 1, "error")] {
        let file = setup.data_dir().join("reference.json");
        std::fs::write(&file, documents::pets_with_reference(reference).to_string()).unwrap();
        let exit = setup.command(&["api", "lint", file.to_str().unwrap(), "--output", "json"]);
        assert_eq!(exit.code, code, "{reference}: {}\n{}", exit.stdout, exit.stderr);
        let report: Value = serde_json::from_str(&exit.stdout).unwrap_or_else(|_| panic!("{}", exit.stdout));
        let told = report["findings"].as_array().unwrap().iter().any(|finding| {
            text(finding, "severity") == severity
                && text(finding, "pointer").starts_with(documents::REFERENCE_AT)
        });
        assert!(told, "{reference}: {report}");
    }
    let missing = setup.command(&["api", "lint", "no-such-file.json"]);
    assert!(
        missing.code != 0 && missing.stderr.contains("no-such-file.json"),
        "{}",
        missing.stderr
    );
}

#[tokio::test]
async fn an_import_from_the_command_line_is_seen_by_the_server() {
    let world = shared().await;
    let setup = world.server.setup();
    let file = setup.data_dir().join("cli.yaml");
    std::fs::write(
        &file,
        documents::PETS_YAML.replace("Petstore YAML", "Petstore CLI"),
    )
    .unwrap();
    let exit = setup.command(&[
        "api",
        "import",
        file.to_str().unwrap(),
        "--slug",
        "from-cli",
        "--context-path",
        "/from-cli",
    ]);
    assert_eq!(exit.code, 0, "{}\n{}", exit.stdout, exit.stderr);
    let api = world.admin.get("/apis/from-cli").await.expect(200);
    assert_eq!(text(&api, "name"), "Petstore CLI");
}

#[tokio::test]
async fn a_document_is_compared_with_what_is_published_or_with_another_one() {
    let world = shared().await;
    world.import("compared").await;
    let setup = world.server.setup();
    let file = |name: &str, document: &Value| {
        let path = setup.data_dir().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = file("old.json", &documents::pets());
    let mut broken = documents::pets();
    let paths = broken["paths"].as_object_mut().unwrap();
    let gone = paths.keys().next().unwrap().clone();
    paths.remove(&gone);
    let new = file("new.json", &broken);
    let against = |document: &str, how: &[&str]| {
        setup.command(&[&["api", "diff", document, "--output", "json"], how].concat())
    };
    for how in [
        ["--api", "compared"].as_slice(),
        &["--api", "compared", "--version", "v1"],
        &["--against", &old],
    ] {
        let same = against(&old, how);
        assert_eq!(same.code, 0, "{how:?}: {}\n{}", same.stdout, same.stderr);
        let report: Value = serde_json::from_str(&same.stdout).unwrap();
        assert_eq!(report["changes"], json!([]), "{how:?}: {report}");
        let breaks = against(&new, how);
        assert_eq!(breaks.code, 1, "{how:?}: {}\n{}", breaks.stdout, breaks.stderr);
        let report: Value = serde_json::from_str(&breaks.stdout).unwrap();
        assert!(report["breaking"].as_u64().unwrap() > 0, "{report}");
        assert_eq!(
            (&report["changes"][0]["class"], &report["changes"][0]["code"]),
            (&json!("breaking"), &json!("operation_removed"))
        );
    }
    let text = setup.command(&["api", "diff", &new, "--against", &old]);
    assert!(
        text.code == 1
            && text.stdout.contains("breaking operation_removed")
            && text.stdout.contains("is gone"),
        "{}",
        text.stdout
    );
}

#[tokio::test]
async fn what_cannot_be_compared_is_told() {
    let world = shared().await;
    world.import("comparable").await;
    let setup = world.server.setup();
    let file = |name: &str, document: &Value| {
        let path = setup.data_dir().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = file("before.json", &documents::pets());
    let new = file("after.json", &documents::pets());
    for (how, code, told) in [
        (
            ["no-such-file.json", "--api", "comparable"].as_slice(),
            64,
            "no-such-file.json",
        ),
        (&[&old, "--api", "no-such-api"], 64, "there is no API no-such-api"),
        (
            &[&old, "--api", "comparable", "--version", "v9"],
            64,
            "comparable has no version v9",
        ),
        (
            &[&old, "--against", &new, "--api", "comparable"],
            64,
            "cannot be used with",
        ),
    ] {
        let refused = setup.command(&[&["api", "diff"], how].concat());
        assert_eq!(refused.code, code, "{how:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(told), "{how:?}: {}", refused.stderr);
    }
    let nonsense = file("nonsense.json", &json!([]));
    let unreadable = setup.command(&["api", "diff", &nonsense, "--against", &old]);
    assert!(
        unreadable.code == 1 && unreadable.stdout.contains("not_an_object"),
        "{}",
        unreadable.stdout
    );
}
