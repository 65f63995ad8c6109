//! Notices over Redis pub/sub.

use std::time::Duration;

use futures_util::StreamExt;
use gatewright_model::id::{LimitId, NodeId};
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, RedisError};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{sleep, timeout};

use super::Notice;
use crate::authority::{CounterKey, PartitionKey};

const CHANNEL: &str = "gatewright:notices";
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A silent connection is asked whether it is still one.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// One message may hold this up, not more.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// What travels.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    Changed {
        seq: i64,
    },
    Recall {
        limit: LimitId,
        partition: String,
        by: NodeId,
    },
}

/// Listens for ever; ends only with its task.
pub(super) async fn listen(client: Client, heard: broadcast::Sender<Notice>) {
    let mut backoff = BACKOFF_MIN;
    let mut told = false;
    loop {
        match timeout(CONNECT_TIMEOUT, subscribe(&client)).await {
            Ok(Ok(connection)) => {
                tracing::debug!("listening for change notices on redis");
                (backoff, told) = (BACKOFF_MIN, false);
                // What was said before nobody here has heard.
                drop(heard.send(Notice::Unknown));
                forward(connection, &heard).await;
            }
            Ok(Err(error)) if !told => {
                told = true;
                tracing::warn!(%error, "redis carries no change notices now; polling goes on");
            }
            _ => {}
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Publishes what comes; ends when every sender is gone.
pub(super) async fn speak(client: Client, mut outgoing: mpsc::Receiver<Notice>) {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(PUBLISH_TIMEOUT))
        .set_min_delay(BACKOFF_MIN)
        .set_max_delay(BACKOFF_MAX);
    let mut connection = match ConnectionManager::new_lazy_with_config(client, config) {
        Ok(connection) => connection,
        Err(error) => {
            tracing::error!(%error, "change notices cannot be sent over redis");
            return;
        }
    };
    while let Some(notice) = outgoing.recv().await {
        if let Some(text) = encode(notice) {
            publish(&mut connection, text).await;
        }
    }
}

/// Sends one notice; one that is lost is made up for by polling.
async fn publish(connection: &mut ConnectionManager, text: String) {
    let mut command = redis::cmd("PUBLISH");
    command.arg(CHANNEL).arg(text);
    match timeout(PUBLISH_TIMEOUT, command.query_async::<i64>(connection)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a change notice was lost"),
        Err(_) => tracing::debug!("a change notice was lost, redis is slow"),
    }
}

async fn subscribe(client: &Client) -> Result<PubSub, RedisError> {
    let mut connection = client.get_async_pubsub().await?;
    connection.subscribe(CHANNEL).await?;
    Ok(connection)
}

async fn forward(connection: PubSub, heard: &broadcast::Sender<Notice>) {
    let (mut sink, mut messages) = connection.split();
    loop {
        match timeout(PING_EVERY, messages.next()).await {
            Ok(Some(message)) => {
                let notice = decode(message.get_payload_bytes()).unwrap_or(Notice::Unknown);
                // An error only says that nobody listens here.
                drop(heard.send(notice));
            }
            Ok(None) => return,
            Err(_) => {
                if !matches!(
                    timeout(PING_TIMEOUT, sink.ping::<redis::Value>()).await,
                    Ok(Ok(_))
                ) {
                    return;
                }
            }
        }
    }
}

fn encode(notice: Notice) -> Option<String> {
    let message = match notice {
        Notice::Changed { seq } => Message::Changed { seq },
        Notice::Recall { key, by } => Message::Recall {
            limit: key.limit,
            partition: key.partition.as_str().to_owned(),
            by,
        },
        Notice::Unknown => return None,
    };
    serde_json::to_string(&message).ok()
}

fn decode(bytes: &[u8]) -> Option<Notice> {
    match serde_json::from_slice(bytes).ok()? {
        Message::Changed { seq } => Some(Notice::Changed { seq }),
        Message::Recall { limit, partition, by } => {
            let partition = PartitionKey::new(&partition).ok()?;
            Some(Notice::Recall {
                key: CounterKey { limit, partition },
                by,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::id::{EntityId, uuid_v7};
    use gatewright_model::time::Timestamp;

    use super::*;

    #[test]
    fn notices_survive_the_wire_and_strangers_do_no_harm() {
        let notices = [
            Notice::Changed { seq: i64::MAX },
            Notice::Recall {
                key: CounterKey {
                    limit: LimitId::from_uuid(uuid_v7(Timestamp::from_millis(7), [1; 10])),
                    partition: PartitionKey::new("sub_ü").unwrap(),
                },
                by: NodeId::from_uuid(uuid_v7(Timestamp::from_millis(9), [2; 10])),
            },
        ];
        for notice in notices {
            assert_eq!(decode(encode(notice.clone()).unwrap().as_bytes()), Some(notice));
        }
        assert_eq!(encode(Notice::Unknown), None);
        for bytes in [&b""[..], b"{}", b"{\"later\":1}", b"\xff"] {
            assert_eq!(decode(bytes), None);
        }
    }
}
