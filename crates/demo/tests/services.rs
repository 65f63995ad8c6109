//! The services do what their documents say, over real connections.

#[cfg(test)]
mod services {
    use gatewright_demo::upstreams::{Upstreams, WantedPorts};
    use gatewright_demo::{catalog, inventory, orders, payments};
    use gatewright_testkit::http::{Client, text};
    use http::Method;
    use serde_json::{Value, json};

    async fn start() -> Upstreams {
        Upstreams::start(WantedPorts::default()).await.unwrap()
    }

    fn client(address: std::net::SocketAddr) -> Client {
        Client::new(&format!("http://{address}"))
    }

    #[tokio::test]
    async fn orders_are_placed_listed_read_and_cancelled() {
        let upstreams = start().await;
        let orders = client(upstreams.addresses().orders);
        let body = json!({"customer": "Alan", "items": [{"sku": "MUG-01", "quantity": 3}]});
        let placed = orders.post("/orders", &body).await;
        assert_eq!(placed.must_have("location"), "/orders/ord-1003");
        let placed = placed.expect(201);
        assert_eq!(placed["total"], json!({"amount": 3 * 1290, "currency": "EUR"}));
        let list = orders.get("/orders?state=placed&limit=1").await.expect(200);
        assert_eq!(list["items"][0]["id"], "ord-1003");
        let cancelled = orders.verb("/orders/ord-1003/cancel").await.expect(200);
        assert_eq!(text(&cancelled, "state"), "cancelled");
        assert_eq!(orders.get("/orders/ord-1003").await.expect(200), cancelled);
        orders.verb("/orders/ord-1001/cancel").await.expect(409);
        orders.get("/orders/ord-9").await.expect(404);
        for wrong in [
            json!({}),
            json!({"customer": "X", "items": []}),
            json!({"customer": "X", "items": [{"sku": "?", "quantity": 1}]}),
        ] {
            orders.post("/orders", &wrong).await.expect(422);
        }
        let refused = orders.send(Method::DELETE, "/orders", "").await;
        assert_eq!(
            (refused.status, refused.must_have("allow")),
            (405, "GET, HEAD, POST")
        );
        orders
            .send(Method::POST, "/orders", vec![b' '; 70_000])
            .await
            .expect(413);
        upstreams.stop().await;
    }

    #[tokio::test]
    async fn old_orders_are_forgotten() {
        let upstreams = start().await;
        let orders = client(upstreams.addresses().orders);
        let body = json!({"customer": "Many", "items": [{"sku": "CAN-01", "quantity": 1}]});
        for _ in 0..1_000 {
            orders.post("/orders", &body).await.expect(201);
        }
        orders.get("/orders/ord-1001").await.expect(404);
        orders.get("/orders/ord-2002").await.expect(200);
        upstreams.stop().await;
    }

    #[tokio::test]
    async fn the_catalogue_speaks_two_versions() {
        let upstreams = start().await;
        let catalog = client(upstreams.addresses().catalog);
        let old = catalog.get("/v1/products/LAN-01").await.expect(200);
        assert_eq!(old, json!({"sku": "LAN-01", "name": "Lantern", "price": 34.9}));
        let new = catalog.get("/v2/products?q=lantern&limit=1").await.expect(200);
        assert_eq!(
            (new["total"].as_u64(), new["items"].as_array().map(Vec::len)),
            (Some(2), Some(1))
        );
        assert_eq!(
            new["items"][0]["price"],
            json!({"amount": 3490, "currency": "EUR"})
        );
        let camp = catalog.get("/v2/products?category=camp").await.expect(200);
        assert_eq!(camp["total"], 2);
        catalog.get("/v2/products/NONE").await.expect(404);
        upstreams.stop().await;
    }

    #[tokio::test]
    async fn stock_is_reserved_and_given_back() {
        let upstreams = start().await;
        let inventory = client(upstreams.addresses().inventory);
        let reserved = inventory
            .post("/reservations", &json!({"sku": "TEN-01", "quantity": 39}))
            .await
            .expect(201);
        inventory
            .post("/reservations", &json!({"sku": "TEN-01", "quantity": 2}))
            .await
            .expect(409);
        assert_eq!(inventory.get("/stock/TEN-01").await.expect(200)["available"], 1);
        let path = format!("/reservations/{}", reserved["id"]);
        inventory.send(Method::DELETE, &path, "").await.expect(204);
        inventory.send(Method::DELETE, &path, "").await.expect(404);
        assert_eq!(inventory.get("/stock/TEN-01").await.expect(200)["available"], 40);
        upstreams.stop().await;
    }

    #[tokio::test]
    async fn payments_are_captured_declined_and_refunded_once() {
        let upstreams = start().await;
        let payments = client(upstreams.addresses().payments);
        let pay = |amount: u64| json!({"order_id": "ord-1001", "amount": amount, "currency": "EUR"});
        let captured = payments.post("/payments", &pay(6980)).await.expect(201);
        assert_eq!(text(&captured, "state"), "captured");
        let declined = payments.post("/payments", &pay(113)).await.expect(201);
        assert_eq!(text(&declined, "state"), "declined");
        let refund = format!("/payments/{}/refund", text(&captured, "id"));
        payments.verb(&refund).await.expect(200);
        payments.verb(&refund).await.expect(409);
        payments
            .post(
                "/payments",
                &json!({"order_id": "x", "amount": 1, "currency": "USD"}),
            )
            .await
            .expect(422);
        upstreams.stop().await;
    }

    #[tokio::test]
    async fn a_restart_takes_the_same_ports_and_another_one_where_they_are_taken() {
        let first = start().await;
        let addresses = first.addresses();
        let wanted = WantedPorts {
            orders: addresses.orders.port(),
            ..WantedPorts::default()
        };
        let second = Upstreams::start(wanted).await.unwrap();
        assert_ne!(second.addresses().orders.port(), wanted.orders);
        second.stop().await;
        first.stop().await;
        let third = Upstreams::start(wanted).await.unwrap();
        assert_eq!(third.addresses().orders.port(), wanted.orders);
        third.stop().await;
    }

    #[tokio::test]
    async fn every_document_describes_what_is_served() {
        let upstreams = start().await;
        let addresses = upstreams.addresses();
        let documents = [
            (catalog::DOCUMENT_V1, addresses.catalog, "/v1"),
            (catalog::DOCUMENT_V2, addresses.catalog, "/v2"),
            (orders::DOCUMENT, addresses.orders, ""),
            (inventory::DOCUMENT, addresses.inventory, ""),
            (payments::DOCUMENT, addresses.payments, ""),
        ];
        for (document, address, base) in documents {
            let document: Value = serde_saphyr::from_str(document).unwrap();
            assert!(text(&document, "openapi").starts_with("3."));
            for (path, item) in document["paths"].as_object().unwrap() {
                let known: Vec<&String> = item
                    .as_object()
                    .unwrap()
                    .keys()
                    .filter(|key| *key != "parameters")
                    .collect();
                let filled: Vec<&str> = path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "1" } else { part })
                    .collect();
                let refused = client(address)
                    .send(Method::PATCH, &format!("{base}{}", filled.join("/")), "")
                    .await;
                assert_eq!(refused.status, 405, "{path}: {refused}");
                for method in known {
                    let allowed = refused.must_have("allow").to_lowercase();
                    assert!(allowed.contains(method.as_str()), "{method} {path}: {allowed}");
                }
            }
        }
        upstreams.stop().await;
    }
}
