//! The parts that tests stand on do what they say.

#[cfg(test)]
mod parts {
    use std::ffi::OsString;
    use std::time::Duration;

    use gatewright_testkit::echo::Echo;
    use gatewright_testkit::faulty::{Fault, nobody, upstream};
    use gatewright_testkit::http::{Client, text};
    use gatewright_testkit::postgres::Postgres;
    use gatewright_testkit::process::{Process, run};
    use gatewright_testkit::redis::Redis;
    use http::Method;
    use serde_json::json;

    const SOON: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Vec<OsString> {
        vec!["-c".into(), script.into()]
    }

    #[test]
    fn a_process_is_heard_and_ends_with_its_code() {
        let mut process = Process::spawn(
            "/bin/sh".as_ref(),
            &shell("echo ready; echo bad >&2; exit 73"),
            &[],
        );
        assert_eq!(process.wait(SOON), 73);
        let exit = run(
            "/bin/sh".as_ref(),
            &shell("echo $GREETING"),
            &[("GREETING".into(), "hello".into())],
            SOON,
        );
        assert_eq!((exit.code, exit.stdout.as_str()), (0, "hello\n"));
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = Process::spawn("/bin/sleep".as_ref(), &["60".into()], &[]);
        let path = format!("/proc/{}", process.pid());
        assert!(std::path::Path::new(&path).exists());
        drop(process);
        assert!(!std::path::Path::new(&path).exists());
    }

    #[tokio::test]
    async fn the_echo_records_and_obeys() {
        let echo = Echo::start();
        let client = Client::new(&format!("{}/base", echo.url())).with("x-mark", "1");
        let reply = client
            .post("/pets?echo_status=201&echo_header=x-theirs:2", &json!({"a": 1}))
            .await;
        let seen = reply.expect(201);
        assert_eq!(
            (text(&seen, "method"), reply.must_have("x-theirs")),
            ("POST", "2")
        );
        let received = echo.received_with("echo_status=201").pop().unwrap();
        assert!(received.target.starts_with("/base/pets?"));
        assert_eq!(
            (received.header("x-mark"), &received.body[..]),
            (Some("1"), &br#"{"a":1}"#[..])
        );
        assert_eq!(client.get("?echo_bytes=10").await.body.len(), 10);
        assert!(
            client
                .raw(b"GET /raw HTTP/1.0\r\n\r\n")
                .starts_with("HTTP/1.0 200")
        );
    }

    #[tokio::test]
    async fn faulty_upstreams_fail_each_in_its_way() {
        for fault in [Fault::Garbage, Fault::Truncated, Fault::Closes] {
            let outcome = Client::new(&upstream(fault)).attempt(Method::GET, "/", "").await;
            assert!(outcome.is_err(), "{fault:?}");
        }
        assert!(
            Client::new(&nobody())
                .attempt(Method::GET, "/", "")
                .await
                .is_err()
        );
    }

    #[test]
    fn redis_stops_and_starts_on_its_port() {
        if !Redis::is_installed() {
            eprintln!("SKIPPED: Redis is not installed");
            return;
        }
        let mut redis = Redis::start();
        let url = redis.url();
        redis.stop();
        redis.start_again();
        assert_eq!(redis.url(), url);
    }

    #[test]
    fn postgres_keeps_its_databases_over_a_stop() {
        if !Postgres::is_installed() {
            eprintln!("SKIPPED: Postgres is not installed");
            return;
        }
        let mut postgres = Postgres::start();
        let (first, second) = (postgres.database(), postgres.database());
        assert_ne!(first, second);
        postgres.stop();
        postgres.start_again();
        let ask = ["-X", "-q", "-t", "-d", first.as_str(), "-c", "SELECT 1"].map(OsString::from);
        let exit = run("psql".as_ref(), &ask, &[], SOON);
        assert_eq!((exit.code, exit.stdout.trim()), (0, "1"), "{}", exit.stderr);
    }
}
