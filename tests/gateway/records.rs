//! Usage and call records.

use std::time::Duration;

use gatewright_testkit::http::text;
use gatewright_testkit::wait::eventually;
use serde_json::{Value, json};

use crate::world::World;

/// `product.md` 6: usage is at most 10 s old.
const AGE: Duration = Duration::from_secs(12);

both_stores!(calls_are_recorded_and_counted);

async fn calls_are_recorded_and_counted(world: World) {
    let published = world.publish("counted", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let mut ids = Vec::new();
    for status in [200, 200, 200, 503] {
        let reply = gateway
            .get(&format!("/counted/v1/pets?echo_status={status}"))
            .await;
        ids.push(reply.must_have("x-request-id").to_owned());
        reply.expect(status);
    }
    let record = eventually(AGE, "the call is explained", || async {
        let reply = world.admin.get(&format!("/calls/{}", ids[3])).await;
        (reply.status == 200).then(|| reply.json())
    })
    .await;
    assert_eq!(text(&record, "id"), ids[3]);
    assert_eq!(record["status"], 503);
    let said = record.to_string();
    for part in [
        &published.api,
        &consumer.application,
        &consumer.subscription,
        &published.version,
    ] {
        assert!(said.contains(part.as_str()), "{part} in {record}");
    }
    assert!(!said.contains(&consumer.secret));

    let path = format!(
        "/usage?api={}&application={}&step=1h",
        published.api, consumer.application
    );
    let usage = eventually(AGE, "the usage counts all calls", || async {
        let usage = world.admin.get(&path).await.expect(200);
        (sum(&usage, "requests") >= 4).then_some(usage)
    })
    .await;
    assert!(sum(&usage, "errors") >= 1, "{usage}");
    let bucket = &usage["items"][0];
    for field in ["p50_ms", "p95_ms", "p99_ms", "bytes_in", "bytes_out"] {
        assert!(bucket[field].is_number(), "{field} in {bucket}");
    }
    let listed = world
        .admin
        .get(&format!("/calls?application={}&limit=2", consumer.application))
        .await
        .expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2), "{listed}");
    assert!(listed["next_cursor"].is_string(), "{listed}");
}

fn sum(usage: &Value, field: &str) -> u64 {
    let buckets = usage["items"].as_array().into_iter().flatten();
    buckets.filter_map(|bucket| bucket[field].as_u64()).sum()
}
