//! The fault proxy does to bytes what it was told, when it was told.

#[cfg(test)]
mod proxy {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use gatewright_testkit::proxy::Proxy;
    use gatewright_testkit::proxy::fault::{End, Faults, Flow};
    use gatewright_testkit::wait::eventually_blocking;

    const SOON: Duration = Duration::from_secs(30);
    const MOMENT: Duration = Duration::from_millis(200);

    /// Sends back what it gets, over any number of connections; says so at each end.
    fn mirror() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut piece = [0; 4_096];
                    while let Ok(read @ 1..) = stream.read(&mut piece) {
                        if stream.write_all(&piece[..read]).is_err() {
                            return;
                        }
                    }
                    stream.write_all(b"end").ok();
                });
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    fn echoes(stream: &mut TcpStream, text: &[u8]) {
        stream.write_all(text).unwrap();
        let mut back = vec![0; text.len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn without_a_fault_it_carries_both_ways_and_ends_each_by_itself() {
        let proxy = Proxy::start(&mirror());
        let mut stream = connect(&proxy);
        echoes(&mut stream, &[7; 100_000]);
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"end");
        assert_eq!(proxy.accepted(), 1);
        eventually_blocking(SOON, "nothing is open", || (proxy.open() == 0).then_some(()));
    }

    #[test]
    fn a_shut_door_refuses_and_opens_again_on_its_port() {
        let proxy = Proxy::start(&mirror());
        let mut kept = connect(&proxy);
        echoes(&mut kept, b"before");
        proxy.down();
        let refused = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(kept.read(&mut [0; 1]).unwrap_or(0), 0, "what was open is closed");
        proxy.heal();
        echoes(&mut connect(&proxy), b"after");
    }

    #[test]
    fn a_frozen_one_takes_connections_and_thaws_without_loss() {
        let proxy = Proxy::start(&mirror());
        let mut old = connect(&proxy);
        echoes(&mut old, b"before");
        proxy.freeze();
        let mut new = connect(&proxy);
        for stream in [&mut old, &mut new] {
            stream.write_all(b"hello").unwrap();
            stream.set_read_timeout(Some(MOMENT)).unwrap();
            assert!(stream.read(&mut [0; 1]).is_err(), "nothing comes");
            stream.set_read_timeout(Some(SOON)).unwrap();
        }
        proxy.heal();
        for stream in [&mut old, &mut new] {
            let mut back = [0; 5];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"hello");
        }
    }

    #[test]
    fn answers_end_after_so_many_bytes_in_the_way_that_was_asked_for() {
        let proxy = Proxy::start(&mirror());
        for after in [0, 1, 10] {
            proxy.set(Faults::answers_end(after, End::Fin));
            let mut stream = connect(&proxy);
            stream.write_all(b"a longer text than that").ok();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            assert_eq!(got.len() as u64, after);

            proxy.set(Faults::answers_end(after, End::Reset));
            let mut stream = connect(&proxy);
            stream.write_all(b"a longer text than that").ok();
            let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);

            proxy.set(Faults::answers_end(after, End::HalfClose));
            let mut stream = connect(&proxy);
            stream.write_all(b"a longer text than that").unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            assert_eq!(got.len() as u64, after);
            stream.write_all(b"the other way is open").unwrap();
        }
    }

    #[test]
    fn bytes_come_late_in_slices_slowly_or_turned() {
        let proxy = Proxy::start(&mirror());
        let mut stream = connect(&proxy);
        proxy.set(Faults::late(MOMENT, Duration::from_millis(5)));
        let since = Instant::now();
        echoes(&mut stream, b"hello");
        assert!(since.elapsed() >= 2 * MOMENT);

        proxy.set(Faults::sliced(1));
        echoes(&mut stream, &[3; 300]);

        let slow = Flow {
            slice: 100,
            bytes_per_second: Some(1_000),
            ..Flow::default()
        };
        proxy.set(Faults {
            down: slow,
            ..Faults::default()
        });
        let since = Instant::now();
        echoes(&mut stream, &[5; 300]);
        assert!(since.elapsed() >= Duration::from_millis(290));

        proxy.set(Faults {
            down: Flow {
                corrupt_at: Some(2),
                ..Flow::default()
            },
            ..Faults::default()
        });
        let mut stream = connect(&proxy);
        stream.write_all(b"abcd").unwrap();
        let mut back = [0; 4];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, [b'a', b'b', !b'c', b'd']);
    }

    #[test]
    fn it_stands_in_a_url_and_before_another_server() {
        let (proxy, through) = Proxy::before(&format!("postgres://me:word@{}/name?a=b", mirror()));
        assert_eq!(
            through,
            format!("postgres://me:word@{}/name?a=b", proxy.address())
        );
        let mut stream = connect(&proxy);
        echoes(&mut stream, b"first");
        proxy.retarget("127.0.0.1:1");
        echoes(&mut stream, b"open connections stay");
        assert_eq!(
            connect(&proxy).read(&mut [0; 1]).unwrap_or(0),
            0,
            "new ones go elsewhere"
        );
    }
}
