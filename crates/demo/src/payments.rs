//! Payments: taken, shown, refunded. An amount that ends in 13 is declined, so
//! that callers can try that too.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::exchange::{Answer, Call};
use crate::upstreams::Service;

/// The document.
pub const DOCUMENT: &str = include_str!("../documents/payments.yaml");

/// So many payments are remembered; the oldest are forgotten.
const MOST_PAYMENTS: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Captured,
    Declined,
    Refunded,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Currency {
    #[serde(rename = "EUR")]
    Euro,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPayment {
    order_id: String,
    amount: u64,
    currency: Currency,
}

#[derive(Debug, Clone, Serialize)]
struct Payment {
    id: String,
    state: State,
    order_id: String,
    amount: u64,
    currency: Currency,
}

#[derive(Debug, Default)]
struct Ledger {
    last: u64,
    payments: VecDeque<Payment>,
}

/// The service.
#[derive(Debug)]
pub(crate) struct Payments {
    ledger: Mutex<Ledger>,
}

impl Payments {
    /// Without any payment yet.
    pub(crate) fn new() -> Self {
        Self {
            ledger: Mutex::new(Ledger::default()),
        }
    }

    fn take(&self, call: &Call<'_>) -> Result<Answer, Answer> {
        let new: NewPayment = call.json()?;
        if new.amount == 0 || new.order_id.is_empty() || new.order_id.len() > 64 {
            let detail = "A payment has an amount in cents and an order.";
            return Err(Answer::problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_payment",
                detail,
            ));
        }
        let state = if new.amount % 100 == 13 {
            State::Declined
        } else {
            State::Captured
        };
        let mut ledger = self.ledger();
        ledger.last += 1;
        let id = format!("pay-{}", ledger.last);
        let payment = Payment {
            id,
            state,
            order_id: new.order_id,
            amount: new.amount,
            currency: new.currency,
        };
        if ledger.payments.len() == MOST_PAYMENTS {
            ledger.payments.pop_front();
        }
        ledger.payments.push_back(payment.clone());
        Ok(Answer::created(&format!("/payments/{}", payment.id), &payment))
    }

    fn show(&self, id: &str) -> Answer {
        let ledger = self.ledger();
        let payment = ledger.payments.iter().find(|payment| payment.id == id);
        payment.map_or_else(|| Answer::not_found("such payment"), Answer::ok)
    }

    fn refund(&self, id: &str) -> Answer {
        let mut ledger = self.ledger();
        let Some(payment) = ledger.payments.iter_mut().find(|payment| payment.id == id) else {
            return Answer::not_found("such payment");
        };
        if payment.state != State::Captured {
            let detail = "Only a captured payment can be refunded.";
            return Answer::problem(StatusCode::CONFLICT, "not_captured", detail);
        }
        payment.state = State::Refunded;
        Answer::ok(payment)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Payments {
    fn answer(&self, call: &Call<'_>) -> Answer {
        match (call.method.clone(), call.path.as_slice()) {
            (Method::POST, ["payments"]) => self.take(call).unwrap_or_else(|refusal| refusal),
            (Method::GET | Method::HEAD, ["payments", id]) => self.show(id),
            (Method::POST, ["payments", id, "refund"]) => self.refund(id),
            (_, ["payments"] | ["payments", _, "refund"]) => Answer::not_allowed("POST"),
            (_, ["payments", _]) => Answer::not_allowed("GET, HEAD"),
            _ => Answer::not_found("such page"),
        }
    }
}
