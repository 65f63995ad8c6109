//! The rules, one function for each group.

use std::time::Duration;

use gatewright_model::limit::{LimitKind, ResetKind};
use tokio::time::sleep;

use super::{Counter, Deviation, Who, broken, holds, read_window, same};
use crate::authority::{Authority, LeaseFate};
use crate::limiter::Sources;

/// Batches of a quota.
pub(super) async fn quota(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    let mut counter = Counter::new(authority, sources, LimitKind::Quota, 100, "1w")?;
    let mut request = counter.request(Who::First, 1_000);
    request.nodes = 2;
    let answer = counter.send(request).await?;
    same("a batch is remaining / (4 × nodes)", answer.granted, 12)?;
    same(
        "what is granted is used",
        (answer.used, answer.remaining),
        (12, 88),
    )?;
    holds(
        "a quota is reset at the end of its period",
        answer.reset_after > Duration::ZERO && answer.reset_after <= Duration::from_secs(7 * 86_400),
        answer.reset_after,
    )?;
    same(
        "no wait while there is something",
        answer.retry_after,
        Duration::ZERO,
    )?;
    holds(
        "the holder stops a second before the write-off",
        answer.lease_for >= answer.usable_for + Duration::from_secs(1),
        answer,
    )?;
    let answer = counter.ask(Who::First, 3).await?;
    same("no more than is wanted", answer.granted, 3)?;
    let rest = counter.exhaust(Who::Second).await?;
    same("the sum of all grants is the amount", rest, 100 - 15)?;
    let refused = counter.ask(Who::First, 1).await?;
    same(
        "a refusal grants and changes nothing",
        (refused.granted, refused.used),
        (0, 100),
    )?;
    same(
        "it lasts until the reset",
        refused.retry_after,
        refused.reset_after,
    )?;

    counter = Counter::new(authority, sources, LimitKind::Quota, 8, "1w")?;
    let batch = vec![
        counter.request(Who::First, 2),
        counter.request(Who::Second, 2),
        counter.request(Who::First, 0),
    ];
    let granted: Vec<(u64, u64)> = authority
        .lease(batch)
        .await?
        .iter()
        .map(|answer| (answer.granted, answer.used))
        .collect();
    same(
        "a batch is answered in order",
        granted.as_slice(),
        &[(2, 2), (1, 3), (0, 3)],
    )
}

/// What happens to leases that live.
pub(super) async fn leases(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    for reset in [ResetKind::Calendar, ResetKind::Rolling] {
        let mut counter = Counter::new(authority, sources, LimitKind::Quota, 100, "1d")?;
        counter.spec.reset = reset;
        let request = counter.request(Who::First, 10);
        let lease = request.lease;
        let first = counter.send(request.clone()).await?;
        let again = counter.send(request).await?;
        same(
            "the same lease id twice is one lease",
            (again.granted, again.used),
            (first.granted, first.used),
        )?;

        let seen = counter.ask(Who::Second, 0).await?;
        same("others see what is outstanding", seen.outstanding_elsewhere, 10)?;
        let own = counter.report(Who::First, lease, 4, LeaseFate::Held).await?;
        same("the own lease is not elsewhere", own.outstanding_elsewhere, 0)?;
        let seen = counter.ask(Who::Second, 0).await?;
        same("what is spent is not outstanding", seen.outstanding_elsewhere, 6)?;
        same("a report of use returns nothing", seen.used, 10)?;

        let other = counter.report(Who::Second, lease, 4, LeaseFate::Closed).await?;
        same("nobody closes the lease of another", other.used, 10)?;
        let closed = counter.report(Who::First, lease, 7, LeaseFate::Closed).await?;
        same("what is unspent comes back", closed.used, 7)?;
        let twice = counter.report(Who::First, lease, 7, LeaseFate::Closed).await?;
        same("it comes back once", twice.used, 7)?;
        let seen = counter.ask(Who::Second, 0).await?;
        same("a closed lease is not outstanding", seen.outstanding_elsewhere, 0)?;
    }
    Ok(())
}

/// Changes of the limit.
pub(super) async fn changes(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    let mut counter = Counter::new(authority, sources, LimitKind::Quota, 100, "1d")?;
    counter.ask(Who::First, 20).await?;
    counter.spec.amount = 50;
    let less = counter.ask(Who::First, 0).await?;
    same(
        "another amount keeps the use",
        (less.used, less.remaining),
        (20, 30),
    )?;
    counter.spec.amount = 10;
    let below = counter.ask(Who::First, 1).await?;
    same(
        "an amount below the use refuses",
        (below.granted, below.remaining),
        (0, 0),
    )?;
    counter.spec.amount = 1_000;
    let more = counter.ask(Who::First, 1).await?;
    same("a larger one admits again", (more.granted, more.used), (1, 21))?;
    counter.spec.window = read_window("1w")?;
    let anew = counter.ask(Who::First, 1).await?;
    same("another window starts anew", (anew.granted, anew.used), (1, 1))
}

/// Lost counters, and what was admitted without asking.
pub(super) async fn losses(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    let other = Counter::new(authority, sources, LimitKind::Quota, 100, "1w")?;
    let period = other.ask(Who::First, 0).await?.period;
    let counter = Counter::new(authority, sources, LimitKind::Quota, 100, "1w")?;
    let mut request = counter.request(Who::First, 1);
    request.known.period = Some(period);
    request.known.used = 40;
    let seeded = counter.send(request).await?;
    same("a lost counter is seeded", seeded.used, 41)?;
    let mut request = counter.request(Who::First, 0);
    request.known.period = Some(period);
    request.known.used = 90;
    let kept = counter.send(request).await?;
    same("one that is there is not", kept.used, 41)?;

    let mut request = counter.request(Who::First, 0);
    request.known.period = Some(period);
    request.known.overdraft = 5;
    same(
        "overdraft is counted",
        counter.send(request.clone()).await?.used,
        46,
    )?;
    same(
        "it is counted once",
        counter.send(request.clone()).await?.used,
        46,
    )?;
    request = counter.request(Who::First, 0);
    request.known.period = Some(period - 1);
    request.known.overdraft = 5;
    same(
        "that of another period is not",
        counter.send(request).await?.used,
        46,
    )
}

/// Rates over several nodes.
pub(super) async fn rates(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    let mut counter = Counter::new(authority, sources, LimitKind::Rate, 20, "10s")?;
    counter.spec.burst = 4;
    let request = counter.request(Who::First, 1);
    let first = counter.send(request.clone()).await?;
    same("a rate grants", (first.granted, first.remaining), (1, 3))?;
    let again = counter.send(request.clone()).await?;
    same(
        "one lease id is one lease",
        (again.granted, again.remaining),
        (1, 3),
    )?;
    counter
        .report(Who::First, request.lease, 0, LeaseFate::Closed)
        .await?;
    let rest = counter.exhaust(Who::Second).await?;
    same("permits of a rate do not come back; a burst is exact", rest, 3)?;
    let refused = counter.ask(Who::First, 1).await?;
    holds(
        "a refusal names a wait below one step",
        refused.retry_after > Duration::ZERO && refused.retry_after <= Duration::from_millis(500),
        refused,
    )?;
    holds(
        "and when the burst is whole",
        refused.reset_after > Duration::from_secs(1) && refused.reset_after <= Duration::from_secs(2),
        refused,
    )?;
    holds(
        "permits of a rate die within 1 % of window and burst",
        refused.usable_for <= Duration::from_millis(120) && refused.lease_for == refused.usable_for,
        refused,
    )?;
    sleep(refused.retry_after).await;
    let after = counter.ask(Who::First, 1).await?;
    same("after the wait there is one", after.granted, 1)
}

/// What ends by itself.
pub(super) async fn ends(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    for reset in [ResetKind::Calendar, ResetKind::Rolling] {
        let mut counter = Counter::new(authority, sources, LimitKind::Quota, 7, "2s")?;
        counter.spec.reset = reset;
        // A calendar period may end while it is used up: then the next one is.
        let mut sum = counter.exhaust(Who::First).await?;
        if sum != 7 {
            sum = counter.exhaust(Who::First).await?;
        }
        same("a short window has its amount", sum, 7)?;
        let anew = counter
            .until("a window ends", |answer| answer.remaining == 7)
            .await?;
        same("and nothing of it counts", anew.used, 0)?;
    }

    let mut counter = Counter::new(authority, sources, LimitKind::Quota, 40, "30s")?;
    counter.spec.reset = ResetKind::Rolling;
    let lost = counter.ask(Who::Second, 10).await?;
    same(
        "a lease is outstanding while it lives",
        counter.ask(Who::First, 0).await?.outstanding_elsewhere,
        10,
    )?;
    let later = counter
        .until("a lease ends", |answer| answer.outstanding_elsewhere == 0)
        .await?;
    same("it is written off", later.used, 10)?;
    let late = counter
        .report(Who::Second, lost.lease, 0, LeaseFate::Closed)
        .await?;
    if late.used != 10 {
        return broken("and does not come back", late);
    }
    Ok(())
}
