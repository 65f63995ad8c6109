//! Every authority keeps the same rules.

use gatewright_coordination::conformance;
use gatewright_coordination::limiter::Sources;
use gatewright_coordination::redis_authority::RedisAuthority;

use crate::support::{SharedRows, TestRedis, sources};

#[tokio::test]
async fn rows_conform() {
    conformance::check(&*SharedRows::default().authority(), &sources())
        .await
        .unwrap();
}

#[tokio::test]
async fn redis_conforms() {
    let Some(redis) = TestRedis::find() else { return };
    let sources: Sources = sources();
    conformance::check(&*redis.authority(), &sources).await.unwrap();
}

#[test]
fn the_address_of_redis_is_never_shown() {
    let authority = RedisAuthority::new("redis://user:verysecret@127.0.0.1:1/0").unwrap();
    assert!(!format!("{authority:?}").contains("verysecret"));
    assert!(RedisAuthority::new("http://example.org").is_err());
}
