//! Notices between processes.

use std::time::Duration;

use gatewright_coordination::authority::{CounterKey, PartitionKey};
use gatewright_coordination::notice::{Loudness, Notice, Notices, Subscription};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::support::{TestRedis, fresh};

const SOON: Duration = Duration::from_secs(20);

/// Publishes until it is heard: pub/sub keeps nothing for those who come later.
async fn heard(speaker: &Notices, listener: &mut Subscription, notice: &Notice) {
    let until_heard = async {
        loop {
            speaker.publish(notice.clone());
            let next = timeout(Duration::from_millis(100), async {
                while listener.next().await.as_ref() != Some(notice) {}
            });
            if next.await.is_ok() {
                return;
            }
        }
    };
    timeout(SOON, until_heard).await.expect("the notice is heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_hear_each_other_over_redis_also_after_it_was_gone() {
    let Some(mut redis) = TestRedis::own() else { return };
    let connect = |loudness| Notices::redis(&redis.url(), loudness, &Handle::current()).unwrap();
    let (first, second, muted) = (
        connect(Loudness::Heard),
        connect(Loudness::Heard),
        connect(Loudness::Muted),
    );
    let mut listener = second.subscribe();
    let mut deaf = muted.subscribe();
    heard(&first, &mut listener, &Notice::Changed { seq: 1 }).await;
    let recall = Notice::Recall {
        key: CounterKey {
            limit: fresh(),
            partition: PartitionKey::new("sub_1").unwrap(),
        },
        by: fresh(),
    };
    heard(&first, &mut listener, &recall).await;
    redis.stop();
    redis.start_again();
    heard(&first, &mut listener, &Notice::Changed { seq: 2 }).await;
    first.close().await;
    second.close().await;
    drop(muted);
    assert_eq!(deaf.next().await, None);
}

#[tokio::test]
async fn without_redis_this_process_still_hears() {
    let notices = Notices::redis("redis://127.0.0.1:1/0", Loudness::Heard, &Handle::current()).unwrap();
    let mut listener = notices.subscribe();
    notices.publish(Notice::Changed { seq: 3 });
    assert_eq!(listener.next().await, Some(Notice::Changed { seq: 3 }));
    notices.close().await;
}
