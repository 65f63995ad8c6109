//! Names of log fields and metric labels. Dotted, with the unit at the end
//! where there is one. Write `{ field::API_ID } = %id` in a tracing macro.

/// TypeID of the tenant.
pub const TENANT_ID: &str = "tenant.id";
/// TypeID of the team.
pub const TEAM_ID: &str = "team.id";
/// TypeID of the user who acted.
pub const USER_ID: &str = "user.id";
/// TypeID of the API.
pub const API_ID: &str = "api.id";
/// TypeID of the API version.
pub const VERSION_ID: &str = "version.id";
/// TypeID of the plan.
pub const PLAN_ID: &str = "plan.id";
/// TypeID of the application.
pub const APPLICATION_ID: &str = "application.id";
/// TypeID of the subscription.
pub const SUBSCRIPTION_ID: &str = "subscription.id";
/// TypeID of the credential; never the key itself.
pub const CREDENTIAL_ID: &str = "credential.id";
/// TypeID of the limit.
pub const LIMIT_ID: &str = "limit.id";
/// The request id that the client sees as `X-Request-Id`.
pub const REQUEST_ID: &str = "request.id";
/// TypeID of the gateway node.
pub const NODE_ID: &str = "node.id";
/// The role of the process that the line is about.
pub const ROLE: &str = "role";
/// Number of the configuration change.
pub const CHANGE_SEQ: &str = "change.seq";
/// Number of the snapshot.
pub const SNAPSHOT_ID: &str = "snapshot.id";
/// Address of a listener.
pub const LISTEN_ADDRESS: &str = "listen.address";
/// Address of an upstream target, without credentials and query.
pub const UPSTREAM_ADDRESS: &str = "upstream.address";
/// HTTP method.
pub const HTTP_METHOD: &str = "http.method";
/// Route template; never the path that was asked for, which may hold personal data.
pub const HTTP_ROUTE: &str = "http.route";
/// HTTP status code.
pub const HTTP_STATUS: &str = "http.status";
/// How long it took, in milliseconds.
pub const DURATION_MS: &str = "duration_ms";
/// How often it was tried.
pub const ATTEMPTS: &str = "attempts";
/// The failure with its causes.
pub const ERROR: &str = "error";
/// The stable code of a problem, as on the wire.
pub const PROBLEM_CODE: &str = "problem.code";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_names_a_field() {
        let subscriber = crate::log::tests::Captured::new(crate::log::Format::Json);
        subscriber.run(|| tracing::info!({ API_ID } = "api_1", { DURATION_MS } = 12_u64, "served"));
        let line = subscriber.json();
        assert_eq!(line[API_ID], "api_1");
        assert_eq!(line[DURATION_MS], 12);
    }
}
