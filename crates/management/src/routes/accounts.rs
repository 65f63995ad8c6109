//! How people come to their accounts: invitations, new passwords, sessions,
//! and who asks for an account.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::accounts::SentLink;
use gatewright_control::passwords::Password;
use gatewright_control::sessions::{Client, SessionRow};
use gatewright_model::account::{SignUp, SignUpState};
use gatewright_model::id::{EntityId, SessionId, SignUpId, UserId};
use gatewright_model::page::Page;
use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::{Authorized, SignedIn};
use gatewright_webkit::path::At;
use gatewright_webkit::permit::MembersWrite;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Deleted, Found, Listed};
use crate::filters::filter;
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    sign_ups(sessions(links(api.tag("users"))).tag("sign-ups"))
}

fn links(api: Api) -> Api {
    api.post(
        "/users/{user}/invite",
        about(
            "invite_user",
            "Sends a person without a password a link to choose one; without mail, the link is in this answer only.",
        )
        .conflicts(&["has_password", "suspended"]),
        invite,
    )
    .post(
        "/users/{user}/reset-link",
        about(
            "make_reset_link",
            "Sends a person a link to a new password; without mail, the link is in this answer only.",
        )
        .conflicts(&["own_account", "no_password", "suspended"]),
        reset_link,
    )
    .post(
        "/users/{user}/password",
        about(
            "change_password",
            "Changes the caller's own password and ends every session.",
        )
        .conflicts(&["wrong_password"])
        .guessable(),
        change_password,
    )
    .post(
        "/users/{user}/email",
        about(
            "change_email",
            "Changes the address of a person. The caller's own one changes by a link that is mailed to the new address, others' at once; without mail it is for administrators alone.",
        )
        .conflicts(&[
            "email_taken",
            "same_address",
            "suspended",
            "wrong_password",
        ])
        .guessable(),
        change_email,
    )
}

fn sessions(api: Api) -> Api {
    api.get(
        "/users/{user}/sessions",
        about(
            "list_sessions",
            "Where a person is signed in; everybody may see their own.",
        ),
        list_sessions,
    )
    .delete(
        "/users/{user}/sessions",
        about("end_sessions", "Signs a person out everywhere."),
        end_sessions,
    )
    .delete(
        "/users/{user}/sessions/{session}",
        about("end_session", "Signs a person out in one place."),
        end_session,
    )
}

fn sign_ups(api: Api) -> Api {
    const DECIDING: &[&str] = &["illegal_transition", "email_taken"];
    api.get(
        "/sign-ups",
        about("list_sign_ups", "Lists who asked for an account."),
        list_sign_ups,
    )
    .get(
        "/sign-ups/{sign_up}",
        about("get_sign_up", "One request for an account."),
        get_sign_up,
    )
    .post(
        "/sign-ups/{sign_up}/approve",
        about("approve_sign_up", "Makes the account that was asked for.").conflicts(DECIDING),
        approve,
    )
    .post(
        "/sign-ups/{sign_up}/reject",
        about("reject_sign_up", "Refuses the account that was asked for.").conflicts(DECIDING),
        reject,
    )
}

output! {
    /// Where a link with a one-time secret went.
    LinkBody as "AccountLink" {
        /// It went to the person's address.
        mailed: bool,
        /// The link, where there is no mail; it is shown only here.
        link: Option<String>,
        /// When it stops working by itself.
        expires_at: Timestamp,
    }
}

input! {
    /// Another address for a person.
    EmailChange {
        /// Unique in the tenant.
        email: Email,
        /// Needed for the own address, where mail is sent.
        current_password: Option<String>,
    }
}

output! {
    /// How far the change of an address came.
    EmailChanged as "EmailChanged" {
        /// The person has the new address now; else it changes by the link.
        changed: bool,
        /// When the link stops working by itself.
        expires_at: Option<Timestamp>,
    }
}

output! {
    /// A place where a person is signed in.
    SessionBody as "Session" {
        /// Its id.
        id: SessionId,
        /// The browser, in its own words.
        client: String,
        /// The network address where it began, when that is known.
        address: Option<String>,
        /// When it began.
        created_at: Timestamp,
        /// When it was last used, to the minute.
        last_seen_at: Timestamp,
        /// When it ends by itself.
        expires_at: Timestamp,
    }
}

output! {
    /// Somebody's wish to have an account.
    SignUpBody as "SignUp" {
        /// Its id.
        id: SignUpId,
        /// The address of the account.
        email: Email,
        /// Whether it was shown that the address is theirs.
        email_verified: bool,
        /// How they want to be called.
        name: Name,
        /// How far it has come.
        state: SignUpState,
        /// Who decided.
        decided_by: Option<UserId>,
        /// When that was.
        decided_at: Option<Timestamp>,
        /// The account that was made.
        user_id: Option<UserId>,
        /// When they asked.
        created_at: Timestamp,
    }
}

input! {
    /// A change of the own password.
    PasswordChange {
        /// The password so far.
        current_password: String,
        /// 8 to 256 characters.
        new_password: Password,
    }
}

filter! {
    /// Which requests for accounts are listed.
    SignUpQuery {
        /// How far it has come.
        state: SignUpState,
    }
}

impl From<SentLink> for LinkBody {
    fn from(sent: SentLink) -> Self {
        let link = sent.link().map(|link| link.expose().to_owned());
        Self {
            mailed: link.is_none(),
            link,
            expires_at: sent.expires_at(),
        }
    }
}

impl From<SessionRow> for SessionBody {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id,
            client: row.client,
            address: row.address.map(|address| address.to_string()),
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
        }
    }
}

impl From<SignUp> for SignUpBody {
    fn from(sign_up: SignUp) -> Self {
        Self {
            id: sign_up.id,
            email: sign_up.email,
            email_verified: sign_up.email_verified,
            name: sign_up.name,
            state: sign_up.state,
            decided_by: sign_up.decided_by,
            decided_at: sign_up.decided_at,
            user_id: sign_up.user_id,
            created_at: sign_up.created_at,
        }
    }
}

async fn invite(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(user): At<UserId>,
) -> Result<Found<LinkBody>, Problem> {
    Ok(Found::plain(
        control.accounts().invite(&caller, user).await?.into(),
    ))
}

async fn reset_link(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(user): At<UserId>,
) -> Result<Found<LinkBody>, Problem> {
    Ok(Found::plain(
        control.accounts().reset_link(&caller, user).await?.into(),
    ))
}

async fn change_password(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(user): At<UserId>,
    Json(body): Json<PasswordChange>,
) -> Result<Deleted, Problem> {
    if caller.user_id != Some(user) {
        return Err(Problem::not_found("user"));
    }
    let old = SecretText::new(body.current_password);
    control
        .accounts()
        .change_password(&caller, None, old, body.new_password)
        .await?;
    Ok(Deleted)
}

async fn change_email(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(user): At<UserId>,
    Json(body): Json<EmailChange>,
) -> Result<Found<EmailChanged>, Problem> {
    let accounts = control.accounts();
    let expires_at = if caller.user_id == Some(user) && control.sends_mail() {
        let password = SecretText::new(body.current_password.unwrap_or_default());
        accounts.confirm_password(&caller, password).await?;
        let client = Client::default();
        let expires_at = accounts.ask_for_address(&caller, body.email, &client).await?;
        Some(expires_at)
    } else {
        accounts.set_address(&caller, user, body.email).await?;
        None
    };
    Ok(Found::plain(EmailChanged {
        changed: expires_at.is_none(),
        expires_at,
    }))
}

async fn list_sessions(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(user): At<UserId>,
    listing: Listing<NoFilter>,
) -> Result<Listed<SessionBody>, Problem> {
    let mut rows = control.sessions().list_of(&caller, user).await?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    if let Some(after) = listing.page.after {
        rows.retain(|row| row.id.uuid() < after.0);
    }
    let page = Page::cut(rows, listing.page.size, |row| row.id.uuid());
    Ok(Listed::page(page, SessionBody::from))
}

async fn end_sessions(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(user): At<UserId>,
) -> Result<Deleted, Problem> {
    control.sessions().revoke_all(&caller, user).await?;
    Ok(Deleted)
}

async fn end_session(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At((user, session)): At<(UserId, SessionId)>,
) -> Result<Deleted, Problem> {
    let known = control.sessions().list_of(&caller, user).await?;
    if !known.iter().any(|row| row.id == session) {
        return Err(Problem::not_found("session"));
    }
    control.sessions().revoke(&caller, session).await?;
    Ok(Deleted)
}

async fn list_sign_ups(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    listing: Listing<SignUpQuery>,
) -> Result<Listed<SignUpBody>, Problem> {
    let found = control
        .accounts()
        .sign_ups(&caller, listing.filter.state, listing.page)
        .await?;
    Ok(Listed::page(found, SignUpBody::from))
}

async fn get_sign_up(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(sign_up): At<SignUpId>,
) -> Result<Found<SignUpBody>, Problem> {
    Ok(Found::plain(
        control.accounts().requested(&caller, sign_up).await?.into(),
    ))
}

async fn approve(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(sign_up): At<SignUpId>,
) -> Result<Found<SignUpBody>, Problem> {
    Ok(Found::plain(
        control.accounts().approve(&caller, sign_up).await?.into(),
    ))
}

async fn reject(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(sign_up): At<SignUpId>,
) -> Result<Found<SignUpBody>, Problem> {
    Ok(Found::plain(
        control.accounts().reject(&caller, sign_up).await?.into(),
    ))
}
