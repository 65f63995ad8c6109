//! Users: people.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::passwords::Password;
use gatewright_control::users::{NewUser, UserPatch};
use gatewright_control::{Caller, IfMatch};
use gatewright_model::id::UserId;
use gatewright_model::tenancy::{User, UserState, UserVerb};
use gatewright_model::text::{Email, Name};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::{Authorized, SignedIn};
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{MembersWrite, TeamsRead};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Created, Found, Listed};
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("users")
        .get(
            "/users",
            about("list_users", "Lists the people of the tenant."),
            list,
        )
        .post(
            "/users",
            about("create_user", "Creates a person.").conflicts(&["email_taken"]),
            create,
        )
        .get(
            "/users/{user}",
            about("get_user", "One person; everybody may read themselves."),
            get,
        )
        .patch(
            "/users/{user}",
            about(
                "update_user",
                "Renames a person; everybody may rename themselves.",
            ),
            update,
        )
        .post(
            "/users/{user}/suspend",
            about("suspend_user", "Lets a person not sign in.")
                .conflicts(&["illegal_transition", "last_owner"]),
            suspend,
        )
        .post(
            "/users/{user}/activate",
            about("activate_user", "Lets a person sign in again.").conflicts(&["illegal_transition"]),
            activate,
        )
}

input! {
    /// A new person.
    UserCreate {
        /// Unique in the tenant.
        email: Email,
        /// As people read it.
        name: Name,
        /// 8 to 256 characters; without one the person is invited.
        password: Option<Password>,
    }
}

input! {
    /// What of a person is to be changed.
    UserUpdate {
        /// As people read it.
        name: Option<Name>,
    }
}

output! {
    /// A person.
    UserBody as "User" {
        /// Its id.
        id: UserId,
        /// Unique in the tenant.
        email: Email,
        /// As people read it.
        name: Name,
        /// Whether it may sign in.
        state: UserState,
        /// Runs the installation.
        platform_admin: bool,
        /// When it was made.
        created_at: Timestamp,
    }
}

fn body(user: User) -> UserBody {
    UserBody {
        id: user.id,
        email: user.email,
        name: user.name,
        state: user.state,
        platform_admin: user.platform_admin,
        created_at: user.created_at,
    }
}

fn found(user: User) -> Found<UserBody> {
    let row_version = user.row_version;
    Found::tagged(body(user), row_version)
}

async fn list(
    caller: Authorized<TeamsRead>,
    State(control): State<Control>,
    listing: Listing<NoFilter>,
) -> Result<Listed<UserBody>, Problem> {
    Ok(Listed::page(
        control.users().list(&caller, listing.page).await?,
        body,
    ))
}

async fn create(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    Json(body): Json<UserCreate>,
) -> Result<Created<UserBody>, Problem> {
    let new = NewUser {
        email: body.email,
        name: body.name,
        password: body.password,
    };
    let user = control.users().create(&caller, new).await?;
    Ok(Created::at("users", user.id, found(user)))
}

async fn get(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(user): At<UserId>,
) -> Result<Found<UserBody>, Problem> {
    Ok(found(control.users().get(&caller, user).await?))
}

async fn update(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(user): At<UserId>,
    Expected(if_match): Expected,
    Json(body): Json<UserUpdate>,
) -> Result<Found<UserBody>, Problem> {
    let patch = UserPatch {
        name: body.name,
        ..UserPatch::default()
    };
    Ok(found(
        control.users().update(&caller, user, patch, if_match).await?,
    ))
}

async fn transition(
    control: &Control,
    caller: &Caller,
    user: UserId,
    verb: UserVerb,
    if_match: IfMatch,
) -> Result<Found<UserBody>, Problem> {
    let patch = UserPatch {
        verb: Some(verb),
        ..UserPatch::default()
    };
    Ok(found(
        control.users().update(caller, user, patch, if_match).await?,
    ))
}

async fn suspend(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(user): At<UserId>,
    Expected(if_match): Expected,
) -> Result<Found<UserBody>, Problem> {
    transition(&control, &caller, user, UserVerb::Suspend, if_match).await
}

async fn activate(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(user): At<UserId>,
    Expected(if_match): Expected,
) -> Result<Found<UserBody>, Problem> {
    transition(&control, &caller, user, UserVerb::Activate, if_match).await
}
