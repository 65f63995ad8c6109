//! What was acknowledged survives a power cut.

use serde_json::json;

use crate::world::{World, settles_at};

both_stores!(an_acknowledged_revocation_survives_a_crash);

async fn an_acknowledged_revocation_survives_a_crash(world: World) {
    let published = world.publish("crashing", json!({})).await;
    let consumer = world.consumer(&published).await;
    let (id, secret) = world.credential(&consumer.application).await;
    settles_at(
        &world.gateway().with("x-api-key", &secret),
        "/crashing/v1/pets",
        200,
    )
    .await;
    world
        .admin
        .verb(&format!("/credentials/{id}/revoke"))
        .await
        .expect(200);
    let World {
        server,
        node,
        echo: _echo,
        _stores,
        ..
    } = world;
    let (setup, node_setup) = (
        server.setup().clone(),
        node.as_ref().map(|node| node.setup().clone()),
    );
    server.kill();
    if let Some(node) = node {
        node.kill();
    }
    let server = setup.start();
    let node = node_setup.map(|setup| setup.start());
    // The process that acknowledged it knows it at once.
    server
        .gateway()
        .with("x-api-key", &secret)
        .get("/crashing/v1/pets")
        .await
        .expect_problem(401, "key_invalid");
    // Another one may have died before it was told.
    let gateway = node.as_ref().unwrap_or(&server).gateway();
    let refused = settles_at(&gateway.with("x-api-key", &secret), "/crashing/v1/pets", 401).await;
    refused.expect_problem(401, "key_invalid");
    settles_at(
        &gateway.with("x-api-key", &consumer.secret),
        "/crashing/v1/pets",
        200,
    )
    .await;
}
