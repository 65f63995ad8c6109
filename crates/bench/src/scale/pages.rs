//! How long the server takes for every kind of page that links lead to, as it
//! says itself (`Server-Timing`), for an owner, a publisher, a developer and a
//! visitor.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use gatewright_testkit::http::Client;
use gatewright_testkit::permissions::{Rule, table};
use gatewright_testkit::redis::Redis;
use gatewright_testkit::server::{ADMIN_EMAIL, ADMIN_PASSWORD, Server};
use http::Method;

use super::figures::{Figures, quantile};
use super::seed::{DEVELOPER, PASSWORD, PUBLISHER};
use super::stores::{self, Filled};
use crate::usage::ProcessUsage;

/// The bar of a whole page, in milliseconds (`portal-ux` 5.2).
const BAR: f64 = 80.0;
/// Addresses of one kind that are asked for.
const ADDRESSES: usize = 8;
/// A server that has worked a twentieth of this time is idle.
const IDLE: Duration = Duration::from_secs(3);
/// The longest that it may have something to do after a start.
const SETTLES: Duration = Duration::from_secs(600);
/// Kinds that are named in the table although they hold their bar.
const NAMED: usize = 5;
/// Searches, which no link leads to.
const SEARCHES: [&str; 9] = [
    "/search?q=orders",
    "/search?q=items%20id",
    "/apis?q=weather",
    "/console/apis?q=payments",
    "/console/apps?q=application%2077",
    "/console/users?q=person",
    "/console/teams?q=team-07",
    "/console/logs?status=502",
    "/console/audit?action=api.create",
];

/// How pages are visited.
#[derive(Debug)]
pub(super) struct Visits {
    /// How often each kind.
    pub(super) each: usize,
    /// Only routes that begin so.
    pub(super) only: String,
    /// Wait for somebody who looks for himself.
    pub(super) serve: bool,
}

/// Starts the product on the store and asks it for pages.
pub(super) async fn measure(filled: &Filled, visits: &Visits, figures: &mut Figures) -> anyhow::Result<()> {
    // As it is run in production: beside Postgres stands Redis.
    let redis = matches!(filled.kind, stores::Kind::Postgres).then(Redis::start);
    let setup = redis.iter().fold(filled.setup.clone(), |setup, redis| {
        setup.env("GATEWRIGHT_REDIS_URL", redis.url())
    });
    let server = setup.start();
    if visits.serve {
        eprintln!("{} as {ADMIN_EMAIL}, {ADMIN_PASSWORD}", server.ready());
        if let Some(url) = filled.setup.variable("GATEWRIGHT_DATABASE_URL") {
            eprintln!("{}", url.display());
        }
        eprintln!("{}", filled.setup.data_dir().display());
        let mut one = [0];
        // Whoever closes standard input wants the end too.
        std::io::stdin().read_exact(&mut one).ok();
        return Ok(());
    }
    settle(&server).await?;
    let rules: Vec<Rule> = table("Pages")
        .into_iter()
        .filter(|rule| rule.method == "GET")
        .collect();
    for (who, email, password) in [
        ("owner", ADMIN_EMAIL, ADMIN_PASSWORD),
        ("publisher", PUBLISHER, PASSWORD),
        ("developer", DEVELOPER, PASSWORD),
        ("visitor", "", ""),
    ] {
        let client = sign_in(&server, email, password).await?;
        let mut tour = Tour::new(&rules, client, visits);
        tour.look_around().await?;
        tour.visit().await?;
        tour.report(&format!("{}, {who}", filled.kind.name()), figures);
    }
    server.stop();
    Ok(())
}

/// Waits until the server has done what there was to do after a start: usage of
/// a week is added up then, which in life is done hour by hour.
async fn settle(server: &Server) -> anyhow::Result<()> {
    let end = Instant::now() + SETTLES;
    loop {
        let before = ProcessUsage::of(server.pid())?.cpu;
        tokio::time::sleep(IDLE).await;
        let worked = ProcessUsage::of(server.pid())?.cpu.saturating_sub(before);
        if worked < IDLE / 20 || Instant::now() > end {
            return Ok(());
        }
    }
}

async fn sign_in(server: &Server, email: &str, password: &str) -> anyhow::Result<Client> {
    let portal = Client::new(server.address("portal"));
    if email.is_empty() {
        return Ok(portal);
    }
    let form = format!(
        "email={}&password={}",
        email.replace('@', "%40"),
        password.replace(' ', "+")
    );
    let reply = portal
        .with("content-type", "application/x-www-form-urlencoded")
        .with("sec-fetch-site", "same-origin")
        .send(Method::POST, "/sign-in", form)
        .await;
    let cookie = reply
        .header("set-cookie")
        .and_then(|cookie| cookie.split(';').next());
    match cookie {
        Some(cookie) if reply.status == 303 => Ok(portal.with("cookie", cookie)),
        _ => bail!("{email} cannot sign in: {reply}"),
    }
}

/// One kind of page: a route and the names of its parameters.
#[derive(Debug, Default)]
struct Kind {
    addresses: Vec<String>,
    times: Vec<f64>,
}

struct Tour<'a> {
    rules: &'a [Rule],
    client: Client,
    visits: &'a Visits,
    kinds: BTreeMap<String, Kind>,
    /// What was asked first, while nothing was in any cache.
    first: Vec<(f64, String)>,
}

impl<'a> Tour<'a> {
    fn new(rules: &'a [Rule], client: Client, visits: &'a Visits) -> Self {
        Self {
            rules,
            client,
            visits,
            kinds: BTreeMap::new(),
            first: Vec::new(),
        }
    }

    /// Follows links until every kind has its addresses.
    async fn look_around(&mut self) -> anyhow::Result<()> {
        let plain = self
            .rules
            .iter()
            .map(|rule| rule.path)
            .filter(|path| !path.contains('{'));
        let mut open: VecDeque<String> = plain.chain(SEARCHES).map(str::to_owned).collect();
        let mut seen: HashSet<String> = open.iter().cloned().collect();
        while let Some(address) = open.pop_front() {
            let Some(kind) = self.kind_of(&address) else {
                continue;
            };
            let known = self.kinds.get(&kind).map_or(0, |kind| kind.addresses.len());
            if known >= ADDRESSES {
                continue;
            }
            let Some((time, page)) = self.fetch(&address).await? else {
                continue;
            };
            self.first.push((time, address.clone()));
            self.kinds.entry(kind).or_default().addresses.push(address);
            for link in links(&page) {
                if seen.insert(link.clone()) {
                    open.push_back(link);
                }
            }
        }
        Ok(())
    }

    async fn visit(&mut self) -> anyhow::Result<()> {
        for round in 0..self.visits.each {
            for kind in self.kinds.keys().cloned().collect::<Vec<_>>() {
                let address = self.kinds.get(&kind).and_then(|kind| {
                    let place = round % kind.addresses.len().max(1);
                    kind.addresses.get(place).cloned()
                });
                let Some(address) = address else { continue };
                if let (Some((time, _)), Some(kind)) =
                    (self.fetch(&address).await?, self.kinds.get_mut(&kind))
                {
                    kind.times.push(time);
                }
            }
        }
        Ok(())
    }

    /// A page with what the server says it took; nothing for what is no page.
    async fn fetch(&self, address: &str) -> anyhow::Result<Option<(f64, String)>> {
        let reply = self.client.get(address).await;
        if reply.status >= 500 {
            bail!("{address}: {reply}");
        }
        if reply.status != 200 {
            return Ok(None);
        }
        let time = reply
            .header("server-timing")
            .and_then(|timing| timing.rsplit_once("dur=")?.1.parse().ok())
            .with_context(|| format!("{address} has no Server-Timing"))?;
        Ok(Some((time, reply.text())))
    }

    /// Figures as files, and pages that only wait for somebody's secret, are no kind.
    fn kind_of(&self, address: &str) -> Option<String> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        if !path.starts_with(&self.visits.only) {
            return None;
        }
        let rules = self.rules.iter().filter(|rule| matches(rule.path, path));
        let rule = rules.min_by_key(|rule| rule.path.matches('{').count())?;
        if rule.path.ends_with(".csv") {
            return None;
        }
        let mut names: Vec<&str> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        names.dedup();
        let tail = if names.is_empty() {
            String::new()
        } else {
            format!("?{}", names.join("&"))
        };
        Some(format!("{}{tail}", rule.path))
    }

    fn report(&mut self, who: &str, figures: &mut Figures) {
        let mut rows = Vec::new();
        let mut all = Vec::new();
        for (kind, of_kind) in &mut self.kinds {
            let p95 = quantile(&mut of_kind.times, 95);
            all.extend_from_slice(&of_kind.times);
            eprintln!(
                "{who}: {kind} ({} addresses): p50 {:.1}, p95 {p95:.1}, worst {:.1} ms",
                of_kind.addresses.len(),
                quantile(&mut of_kind.times, 50),
                quantile(&mut of_kind.times, 100),
            );
            rows.push((p95, kind.clone()));
        }
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let missed = rows.iter().filter(|(p95, _)| *p95 > BAR).count();
        let kinds = rows.len();
        let title = format!("{who}: {kinds} kinds of pages, {missed} above the bar; p95 of all visits");
        figures.against(title, quantile(&mut all, 95), BAR, "ms");
        for (p95, kind) in rows.iter().take(missed.max(NAMED)) {
            figures.against(format!("{who}: `{kind}`, p95"), *p95, BAR, "ms");
        }
        self.first.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (time, address) in self.first.iter().take(3) {
            figures.told(format!("{who}: slowest first visit, `{address}`"), *time, "ms");
        }
    }
}

/// Whether a route leads to a path.
fn matches(route: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for wanted in route.split('/') {
        if wanted.starts_with("{*") {
            return true;
        }
        match parts.next() {
            Some(part) if wanted.starts_with('{') && !part.is_empty() => {}
            Some(part) if part == wanted => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// Where links and parts of a page lead.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in ["href=\"", "hx-get=\""] {
        for rest in page.split(attribute).skip(1) {
            let link = rest.split('"').next().unwrap_or_default();
            let link = link.split('#').next().unwrap_or_default();
            if link.starts_with('/') && !link.starts_with("//") && !link.starts_with("/static/") {
                found.push(link.replace("&amp;", "&").replace("&#38;", "&"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_from_anchors_and_files() {
        let page =
            r##"<a href="/a?x=1&amp;y=2#top">A</a><a href="#here"><a href="//else"><i hx-get="/part">"##;
        assert_eq!(links(page), ["/a?x=1&y=2", "/part"]);
    }

    #[test]
    fn a_route_leads_to_its_paths_only() {
        assert!(matches("/apis/{api}/v/{version}", "/apis/a/v/1"));
        assert!(matches("/apis/{api}/v/latest/{*rest}", "/apis/a/v/latest/x/y"));
        assert!(!matches("/apis/{api}", "/apis/a/v"));
        assert!(!matches("/apis/{api}", "/apis/"));
    }
}
