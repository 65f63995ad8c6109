//! A walk through every state machine at once: random verbs by random callers
//! over a real store, and after each step everything that must always hold.
//! The same seed goes the same way, so a fault can be walked to again.

mod rules;
mod steps;
mod view;
mod world;

use gatewright_model::secret::SecretText;
use gatewright_store::Database;
use gatewright_testkit::postgres::create_database;

use crate::error::Error;
use crate::walk::rules::Rules;
use crate::walk::steps::Step;
use crate::walk::view::View;
use crate::walk::world::{Who, World};

/// Steps of the short walk; `GATEWRIGHT_WALK_STEPS` makes it longer.
const STEPS: u64 = 400;
/// `GATEWRIGHT_WALK_SEED` goes another way.
const SEED: u64 = 20_261_121;

#[expect(clippy::disallowed_methods, reason = "tests are told where their server is")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str, usual: u64) -> u64 {
    told(name).map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_is_whole_on_sqlite() {
    let home = tempfile::tempdir().unwrap();
    walk("SQLite", Database::sqlite_in(home.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_is_whole_on_postgres() {
    let Some(server) = told("TEST_DATABASE_URL") else {
        let required = told("GATEWRIGHT_REQUIRE_POSTGRES").is_some_and(|value| value == "1");
        assert!(!required, "TEST_DATABASE_URL is required");
        eprintln!("skipped on Postgres: TEST_DATABASE_URL is not set");
        return;
    };
    let url = create_database(&server);
    walk("Postgres", Database::postgres(SecretText::new(url))).await;
}

async fn walk(store: &str, database: Database) {
    let (steps, seed) = (
        number("GATEWRIGHT_WALK_STEPS", STEPS),
        number("GATEWRIGHT_WALK_SEED", SEED),
    );
    let mut world = World::new(database, seed).await;
    let mut before = View::of(&world).await;
    let mut rules = Rules::default();
    for number in 1..=steps {
        let who = world.somebody();
        let step = Step::choose(&mut world, &before);
        let place = format!("seed {seed}, step {number} on {store}: {who:?} does {step:?}");
        let outcome = step.take(&world, who).await;
        let after = View::of(&world).await;
        match &outcome {
            Ok(()) => {
                assert_ne!(who, Who::Stranger, "{place}");
                rules.changed(&before, &after, &place);
            }
            Err(Error::Internal(_) | Error::Unavailable) => panic!("{place}: {outcome:?}"),
            Err(_) => rules.refused(&before, &after, &place),
        }
        after.check(&place);
        if number % 25 == 0 || number == steps {
            chain_holds(&world, &place).await;
        }
        before = compiled(&world, after, &place).await;
    }
    println!("FIGURE: walk on {store}, seed {seed}: {steps} steps, {rules}");
    rules.went_about();
}

/// Compiles everything again: what gateways get is what is in the store.
async fn compiled(world: &World, view: View, place: &str) -> View {
    let (parts, head) = world.compile().await;
    assert_eq!(parts, view.parts, "what gateways get is stale: {place}");
    View { head, ..view }
}

async fn chain_holds(world: &World, place: &str) {
    let verdict = world.control.audit().verify(&world.admin).await.unwrap();
    assert_eq!(verdict.broken_at, None, "the audit trail is broken: {place}");
    assert!(verdict.checked > 0);
}
