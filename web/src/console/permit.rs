//! Who opens which part of the console (`docs/permissions.md`). What a page
//! shows is narrowed further by the use cases: a publisher sees their own teams'.

use gatewright_model::permission::Permission;
use gatewright_webkit::permit::Demand;

macro_rules! demands {
    ($($(#[$about:meta])+ $name:ident = [$($permission:ident),+];)+) => {$(
        $(#[$about])+
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum $name {}

        impl Demand for $name {
            // A refusal names the first.
            const ANY_OF: &'static [Permission] = &[$(Permission::$permission),+];
        }
    )+};
}

demands! {
    /// The console at all: for those who offer APIs, decide, or oversee.
    Console = [TenantRead, ApisWrite, ApprovalsDecide, PlatformManage];
    /// APIs, with what is not published.
    Apis = [TenantRead, ApisWrite, ApprovalsDecide];
    /// Calls, and who makes them.
    TrafficRead = [TenantRead, ApisWrite];
    /// Subscriptions to the own APIs or to all.
    Subscriptions = [TenantRead, SubscriptionsManage];
    /// The gateways behind everything.
    Gateways = [TenantRead, PlatformManage];
}
