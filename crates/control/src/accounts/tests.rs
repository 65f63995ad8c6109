//! Accounts from outside, over a real store and a clock that is turned by hand.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::account::{LinkPurpose, SignUpState};
use gatewright_model::address::AddressPolicy;
use gatewright_model::id::UserId;
use gatewright_model::keys::MasterKey;
use gatewright_model::page::PageRequest;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{SignUpMode, Tenant, UserState};
use gatewright_model::text::{Email, Name};
use gatewright_model::time::{Clock, SystemEntropy, Timestamp};
use gatewright_store::{Database, Scope, Store, StoreSettings, Topics};

use crate::accounts::{NewAdmin, NewSignUp, SentLink, SignedUp};
use crate::caller::Caller;
use crate::control::{Control, Parts, PublicUrls};
use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::if_match::IfMatch;
use crate::mail::{Letter, MAIL};
use crate::passwords::Password;
use crate::sessions::{Client, Opened};
use crate::users::{NewMembership, NewUser, UserPatch};

const ADMIN: &str = "ana@example.com";
const PASSWORD: &str = "correct horse";
const OTHER: &str = "battery staple";

#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct World {
    control: Control,
    clock: Arc<Hand>,
    tenant: Tenant,
    _home: tempfile::TempDir,
}

impl World {
    async fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let store = Store::open(StoreSettings {
            database: Database::sqlite_in(home.path()),
            entropy: Arc::new(SystemEntropy),
        })
        .await
        .unwrap();
        store.migrate(clock.now()).await.unwrap();
        let control = Control::new(Parts {
            store,
            notices: Notices::in_process(Loudness::Muted),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy),
            master_key: MasterKey::generate(&SystemEntropy),
            fetcher: Fetcher::new(AddressPolicy {
                private: false,
                allow: Vec::new(),
            }),
            urls: PublicUrls {
                gateway: "http://gw.test".to_owned(),
                portal: "http://portal.test".to_owned(),
            },
            own_listeners: Vec::new(),
            local_gateway: None,
        });
        control.prepare().await.unwrap().unwrap();
        let tenant = control.tenant_of_portal(None, None).await.unwrap().unwrap();
        Self {
            control,
            clock,
            tenant,
            _home: home,
        }
    }

    async fn with_admin() -> Self {
        let world = Self::empty().await;
        world
            .control
            .create_admin(email(ADMIN), password(PASSWORD))
            .await
            .unwrap();
        world
    }

    async fn with_mail() -> Self {
        let mut world = Self::with_admin().await;
        world.control = world.control.sending_mail();
        world
    }

    fn signing_up(mut self, mode: SignUpMode) -> Self {
        self.tenant.settings.sign_up = mode;
        self
    }

    fn turn(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    async fn sign_in(&self, who: &str, with: &str) -> Result<Opened> {
        self.sign_in_from(who, with, Client::default()).await
    }

    async fn sign_in_from(&self, who: &str, with: &str, client: Client) -> Result<Opened> {
        let sessions = self.control.sessions();
        sessions.sign_in(&self.tenant, who, secret(with), client).await
    }

    async fn admin(&self) -> Caller {
        self.sign_in(ADMIN, PASSWORD).await.unwrap().view.caller
    }

    async fn is_alive(&self, opened: &Opened) -> bool {
        let found = self.control.sessions().authenticate(&opened.secret, None).await;
        found.unwrap().is_some()
    }

    async fn add_user(&self, who: &str, with: Option<&str>) -> UserId {
        let new = NewUser {
            email: email(who),
            name: Name::parse(who).unwrap(),
            password: with.map(password),
        };
        let admin = self.admin().await;
        self.control.users().create(&admin, new).await.unwrap().id
    }

    /// Takes the letters that wait.
    async fn letters(&self) -> Vec<Letter> {
        let now = self.clock.now();
        let mut tx = self.control.store().begin(Scope::System).await.unwrap();
        let outbox = tx.outbox_messages();
        let taken = outbox.claim(Topics::Only(MAIL), now, now, 50).await.unwrap();
        for message in &taken {
            let text = message.payload.to_string();
            assert!(!text.contains("http"), "a letter waits unsealed: {text}");
            tx.outbox_messages().remove(message.id).await.unwrap();
        }
        tx.commit(now).await.unwrap();
        taken
            .iter()
            .map(|message| self.control.open_letter(message).unwrap())
            .collect()
    }

    async fn actions(&self) -> Vec<String> {
        let mut admin = self.admin().await;
        admin
            .rights
            .grant(None, [Permission::AuditRead].into_iter().collect());
        let filter = crate::audit::AuditFilter::default();
        let audit = self.control.audit();
        let events = audit.list(&admin, &filter, PageRequest::default()).await.unwrap();
        events.items.into_iter().map(|event| event.action).collect()
    }
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn code<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Error::Guard { code, .. } | Error::Duplicate { code, .. }) => code,
        Err(Error::Forbidden { .. }) => "forbidden",
        Err(Error::Illegal(_)) => "illegal",
        Err(Error::NotFound { .. }) => "missing",
        Err(_) => "other",
    }
}

/// The secret in the first link of a text.
fn secret_in(text: &str, page: &str) -> SecretText {
    let start = text.find(page).unwrap_or_else(|| panic!("{page} in {text}")) + page.len();
    let rest: String = text[start..]
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .collect();
    secret(&rest)
}

fn from(address: &str) -> Client {
    Client {
        address: address.parse::<IpAddr>().ok(),
        ..Client::default()
    }
}

#[tokio::test]
async fn a_session_lives_until_it_is_idle_or_old_or_ended() {
    let world = World::with_admin().await;
    let opened = world.sign_in(" ANA@example.com ", PASSWORD).await.unwrap();
    assert!(opened.view.fresh && opened.view.console && opened.view.person.platform_admin);
    for _ in 0..8 {
        world.turn(Duration::from_secs(20 * 60));
        assert!(world.is_alive(&opened).await);
    }
    let view = world.control.sessions().authenticate(&opened.secret, None).await;
    let view = view.unwrap().unwrap();
    assert!(!view.fresh && view.console, "{view:?}");
    world.turn(Duration::from_secs(31 * 60));
    // Nor does a look at the portal open the console again.
    for _ in 0..2 {
        let view = world.control.sessions().authenticate(&opened.secret, None).await;
        assert!(!view.unwrap().unwrap().console);
    }
    world.turn(Duration::from_secs(13 * 3_600));
    assert!(!world.is_alive(&opened).await, "it was idle for too long");

    let busy = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    for _ in 0..15 {
        world.turn(Duration::from_secs(11 * 3_600));
        assert!(world.is_alive(&busy).await);
    }
    world.turn(Duration::from_secs(4 * 3_600));
    assert!(!world.is_alive(&busy).await, "it was used for a week");

    let ended = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    world.control.sessions().sign_out(&ended.secret).await.unwrap();
    world.control.sessions().sign_out(&ended.secret).await.unwrap();
    assert!(!world.is_alive(&ended).await);
    for garbage in ["", "x", &"0".repeat(64)] {
        let found = world
            .control
            .sessions()
            .authenticate(&secret(garbage), None)
            .await;
        assert!(found.unwrap().is_none());
    }
    world.control.forget_accounts().await.unwrap();
}

#[tokio::test]
async fn whoever_may_not_sign_in_has_no_session() {
    let world = World::with_admin().await;
    let id = world.add_user("bo@example.com", Some(OTHER)).await;
    let opened = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let suspend = UserPatch {
        name: None,
        state: Some(UserState::Suspended),
    };
    let admin = world.admin().await;
    let users = world.control.users();
    users.update(&admin, id, suspend, IfMatch::ANY).await.unwrap();
    assert!(!world.is_alive(&opened).await);
    assert_eq!(
        code(world.sign_in("bo@example.com", OTHER).await),
        "sign_in_failed"
    );
    for (who, with) in [
        (ADMIN, "wrong horse"),
        ("nobody@example.com", OTHER),
        ("no address", ""),
    ] {
        assert_eq!(code(world.sign_in(who, with).await), "sign_in_failed", "{who}");
    }
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions() {
    let world = World::with_admin().await;
    world.add_user("bo@example.com", Some(OTHER)).await;
    let one = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let two = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let three = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let bo = &one.view.caller;
    let sessions = world.control.sessions();
    assert_eq!(sessions.list(bo).await.unwrap().len(), 3);
    let admin = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(code(sessions.revoke(bo, admin.view.id).await), "missing");
    let of_admin = sessions.list_of(bo, admin.view.person.id).await;
    assert_eq!(code(of_admin), "forbidden");
    sessions.revoke(bo, two.view.id).await.unwrap();
    assert!(!world.is_alive(&two).await);
    assert_eq!(sessions.revoke_others(bo, one.view.id).await.unwrap(), 1);
    assert!(world.is_alive(&one).await && !world.is_alive(&three).await);
    let ended = sessions.revoke_all(&admin.view.caller, one.view.person.id).await;
    assert_eq!(ended.unwrap(), 1);
    assert!(!world.is_alive(&one).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_guesses_are_a_handful() {
    let world = Arc::new(World::with_admin().await);
    let guesses = (0..1_000).map(|at| {
        let world = Arc::clone(&world);
        // From as many addresses: the account itself is protected.
        let client = from(&format!("192.0.{}.{}", at / 250, at % 250));
        tokio::spawn(async move {
            let guess = format!("guess number {at}");
            code(world.sign_in_from(ADMIN, &guess, client).await)
        })
    });
    let mut answers = std::collections::BTreeMap::<_, usize>::new();
    for guess in guesses.collect::<Vec<_>>() {
        *answers.entry(guess.await.unwrap()).or_default() += 1;
    }
    let tried = answers.get("sign_in_failed").copied().unwrap_or(0);
    assert_eq!(tried, 5, "{answers:?}");
    assert!(
        answers
            .keys()
            .all(|code| ["sign_in_failed", "too_many_attempts", "too_busy"].contains(code)),
        "{answers:?}"
    );

    let blocked = world.sign_in(ADMIN, PASSWORD).await.unwrap_err();
    assert!(
        blocked.to_string().contains("try again in 6 seconds, at "),
        "{blocked}"
    );
    // What was turned away did not count: the first wait is still the shortest.
    world.turn(Duration::from_secs(6));
    world.sign_in(ADMIN, PASSWORD).await.unwrap();
    assert!(world.actions().await.contains(&"user.sign_in_blocked".to_owned()));
}

#[tokio::test]
async fn waits_grow_and_an_unknown_account_waits_as_long() {
    let world = World::with_admin().await;
    for who in [ADMIN, "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(code(world.sign_in(who, "wrong horse").await), "sign_in_failed");
        }
        for wait in [5, 10, 20] {
            assert_eq!(code(world.sign_in(who, "wrong horse").await), "too_many_attempts");
            world.turn(Duration::from_secs(wait));
            assert_eq!(
                code(world.sign_in(who, "wrong horse").await),
                "sign_in_failed",
                "{who} after {wait}"
            );
        }
    }
    world.turn(Duration::from_secs(86_400));
    assert_eq!(code(world.sign_in(ADMIN, "wrong horse").await), "sign_in_failed");
    assert_eq!(code(world.sign_in(ADMIN, "wrong horse").await), "sign_in_failed");
}

#[tokio::test]
async fn one_address_does_not_try_many_accounts() {
    let world = World::with_admin().await;
    for at in 0..30 {
        let who = format!("nobody{at}@example.com");
        let tried = world.sign_in_from(&who, "wrong horse", from("192.0.2.1")).await;
        assert_eq!(code(tried), "sign_in_failed");
    }
    let blocked = world.sign_in_from(ADMIN, PASSWORD, from("192.0.2.1")).await;
    assert_eq!(code(blocked), "too_many_attempts");
    world
        .sign_in_from(ADMIN, PASSWORD, from("192.0.2.2"))
        .await
        .unwrap();
}

#[tokio::test]
async fn strangers_who_guess_do_not_lock_the_owner_out() {
    let world = World::with_admin().await;
    world
        .sign_in_from(ADMIN, PASSWORD, from("192.0.2.1"))
        .await
        .unwrap();
    for _ in 0..5 {
        let guess = world
            .sign_in_from(ADMIN, "wrong horse", from("198.51.100.1"))
            .await;
        assert_eq!(code(guess), "sign_in_failed");
    }
    let elsewhere = world.sign_in_from(ADMIN, PASSWORD, from("198.51.100.2")).await;
    assert_eq!(code(elsewhere), "too_many_attempts");
    world
        .sign_in_from(ADMIN, PASSWORD, from("192.0.2.1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    let world = World::with_admin().await;
    let here = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    let there = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    let caller = &here.view.caller;
    let accounts = world.control.accounts();
    let wrong = accounts.change_password(caller, Some(here.view.id), secret("wrong horse"), password(OTHER));
    assert_eq!(code(wrong.await), "wrong_password");
    accounts
        .change_password(caller, Some(here.view.id), secret(PASSWORD), password(OTHER))
        .await
        .unwrap();
    assert!(world.is_alive(&here).await && !world.is_alive(&there).await);
    assert_eq!(code(world.sign_in(ADMIN, PASSWORD).await), "sign_in_failed");
    world.sign_in(ADMIN, OTHER).await.unwrap();
}

#[tokio::test]
async fn without_mail_an_administrator_hands_links_over() {
    let world = World::with_admin().await;
    let admin = world.admin().await;
    let accounts = world.control.accounts();
    let bo = world.add_user("bo@example.com", None).await;
    assert_eq!(
        code(world.sign_in("bo@example.com", OTHER).await),
        "sign_in_failed"
    );
    assert_eq!(code(accounts.reset_link(&admin, bo).await), "no_password");
    let first = accounts.invite(&admin, bo).await.unwrap();
    let second = accounts.invite(&admin, bo).await.unwrap();
    let (first, second) = (shown(&first, "/invite/"), shown(&second, "/invite/"));
    let client = Client::default();
    let older = accounts.accept_invitation(&world.tenant, &first, None, password(OTHER), &client);
    assert_eq!(code(older.await), "link_invalid");
    let view = accounts.link(&world.tenant, LinkPurpose::Invite, &second).await;
    assert_eq!(view.unwrap().unwrap().email, email("bo@example.com"));
    let other_page = accounts.link(&world.tenant, LinkPurpose::Reset, &second).await;
    assert_eq!(other_page.unwrap(), None);
    let name = Name::parse("Bo").ok();
    let opened = accounts
        .accept_invitation(&world.tenant, &second, name, password(OTHER), &client)
        .await
        .unwrap();
    let rights = &opened.view.caller.rights;
    assert!(
        rights.anywhere(Permission::ApplicationsWrite),
        "a team of their own"
    );
    let again = accounts.accept_invitation(&world.tenant, &second, None, password(OTHER), &client);
    assert_eq!(code(again.await), "link_invalid");
    assert_eq!(code(accounts.invite(&admin, bo).await), "has_password");

    assert_eq!(
        code(
            accounts
                .forgot(&world.tenant, email("bo@example.com"), &client)
                .await
        ),
        "no_mail"
    );
    let link = accounts.reset_link(&admin, bo).await.unwrap();
    world.turn(Duration::from_secs(86_400));
    let stale = shown(&link, "/reset/");
    let late = accounts.reset(&world.tenant, &stale, password(PASSWORD), &client);
    assert_eq!(code(late.await), "link_invalid");
    let link = accounts.reset_link(&admin, bo).await.unwrap();
    let fresh = shown(&link, "/reset/");
    accounts
        .reset(&world.tenant, &fresh, password(PASSWORD), &client)
        .await
        .unwrap();
    assert!(!world.is_alive(&opened).await);
    world.sign_in("bo@example.com", PASSWORD).await.unwrap();
}

fn shown(sent: &SentLink, page: &str) -> SecretText {
    secret_in(sent.link().unwrap().expose(), page)
}

#[tokio::test]
async fn nobody_takes_an_account_that_may_do_more() {
    let world = World::with_admin().await;
    let admin = world.admin().await;
    world.add_user("bo@example.com", Some(OTHER)).await;
    let owner = NewMembership {
        user: email("bo@example.com"),
        role: Role::Owner,
        team: None,
    };
    world.control.users().add_member(&admin, owner).await.unwrap();
    let bo = world.sign_in("bo@example.com", OTHER).await.unwrap().view.caller;
    let accounts = world.control.accounts();
    let root = admin.user_id.unwrap();
    assert_eq!(code(accounts.reset_link(&bo, root).await), "forbidden");
    assert_eq!(code(accounts.reset_link(&admin, root).await), "own_account");
    let of_bo = bo.user_id.unwrap();
    let narrow = Caller {
        rights: bo
            .rights
            .clone()
            .limited_to([Permission::MembersWrite].into_iter().collect()),
        ..bo.clone()
    };
    let ed = world.add_user("ed@example.com", Some(OTHER)).await;
    assert_eq!(code(accounts.reset_link(&narrow, ed).await), "ok");
    let of_owner = accounts
        .reset_link(
            &Caller {
                user_id: None,
                ..narrow
            },
            of_bo,
        )
        .await;
    assert_eq!(code(of_owner), "forbidden");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail() {
    let world = World::with_mail().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let stranger = email("nobody@example.com");
    assert_eq!(
        code(accounts.forgot(&world.tenant, stranger, &client).await),
        "ok"
    );
    assert_eq!(world.letters().await, []);
    accounts
        .forgot(&world.tenant, email(ADMIN), &client)
        .await
        .unwrap();
    let letters = world.letters().await;
    let [letter] = letters.as_slice() else {
        panic!("one letter")
    };
    assert_eq!(letter.to, email(ADMIN));
    assert!(
        letter.text.contains("http://portal.test/reset/"),
        "{}",
        letter.text
    );
    let link = secret_in(&letter.text, "/reset/");
    accounts
        .reset(&world.tenant, &link, password(OTHER), &client)
        .await
        .unwrap();
    let told = world.letters().await;
    assert!(told.iter().any(|letter| letter.subject.contains("was changed")));
    let again = accounts.reset(&world.tenant, &link, password(PASSWORD), &client);
    assert_eq!(code(again.await), "link_invalid");
    for _ in 0..2 {
        accounts
            .forgot(&world.tenant, email(ADMIN), &client)
            .await
            .unwrap();
    }
    let flood = accounts.forgot(&world.tenant, email(ADMIN), &client).await;
    assert_eq!(code(flood), "too_many_attempts");
}

fn bo(with: Option<&str>) -> NewSignUp {
    NewSignUp {
        name: Name::parse("Bo Lee").unwrap(),
        email: email("bo@example.com"),
        password: with.map(password),
    }
}

#[tokio::test]
async fn an_open_sign_up_lets_people_in_with_a_team() {
    let world = World::with_admin().await.signing_up(SignUpMode::Open);
    let accounts = world.control.accounts();
    let client = Client::default();
    let signed_up = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client).await;
    let SignedUp::In(opened) = signed_up.unwrap() else {
        panic!("is let in")
    };
    assert!(world.is_alive(&opened).await);
    let rights = &opened.view.caller.rights;
    assert!(rights.anywhere(Permission::CredentialsWrite) && !rights.anywhere(Permission::ApisWrite));
    let again = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client).await;
    assert_eq!(code(again), "email_taken");
    let without = accounts.sign_up(&world.tenant, bo(None), &client).await;
    assert!(matches!(without, Err(Error::Invalid(_))));
    let world = world.signing_up(SignUpMode::Off);
    let accounts = world.control.accounts();
    let off = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client);
    assert_eq!(code(off.await), "sign_up_off");
}

#[tokio::test]
async fn a_sign_up_waits_for_somebody_who_agrees() {
    let world = World::with_admin().await;
    assert_eq!(world.tenant.settings.sign_up, SignUpMode::Approval);
    let accounts = world.control.accounts();
    let client = Client::default();
    for _ in 0..2 {
        let waits = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client).await;
        assert!(matches!(waits.unwrap(), SignedUp::Waiting));
    }
    // A known address gets the same answer and changes nothing.
    let known = NewSignUp {
        email: email(ADMIN),
        ..bo(Some(OTHER))
    };
    let waits = accounts.sign_up(&world.tenant, known, &client).await.unwrap();
    assert!(matches!(waits, SignedUp::Waiting));
    assert_eq!(
        code(world.sign_in("bo@example.com", OTHER).await),
        "sign_in_failed"
    );

    let admin = world.admin().await;
    assert_eq!(accounts.waiting_sign_ups(&admin).await.unwrap(), 1);
    let page = PageRequest::default();
    let waiting = accounts
        .sign_ups(&admin, Some(SignUpState::Waiting), page)
        .await
        .unwrap();
    let [asked] = waiting.items.as_slice() else {
        panic!("one waits")
    };
    let approved = accounts.approve(&admin, asked.id).await.unwrap();
    assert_eq!(approved.state, SignUpState::Approved);
    assert_eq!(code(accounts.approve(&admin, asked.id).await), "illegal");
    assert_eq!(code(accounts.reject(&admin, asked.id).await), "illegal");
    let bo = world.sign_in("bo@example.com", OTHER).await.unwrap().view;
    assert_eq!(Some(bo.person.id), approved.user_id);
    assert_eq!(code(accounts.sign_ups(&bo.caller, None, page).await), "forbidden");
    assert_eq!(accounts.waiting_sign_ups(&bo.caller).await.unwrap(), 0);
}

#[tokio::test]
async fn with_mail_the_address_is_confirmed_first() {
    let world = World::with_mail().await.signing_up(SignUpMode::Open);
    let accounts = world.control.accounts();
    let client = Client::default();
    let asked = accounts
        .sign_up(&world.tenant, bo(Some(PASSWORD)), &client)
        .await
        .unwrap();
    assert!(matches!(asked, SignedUp::CheckMail));
    let letters = world.letters().await;
    let link = secret_in(&letters[0].text, "/verify/");
    assert!(
        !letters[0].text.contains("Bo Lee"),
        "a stranger's words are not mailed on"
    );
    assert_eq!(
        code(world.sign_in("bo@example.com", PASSWORD).await),
        "sign_in_failed"
    );
    let done = accounts
        .finish_sign_up(&world.tenant, &link, password(OTHER), &client)
        .await;
    assert!(matches!(done.unwrap(), SignedUp::In(_)));
    let again = accounts
        .finish_sign_up(&world.tenant, &link, password(OTHER), &client)
        .await;
    assert_eq!(code(again), "link_invalid");
    world.sign_in("bo@example.com", OTHER).await.unwrap();
    let known = accounts.sign_up(&world.tenant, bo(None), &client).await.unwrap();
    assert!(matches!(known, SignedUp::CheckMail));
    let letters = world.letters().await;
    assert!(letters[0].text.contains("has one already"), "{}", letters[0].text);
}

#[tokio::test]
async fn the_first_run_is_open_once() {
    let world = World::empty().await;
    let setup = world.control.setup();
    let older = setup.new_link().await.unwrap().unwrap();
    let newer = setup.new_link().await.unwrap().unwrap();
    let (older, newer) = (
        secret_in(older.expose(), "?secret="),
        secret_in(newer.expose(), "?secret="),
    );
    assert!(!setup.is_open(&older).await.unwrap() && setup.is_open(&newer).await.unwrap());
    let admin = || NewAdmin {
        name: Name::parse("Ana").unwrap(),
        email: email(ADMIN),
        password: password(PASSWORD),
    };
    let client = Client::default();
    assert_eq!(
        code(setup.complete(&older, admin(), &client).await),
        "setup_closed"
    );
    let opened = setup.complete(&newer, admin(), &client).await.unwrap();
    assert!(opened.view.person.platform_admin && world.is_alive(&opened).await);
    assert_eq!(
        code(setup.complete(&newer, admin(), &client).await),
        "setup_closed"
    );
    assert!(setup.new_link().await.unwrap().is_none());
    world.sign_in(ADMIN, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn each_change_leaves_a_trace() {
    let world = World::with_admin().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let admin = world.admin().await;
    let bo_id = world.add_user("ed@example.com", None).await;
    let link = accounts.invite(&admin, bo_id).await.unwrap();
    let opened = accounts
        .accept_invitation(
            &world.tenant,
            &shown(&link, "/invite/"),
            None,
            password(OTHER),
            &client,
        )
        .await
        .unwrap();
    accounts
        .sign_up(&world.tenant, bo(Some(OTHER)), &client)
        .await
        .unwrap();
    let waiting = accounts
        .sign_ups(&admin, None, PageRequest::default())
        .await
        .unwrap();
    accounts.reject(&admin, waiting.items[0].id).await.unwrap();
    world.control.sessions().sign_out(&opened.secret).await.unwrap();
    let actions = world.actions().await;
    for action in [
        "session.begin",
        "session.end",
        "user.invite",
        "user.accept",
        "team.create",
        "sign_up.request",
        "sign_up.reject",
    ] {
        assert!(
            actions.iter().any(|done| done == action),
            "{action} in {actions:?}"
        );
    }
}
