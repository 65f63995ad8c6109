//! Another address for an account.

use gatewright_model::permission::Role;

use super::{OTHER, PASSWORD};
use crate::testing::{ADMIN, TestPortal};

#[tokio::test]
async fn without_mail_an_administrator_changes_an_address() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let (bo, caller) = portal.user("bo", None).await;
    bo.get("/me/settings")
        .await
        .shows(&["bo@example.com", "an administrator changes it"]);
    bo.post("/me/settings/email", &[("email", "bo@example.org")])
        .await
        .refuses(&["ask an administrator"]);
    let page = format!("/console/users/{}", caller.user_id.unwrap());
    let to = format!("{page}/email");
    admin.get(&page).await.shows(&["New e-mail address"]);
    admin.post(&to, &[("email", "nonsense")]).await.refuses(&[
        "New e-mail address must be an e-mail address",
        "value=\"nonsense\"",
    ]);
    admin
        .post(&to, &[("email", ADMIN)])
        .await
        .refuses(&["New e-mail address is taken already"]);
    admin
        .post(&to, &[("email", "bo@example.com")])
        .await
        .refuses(&["address of the account already"]);
    assert_eq!(
        admin.post(&to, &[("email", "bo@example.org")]).await.location(),
        page
    );
    let sign_in = |email| {
        let visitor = portal.visitor();
        async move {
            visitor
                .post("/sign-in", &[("email", email), ("password", PASSWORD)])
                .await
                .status
        }
    };
    assert_eq!(sign_in("bo@example.com").await, 422);
    assert_eq!(sign_in("bo@example.org").await, 303);
    let (support, _) = portal.user("sam", Some(Role::Support)).await;
    let page = support.get(&page).await;
    assert!(!page.text.contains("New e-mail address"), "{}", page.text);
}

#[tokio::test]
async fn with_mail_the_owner_asks_and_the_link_changes_it() {
    let portal = TestPortal::new().await.mailing();
    let admin = portal.admin().await;
    admin.get("/me/settings").await.shows(&["New e-mail address"]);
    admin
        .post("/me/settings/email", &[("email", "ana")])
        .await
        .refuses(&["New e-mail address must be an e-mail address"]);
    admin
        .post("/me/settings/email", &[("email", ADMIN)])
        .await
        .refuses(&["address of the account already"]);
    let asked = admin
        .post("/me/settings/email", &[("email", "ana@example.org")])
        .await;
    assert_eq!(asked.location(), "/me/settings");
    // Nothing has changed until the link is used.
    admin.get("/me/settings").await.shows(&[ADMIN]);
    let path = portal.mailed_path("ana@example.org").await;
    let visitor = portal.visitor();
    visitor
        .get(&path)
        .await
        .shows(&["Confirm your new address", "ana@example.org"]);
    admin.get("/me/settings").await.shows(&[ADMIN]);
    assert_eq!(visitor.post(&path, &[]).await.location(), "/sign-in");
    admin.get("/me/settings").await.shows(&["ana@example.org"]);
    let gone = visitor.post(&path, &[("password", OTHER)]).await;
    assert_eq!(gone.status, 410, "{}", gone.text);
}

#[tokio::test]
async fn with_mail_the_own_address_is_not_changed_in_the_console() {
    let portal = TestPortal::new().await.mailing();
    let admin = portal.admin().await;
    let id = portal.admin_caller().await.user_id.unwrap();
    let page = format!("/console/users/{id}");
    assert!(!admin.get(&page).await.text.contains("New e-mail address"));
    admin
        .post(&format!("{page}/email"), &[("email", "ana@example.org")])
        .await
        .refuses(&["changed in your settings"]);
}
