//! The catalogue: what the shop sells. Version 1 has plain prices and is on its
//! way out; version 2 has money with a currency, categories and search.

use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::exchange::{Answer, Call};
use crate::upstreams::Service;

/// The document of version 1.
pub const DOCUMENT_V1: &str = include_str!("../documents/catalog-v1.json");
/// The document of version 2.
pub const DOCUMENT_V2: &str = include_str!("../documents/catalog-v2.yaml");

/// A product; prices are in euro cents.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Product {
    pub(crate) sku: &'static str,
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) cents: u32,
    pub(crate) description: &'static str,
}

/// Everything the shop sells.
pub(crate) const PRODUCTS: [Product; 8] = [
    product(
        "LAN-01",
        "Lantern",
        "light",
        3_490,
        "A storm-proof lantern for the garden.",
    ),
    product("LAN-02", "Lantern, brass", "light", 5_990, "The same, in brass."),
    product(
        "CAN-01",
        "Candle, beeswax",
        "light",
        790,
        "Burns for eight hours.",
    ),
    product(
        "TEN-01",
        "Tent for two",
        "camp",
        18_900,
        "Stands in three minutes.",
    ),
    product(
        "SLE-01",
        "Sleeping bag",
        "camp",
        9_900,
        "Warm down to minus five degrees.",
    ),
    product("MUG-01", "Enamel mug", "kitchen", 1_290, "Chips with dignity."),
    product(
        "POT-01",
        "Camping pot",
        "kitchen",
        2_790,
        "One litre, with a lid.",
    ),
    product(
        "KNI-01",
        "Pocket knife",
        "tools",
        4_490,
        "Six tools, none of them useless.",
    ),
];

const fn product(
    sku: &'static str,
    name: &'static str,
    category: &'static str,
    cents: u32,
    description: &'static str,
) -> Product {
    Product {
        sku,
        name,
        category,
        cents,
        description,
    }
}

/// The product with this number.
pub(crate) fn find(sku: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.sku == sku)
}

/// The service.
pub(crate) struct Catalog;

impl Service for Catalog {
    fn answer(&self, call: &Call<'_>) -> Answer {
        if call.method != Method::GET && call.method != Method::HEAD {
            return Answer::not_allowed("GET, HEAD");
        }
        match call.path.as_slice() {
            ["v1", "products"] => Answer::ok(&PRODUCTS.iter().map(plain).collect::<Vec<_>>()),
            ["v1", "products", sku] => one(sku, plain),
            ["v2", "products"] => page(call),
            ["v2", "products", sku] => one(sku, full),
            ["v2", "categories"] => categories(),
            _ => Answer::not_found("such page in the catalogue"),
        }
    }
}

fn one(sku: &str, show: fn(&Product) -> Value) -> Answer {
    find(sku).map_or_else(
        || Answer::not_found("such product"),
        |product| Answer::ok(&show(product)),
    )
}

fn page(call: &Call<'_>) -> Answer {
    let category = call.parameter("category");
    let text = call.parameter("q").unwrap_or_default().to_lowercase();
    let found: Vec<&Product> = PRODUCTS
        .iter()
        .filter(|product| category.is_none_or(|category| product.category == category))
        .filter(|product| product.name.to_lowercase().contains(&text))
        .collect();
    let items: Vec<Value> = found
        .iter()
        .take(call.limit())
        .map(|product| full(product))
        .collect();
    Answer::ok(&json!({"items": items, "total": found.len()}))
}

fn categories() -> Answer {
    let mut names: Vec<&str> = PRODUCTS.iter().map(|product| product.category).collect();
    names.sort_unstable();
    names.dedup();
    Answer::ok(&json!({"items": names}))
}

fn plain(product: &Product) -> Value {
    json!({"sku": product.sku, "name": product.name, "price": f64::from(product.cents) / 100.0})
}

fn full(product: &Product) -> Value {
    json!({
        "sku": product.sku,
        "name": product.name,
        "category": product.category,
        "description": product.description,
        "price": {"amount": product.cents, "currency": "EUR"},
    })
}
