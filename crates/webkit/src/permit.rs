//! Permissions as types, so that a handler's signature says what it needs and
//! the list of routes can be read off the code.

use gatewright_model::permission::Permission;

/// What a caller must hold: one of these permissions, somewhere in the tenant.
/// Whether it is held for the very thing that is asked for is decided by the
/// use case, which alone knows whose thing it is.
pub trait Demand: Send + Sync + 'static {
    /// Any of these opens the route.
    const ANY_OF: &'static [Permission];
}

/// A demand for exactly one permission.
pub trait Single: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

impl<P: Single> Demand for P {
    const ANY_OF: &'static [Permission] = &[P::PERMISSION];
}

/// One of two permissions, for things with two sides: a subscription is closed
/// by its consumer or by its provider.
#[derive(Debug, Clone, Copy)]
pub struct Either<A, B>(std::marker::PhantomData<(A, B)>);

impl<A: Single, B: Single> Demand for Either<A, B> {
    const ANY_OF: &'static [Permission] = &[A::PERMISSION, B::PERMISSION];
}

macro_rules! permits {
    ($($name:ident,)+) => {
        $(
            #[doc = concat!("Demands [`Permission::", stringify!($name), "`].")]
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Single for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )+

        #[cfg(test)]
        const DECLARED: &[Permission] = &[$(Permission::$name,)+];
    };
}

permits! {
    ApisRead,
    ApisWrite,
    VersionsPublish,
    PlansWrite,
    ApplicationsRead,
    ApplicationsWrite,
    SubscriptionsRequest,
    SubscriptionsManage,
    CredentialsWrite,
    ApprovalsRead,
    ApprovalsDecide,
    UsageRead,
    CallsRead,
    AuditRead,
    TeamsRead,
    TeamsWrite,
    MembersWrite,
    TokensWrite,
    NodesRead,
    TenantRead,
    TenantWrite,
    PlatformManage,
}

#[cfg(test)]
mod tests {
    use gatewright_model::state::Word;

    use super::*;

    #[test]
    fn every_permission_has_its_type() {
        assert_eq!(DECLARED, Permission::ALL);
        assert_eq!(
            <Either<SubscriptionsRequest, SubscriptionsManage> as Demand>::ANY_OF,
            [Permission::SubscriptionsRequest, Permission::SubscriptionsManage]
        );
    }
}
