//! Where a refused call is mended, and the link that leads there: one decision
//! for the try box and the log.

use gatewright_model::id::SubscriptionId;

/// Where the next step after a refusal is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Where access is asked for.
    Access,
    /// The keys of the application.
    Keys,
    /// The subscription, which says why it does not work.
    Subscription,
    /// The limits and how far they are used.
    Limits,
    /// The reference of the version.
    Reference,
    /// The page of the API with its versions.
    Api,
}

/// What a call belongs to, as far as the reader may know it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around<'a> {
    /// The tenant's path.
    pub(crate) base: &'a str,
    /// The slug of the API.
    pub(crate) api: Option<&'a str>,
    /// The label of the version.
    pub(crate) version: Option<&'a str>,
    /// The application, by slug or id.
    pub(crate) application: Option<String>,
    /// The subscription under which the call came.
    pub(crate) subscription: Option<SubscriptionId>,
}

/// A link in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepLink {
    /// What is done there.
    pub(crate) label: &'static str,
    /// Its address.
    pub(crate) href: String,
}

impl NextStep {
    /// The link to the step, as far as its place is known.
    pub(crate) fn link(self, around: &Around<'_>) -> Option<StepLink> {
        let (label, href) = match self {
            Self::Access => ("Get access", around.api_page("/access")?),
            Self::Keys => ("To the keys", around.own("/keys")),
            Self::Subscription if around.subscription.is_some() => {
                ("To the subscription", around.subscriptions())
            }
            Self::Subscription => ("To the subscriptions", around.subscriptions()),
            // Without a key there is no subscription whose limits could be looked at.
            Self::Limits if around.application.is_none() => ("Get access", around.api_page("/access")?),
            Self::Limits => ("See what is left", around.subscriptions()),
            Self::Reference => {
                let version = around.version?;
                (
                    "Open the reference",
                    around.api_page(&format!("/v/{version}/reference"))?,
                )
            }
            Self::Api => ("Open the page of the API", around.api_page("")?),
        };
        Some(StepLink { label, href })
    }
}

impl Around<'_> {
    fn api_page(&self, rest: &str) -> Option<String> {
        Some([self.base, "/apis/", self.api?, rest].concat())
    }

    /// A page of the application; the list of applications when it is not known which.
    fn own(&self, rest: &str) -> String {
        match &self.application {
            Some(application) => [self.base, "/me/apps/", application, rest].concat(),
            None => [self.base, "/me/apps"].concat(),
        }
    }

    fn subscriptions(&self) -> String {
        match self.subscription {
            Some(id) => self.own(&format!("/subscriptions/{id}")),
            None => self.own("/subscriptions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_leads_as_near_as_is_known() {
        let known = Around {
            base: "/t/acme",
            api: Some("shop"),
            version: Some("v1"),
            application: Some("till".to_owned()),
            subscription: None,
        };
        let link = |step: NextStep, around: &Around<'_>| {
            let link = step.link(around);
            link.map(|link| format!("{}: {}", link.label, link.href))
        };
        let all = [
            (NextStep::Access, "Get access: /t/acme/apis/shop/access"),
            (NextStep::Keys, "To the keys: /t/acme/me/apps/till/keys"),
            (
                NextStep::Subscription,
                "To the subscriptions: /t/acme/me/apps/till/subscriptions",
            ),
            (
                NextStep::Limits,
                "See what is left: /t/acme/me/apps/till/subscriptions",
            ),
            (
                NextStep::Reference,
                "Open the reference: /t/acme/apis/shop/v/v1/reference",
            ),
            (NextStep::Api, "Open the page of the API: /t/acme/apis/shop"),
        ];
        for (step, expected) in all {
            assert_eq!(link(step, &known).as_deref(), Some(expected));
        }
        let stranger = Around {
            application: None,
            ..known.clone()
        };
        assert_eq!(
            link(NextStep::Limits, &stranger).as_deref(),
            Some("Get access: /t/acme/apis/shop/access")
        );
        assert_eq!(
            link(NextStep::Keys, &stranger).as_deref(),
            Some("To the keys: /t/acme/me/apps")
        );
        assert_eq!(link(NextStep::Access, &Around::default()), None);
    }
}
