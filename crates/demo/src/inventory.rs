//! The inventory: what is in stock, and what is reserved of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::catalog::PRODUCTS;
use crate::exchange::{Answer, Call};
use crate::upstreams::Service;

/// The document.
pub const DOCUMENT: &str = include_str!("../documents/inventory.json");

/// So many of each product are there at the start.
const AT_START: u32 = 40;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    sku: String,
    quantity: u32,
}

#[derive(Debug)]
struct Shelves {
    available: BTreeMap<&'static str, u32>,
    reserved: BTreeMap<u64, Wanted>,
    last: u64,
}

/// The service. Reservations are bounded by the stock itself.
#[derive(Debug)]
pub(crate) struct Inventory {
    shelves: Mutex<Shelves>,
}

impl Inventory {
    /// With full shelves.
    pub(crate) fn new() -> Self {
        let available = PRODUCTS.iter().map(|product| (product.sku, AT_START)).collect();
        Self {
            shelves: Mutex::new(Shelves {
                available,
                reserved: BTreeMap::new(),
                last: 0,
            }),
        }
    }

    fn list(&self) -> Answer {
        let shelves = self.shelves();
        let items: Vec<_> = shelves
            .available
            .iter()
            .map(|(sku, available)| json!({"sku": sku, "available": available}))
            .collect();
        Answer::ok(&json!({"items": items}))
    }

    fn show(&self, sku: &str) -> Answer {
        match self.shelves().available.get(sku) {
            Some(available) => Answer::ok(&json!({"sku": sku, "available": available})),
            None => Answer::not_found("such product"),
        }
    }

    fn reserve(&self, call: &Call<'_>) -> Result<Answer, Answer> {
        let wanted: Wanted = call.json()?;
        let mut shelves = self.shelves();
        let available = shelves
            .available
            .get_mut(wanted.sku.as_str())
            .ok_or_else(|| Answer::not_found("such product"))?;
        if wanted.quantity == 0 || *available < wanted.quantity {
            let left = format!("{available} are available.");
            return Err(Answer::problem(StatusCode::CONFLICT, "out_of_stock", &left));
        }
        *available -= wanted.quantity;
        shelves.last += 1;
        let id = shelves.last;
        shelves.reserved.insert(id, wanted.clone());
        let body = json!({"id": id, "sku": wanted.sku, "quantity": wanted.quantity});
        Ok(Answer::created(&format!("/reservations/{id}"), &body))
    }

    fn release(&self, id: &str) -> Answer {
        let mut shelves = self.shelves();
        let Some(wanted) = id.parse().ok().and_then(|id: u64| shelves.reserved.remove(&id)) else {
            return Answer::not_found("such reservation");
        };
        if let Some(available) = shelves.available.get_mut(wanted.sku.as_str()) {
            *available += wanted.quantity;
        }
        Answer::nothing()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Inventory {
    fn answer(&self, call: &Call<'_>) -> Answer {
        match (call.method.clone(), call.path.as_slice()) {
            (Method::GET | Method::HEAD, ["stock"]) => self.list(),
            (Method::GET | Method::HEAD, ["stock", sku]) => self.show(sku),
            (Method::POST, ["reservations"]) => self.reserve(call).unwrap_or_else(|refusal| refusal),
            (Method::DELETE, ["reservations", id]) => self.release(id),
            (_, ["stock"] | ["stock", _]) => Answer::not_allowed("GET, HEAD"),
            (_, ["reservations"]) => Answer::not_allowed("POST"),
            (_, ["reservations", _]) => Answer::not_allowed("DELETE"),
            _ => Answer::not_found("such page"),
        }
    }
}
