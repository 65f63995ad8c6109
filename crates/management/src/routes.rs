//! Every collection, in the order in which the description lists them.

mod accounts;
mod apis;
mod applications;
mod approvals;
mod audit;
mod calls;
mod credentials;
mod impact;
mod imports;
mod lifecycle;
mod limits;
mod members;
mod nodes;
mod plans;
mod roles;
mod subscriptions;
mod teams;
mod tenants;
mod tokens;
mod upstreams;
mod usage;
mod users;
mod versions;
mod whoami;

pub(crate) use imports::FindingShape;

use crate::operation::Api;

/// Adds all of them.
pub(crate) fn all(api: Api) -> Api {
    let parts: [fn(Api) -> Api; 22] = [
        apis::add,
        imports::add,
        versions::add,
        upstreams::add,
        lifecycle::add,
        impact::add,
        plans::add,
        applications::add,
        subscriptions::add,
        approvals::add,
        credentials::add,
        usage::add,
        calls::add,
        audit::add,
        nodes::add,
        tenants::add,
        teams::add,
        members::add,
        users::add,
        accounts::add,
        tokens::add,
        whoami_and_roles,
    ];
    parts.into_iter().fold(api, |api, add| add(api))
}

fn whoami_and_roles(api: Api) -> Api {
    whoami::add(roles::add(api))
}
