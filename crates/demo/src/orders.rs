//! Orders: they can be placed, listed, read and cancelled.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::catalog;
use crate::exchange::{Answer, Call};
use crate::upstreams::Service;

/// The document.
pub const DOCUMENT: &str = include_str!("../documents/orders.yaml");

/// The shop remembers so many orders and forgets the oldest.
const MOST_ORDERS: usize = 1_000;
const MOST_ITEMS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Placed,
    Shipped,
    Cancelled,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    sku: String,
    quantity: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    customer: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Serialize)]
struct Order {
    id: String,
    state: State,
    customer: String,
    items: Vec<Item>,
    total: Money,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Money {
    amount: u64,
    currency: &'static str,
}

#[derive(Debug)]
struct Book {
    last: u64,
    orders: VecDeque<Order>,
}

/// The service.
#[derive(Debug)]
pub(crate) struct Orders {
    book: Mutex<Book>,
}

impl Orders {
    /// With two orders that are there already.
    pub(crate) fn new() -> Self {
        let mut book = Book {
            last: 1_000,
            orders: VecDeque::new(),
        };
        let items = |sku: &str, quantity| {
            vec![Item {
                sku: sku.to_owned(),
                quantity,
            }]
        };
        let shipped = NewOrder {
            customer: "Ada".to_owned(),
            items: items("LAN-01", 2),
        };
        let placed = NewOrder {
            customer: "Grace".to_owned(),
            items: items("TEN-01", 1),
        };
        for (order, state) in [(shipped, State::Shipped), (placed, State::Placed)] {
            if let Ok(total) = total(&order.items) {
                book.add(order, total, state);
            }
        }
        Self {
            book: Mutex::new(book),
        }
    }

    fn place(&self, call: &Call<'_>) -> Result<Answer, Answer> {
        let order: NewOrder = call.json()?;
        if order.customer.trim().is_empty() || order.customer.len() > 200 {
            return Err(unprocessable("A customer has a name of at most 200 bytes."));
        }
        let total = total(&order.items)?;
        let order = self.book().add(order, total, State::Placed);
        Ok(Answer::created(&format!("/orders/{}", order.id), &order))
    }

    fn list(&self, call: &Call<'_>) -> Answer {
        let state = call.parameter("state");
        let book = self.book();
        let newest = book.orders.iter().rev();
        let found = newest.filter(|order| state.is_none_or(|state| order.state.word() == state));
        Answer::ok(&json!({"items": found.take(call.limit()).collect::<Vec<_>>()}))
    }

    fn show(&self, id: &str) -> Answer {
        let book = self.book();
        let order = book.orders.iter().find(|order| order.id == id);
        order.map_or_else(|| Answer::not_found("such order"), Answer::ok)
    }

    fn cancel(&self, id: &str) -> Answer {
        let mut book = self.book();
        let Some(order) = book.orders.iter_mut().find(|order| order.id == id) else {
            return Answer::not_found("such order");
        };
        if order.state == State::Shipped {
            return Answer::problem(
                StatusCode::CONFLICT,
                "already_shipped",
                "A shipped order cannot be cancelled.",
            );
        }
        order.state = State::Cancelled;
        Answer::ok(order)
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Orders {
    fn answer(&self, call: &Call<'_>) -> Answer {
        match (call.method.clone(), call.path.as_slice()) {
            (Method::GET | Method::HEAD, ["orders"]) => self.list(call),
            (Method::POST, ["orders"]) => self.place(call).unwrap_or_else(|refusal| refusal),
            (Method::GET | Method::HEAD, ["orders", id]) => self.show(id),
            (Method::POST, ["orders", id, "cancel"]) => self.cancel(id),
            (_, ["orders"]) => Answer::not_allowed("GET, HEAD, POST"),
            (_, ["orders", _]) => Answer::not_allowed("GET, HEAD"),
            (_, ["orders", _, "cancel"]) => Answer::not_allowed("POST"),
            _ => Answer::not_found("such page"),
        }
    }
}

impl Book {
    fn add(&mut self, order: NewOrder, total: u64, state: State) -> Order {
        self.last += 1;
        let order = Order {
            id: format!("ord-{}", self.last),
            state,
            customer: order.customer,
            items: order.items,
            total: Money {
                amount: total,
                currency: "EUR",
            },
        };
        if self.orders.len() == MOST_ORDERS {
            self.orders.pop_front();
        }
        self.orders.push_back(order.clone());
        order
    }
}

/// What the items cost, in cents.
fn total(items: &[Item]) -> Result<u64, Answer> {
    if items.is_empty() || items.len() > MOST_ITEMS {
        return Err(unprocessable("An order has 1 to 50 items."));
    }
    items.iter().try_fold(0_u64, |sum, item| {
        let product =
            catalog::find(&item.sku).ok_or_else(|| unprocessable("An item names no product of the shop."))?;
        if !(1..=1_000).contains(&item.quantity) {
            return Err(unprocessable("A quantity is between 1 and 1,000."));
        }
        Ok(sum + u64::from(product.cents) * u64::from(item.quantity))
    })
}

fn unprocessable(detail: &str) -> Answer {
    Answer::problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_order", detail)
}
