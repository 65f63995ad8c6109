//! What the demo puts into a tenant, as data: whoever seeds it does so through
//! the same use cases as everybody else.

use crate::{catalog, orders};

/// Which of the services an API stands in front of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// `addresses.catalog`
    Catalog,
    /// `addresses.orders`
    Orders,
}

/// An API of the shop.
#[derive(Debug)]
pub struct SeedApi {
    /// As people read it.
    pub name: &'static str,
    /// Its slug.
    pub slug: &'static str,
    /// Where it stands at the gateway.
    pub context_path: &'static str,
    /// Markdown.
    pub description: &'static str,
    /// Its versions, oldest first.
    pub versions: &'static [SeedVersion],
    /// Its plans.
    pub plans: &'static [SeedPlan],
}

/// A version of it.
#[derive(Debug)]
pub struct SeedVersion {
    /// The path locator.
    pub label: &'static str,
    /// Its OpenAPI document, JSON or YAML.
    pub document: &'static str,
    /// The service behind it.
    pub behind: Behind,
    /// The path on that service, empty or with a leading `/`.
    pub base_path: &'static str,
    /// Where it is in its life.
    pub life: Life,
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Published.
    Published,
    /// Deprecated in favour of another label, with a sunset so many days from the start of the demo.
    Deprecated {
        /// The label of the successor.
        successor: &'static str,
        /// Days from now to its end.
        sunset_in_days: u16,
        /// What subscribers are told.
        message: &'static str,
    },
}

/// A plan; all of them ask for an API key and cover every version.
#[derive(Debug)]
pub struct SeedPlan {
    /// As people read it.
    pub name: &'static str,
    /// Its slug.
    pub slug: &'static str,
    /// Who decides on subscriptions.
    pub approval: SeedApproval,
    /// Its limits.
    pub limits: &'static [SeedLimit],
}

/// Who decides on subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedApproval {
    /// Nobody has to.
    Automatic,
    /// A person.
    Manual,
}

/// How a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedLimitKind {
    /// So many a window, smoothly.
    Rate,
    /// A budget for the window.
    Quota,
}

/// A limit on requests.
#[derive(Debug)]
pub struct SeedLimit {
    /// Its name in `RateLimit` fields.
    pub name: &'static str,
    /// How it counts.
    pub kind: SeedLimitKind,
    /// How many.
    pub amount: u64,
    /// Over which time, as limits are written: `1m`, `1d`.
    pub window: &'static str,
}

/// An application with its subscriptions.
#[derive(Debug)]
pub struct SeedApplication {
    /// As people read it.
    pub name: &'static str,
    /// Its slug.
    pub slug: &'static str,
    /// `(api slug, plan slug)`; those on a manual plan stay pending, for the visitor to decide.
    pub subscriptions: &'static [(&'static str, &'static str)],
    /// How many calls of sample usage it gets for each day of the last week, marked as
    /// sample data: hundreds, which the hours of a day divide without a rest, and
    /// within the quota of its plan.
    pub sample_calls_a_day: u32,
}

const FREE: SeedPlan = SeedPlan {
    name: "Free",
    slug: "free",
    approval: SeedApproval::Automatic,
    limits: &[
        SeedLimit {
            name: "per-minute",
            kind: SeedLimitKind::Rate,
            amount: 60,
            window: "1m",
        },
        SeedLimit {
            name: "daily",
            kind: SeedLimitKind::Quota,
            amount: 1_000,
            window: "1d",
        },
    ],
};

const STANDARD: SeedPlan = SeedPlan {
    name: "Standard",
    slug: "standard",
    approval: SeedApproval::Manual,
    limits: &[
        SeedLimit {
            name: "per-second",
            kind: SeedLimitKind::Rate,
            amount: 50,
            window: "1s",
        },
        SeedLimit {
            name: "monthly",
            kind: SeedLimitKind::Quota,
            amount: 1_000_000,
            window: "1mo",
        },
    ],
};

/// The APIs of the shop.
pub const APIS: &[SeedApi] = &[
    SeedApi {
        name: "Catalog",
        slug: "catalog",
        context_path: "/catalog",
        description: "What the shop sells. Version 1 ends soon; version 2 has currencies, categories and search.",
        versions: &[
            SeedVersion {
                label: "v1",
                document: catalog::DOCUMENT_V1,
                behind: Behind::Catalog,
                base_path: "/v1",
                life: Life::Deprecated {
                    successor: "v2",
                    sunset_in_days: 180,
                    message: "Prices without a currency end with version 1. Version 2 has them as amount and currency.",
                },
            },
            SeedVersion {
                label: "v2",
                document: catalog::DOCUMENT_V2,
                behind: Behind::Catalog,
                base_path: "/v2",
                life: Life::Published,
            },
        ],
        plans: &[FREE, STANDARD],
    },
    SeedApi {
        name: "Orders",
        slug: "orders",
        context_path: "/orders",
        description: "Place, read and cancel orders.",
        versions: &[SeedVersion {
            label: "v1",
            document: orders::DOCUMENT,
            behind: Behind::Orders,
            base_path: "",
            life: Life::Published,
        }],
        plans: &[FREE, STANDARD],
    },
];

/// The applications of the shop's customers.
pub const APPLICATIONS: &[SeedApplication] = &[
    SeedApplication {
        name: "Garden blog",
        slug: "garden-blog",
        subscriptions: &[("catalog", "free")],
        sample_calls_a_day: 400,
    },
    SeedApplication {
        name: "Price robot",
        slug: "price-robot",
        subscriptions: &[("catalog", "free"), ("orders", "standard")],
        sample_calls_a_day: 800,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_refer_to_each_other_exist() {
        for api in APIS {
            for version in api.versions {
                if let Life::Deprecated { successor, .. } = version.life {
                    assert!(
                        api.versions
                            .iter()
                            .any(|other| other.label == successor && other.label != version.label)
                    );
                }
            }
        }
        for (slug, plan) in APPLICATIONS
            .iter()
            .flat_map(|application| application.subscriptions)
        {
            let api = APIS.iter().find(|api| api.slug == *slug).unwrap();
            assert!(api.plans.iter().any(|known| known.slug == *plan), "{slug} {plan}");
        }
    }

    #[test]
    fn what_is_made_up_would_have_been_let_through() {
        for application in APPLICATIONS {
            assert_eq!(application.sample_calls_a_day % 100, 0, "{}", application.slug);
            for (slug, plan) in application.subscriptions {
                let api = APIS.iter().find(|api| api.slug == *slug).unwrap();
                let plan = api.plans.iter().find(|known| known.slug == *plan).unwrap();
                let daily = plan.limits.iter().find(|limit| limit.window == "1d");
                let least = daily.map_or(u64::MAX, |limit| limit.amount);
                assert!(
                    u64::from(application.sample_calls_a_day) <= least,
                    "{}",
                    application.slug
                );
            }
        }
    }

    #[test]
    fn exactly_one_subscription_waits_for_a_decision() {
        let manual = |slug: &str, plan: &str| {
            let api = APIS.iter().find(|api| api.slug == slug).unwrap();
            api.plans
                .iter()
                .any(|known| known.slug == plan && known.approval == SeedApproval::Manual)
        };
        let all = APPLICATIONS
            .iter()
            .flat_map(|application| application.subscriptions);
        assert_eq!(all.filter(|(slug, plan)| manual(slug, plan)).count(), 1);
    }
}
