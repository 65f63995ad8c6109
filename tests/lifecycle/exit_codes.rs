//! Every refusal to start has its exit code and one line with the fix.

use std::net::TcpListener;

use gatewright_testkit::faulty::nobody;
use gatewright_testkit::process::Exit;
use gatewright_testkit::server::{MASTER_KEY, Setup};

use crate::stores;

fn refusal(setup: &Setup) -> Exit {
    match setup.try_start() {
        Ok(server) => panic!("it started: {}", server.ready()),
        Err(exit) => exit,
    }
}

fn expect(exit: &Exit, code: i32, words: &[&str]) {
    assert_eq!(exit.code, code, "{}", exit.stderr);
    assert!(exit.stdout.is_empty(), "nothing is ready: {}", exit.stdout);
    for word in words {
        assert!(exit.stderr.contains(word), "{word} in: {}", exit.stderr);
    }
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
}

#[test]
fn a_taken_port_ends_with_73_and_one_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for listener in [
        "--gateway-listen",
        "--management-listen",
        "--portal-listen",
        "--status-listen",
    ] {
        let exit = refusal(&Setup::embedded().arg(listener).arg(&address));
        expect(&exit, 73, &[&address, listener]);
        let lines = exit.stderr.lines().filter(|line| line.contains(&address)).count();
        assert_eq!(lines, 1, "{}", exit.stderr);
    }
}

#[test]
fn a_second_server_on_a_data_directory_ends_with_73_and_names_the_first() {
    let setup = Setup::embedded();
    let first = setup.start();
    let exit = refusal(&setup);
    expect(
        &exit,
        73,
        &[&first.pid().to_string(), &setup.data_dir().display().to_string()],
    );
    first.kill();
    setup.start().stop();
}

#[test]
fn wrong_configuration_ends_with_64_and_names_key_problem_and_fix() {
    let cases: [(&[&str], &[&str]); 5] = [
        (&["--no-such-flag"], &["--no-such-flag"]),
        (&["--roles", "gateway,magic"], &["--roles", "magic", "management"]),
        (
            &["--gateway-listen", "somewhere"],
            &["--gateway-listen", "somewhere"],
        ),
        (
            &["--database-url", "mysql://localhost/x"],
            &["--database-url", "postgres://"],
        ),
        (&["--log-format", "xml"], &["--log-format", "json"]),
    ];
    for (arguments, words) in cases {
        let setup = arguments
            .iter()
            .fold(Setup::embedded(), |setup, argument| setup.arg(*argument));
        expect(&refusal(&setup), 64, words);
    }
    let exit = refusal(&Setup::embedded().env("GATEWRIGHT_WORKERS", "many"));
    expect(&exit, 64, &["GATEWRIGHT_WORKERS", "many"]);
}

#[test]
fn an_unknown_key_in_the_file_ends_with_64_and_names_what_was_meant() {
    for key in ["gatway_listen", "gatway-listen"] {
        let setup = Setup::embedded();
        let file = setup.data_dir().join("gatewright.toml");
        std::fs::write(&file, format!("{key} = \"127.0.0.1:0\"\n")).unwrap();
        let mut exit = refusal(&setup.arg("--config").arg(&file));
        // A key may be written both ways, so either way of naming it is as good.
        exit.stderr = exit.stderr.replace('_', "-");
        expect(&exit, 64, &["gatway-listen", "gateway-listen"]);
    }
}

#[test]
fn an_unknown_command_ends_with_64() {
    let exit = Setup::embedded().command(&["dance"]);
    assert_eq!(exit.code, 64, "{}", exit.stderr);
}

#[test]
fn a_missing_database_without_a_snapshot_ends_with_69() {
    let url = nobody().replace("http://", "postgres://postgres@") + "/gatewright";
    let setup = Setup::embedded()
        .env("GATEWRIGHT_DATABASE_URL", &url)
        .env("GATEWRIGHT_MASTER_KEY", MASTER_KEY);
    let exit = refusal(&setup);
    expect(&exit, 69, &[]);
    assert!(exit.stderr.lines().count() < 40, "{}", exit.stderr);
    let exit = refusal(&Setup::embedded().arg("--data-dir").arg("/proc/nowhere"));
    assert!(
        matches!(exit.code, 64 | 69 | 73),
        "{}: {}",
        exit.code,
        exit.stderr
    );
}

#[test]
fn postgres_needs_a_master_key_and_always_the_same() {
    let Some(database) = stores::database() else {
        return;
    };
    let without = Setup::embedded().env("GATEWRIGHT_DATABASE_URL", &database.url);
    expect(&refusal(&without), 64, &["GATEWRIGHT_MASTER_KEY"]);
    let right = without.env("GATEWRIGHT_MASTER_KEY", MASTER_KEY);
    assert_eq!(right.start().stop().code, 0);
    let wrong = right.env(
        "GATEWRIGHT_MASTER_KEY",
        "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
    );
    expect(&refusal(&wrong), 64, &["master key"]);
    let short = wrong.env("GATEWRIGHT_MASTER_KEY", "c2hvcnQ=");
    expect(&refusal(&short), 64, &["GATEWRIGHT_MASTER_KEY", "32"]);
    assert!(
        !refusal(&short).stderr.contains("c2hvcnQ="),
        "a secret is never repeated"
    );
}

#[test]
fn the_embedded_key_is_made_once_and_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::embedded();
    setup.start().stop();
    let path = setup.data_dir().join("master.key");
    let made = std::fs::read(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    setup.start().stop();
    assert_eq!(std::fs::read(&path).unwrap(), made);
    std::fs::write(&path, "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n").unwrap();
    expect(&refusal(&setup), 64, &["master key"]);
}
