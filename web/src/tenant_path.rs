//! Tenants other than the default one stand below `/t/{tenant}`: the prefix is
//! taken off before a page is looked for and put before every link on it.

use gatewright_model::text::Slug;

const PREFIX: &str = "/t/";

/// Which tenant a path names, and the path within it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'p> {
    /// The slug; `None` for the tenant of the host name.
    pub(crate) tenant: Option<&'p str>,
    /// Begins with a slash.
    pub(crate) path: &'p str,
}

/// Splits a path.
pub(crate) fn split(path: &str) -> Place<'_> {
    let whole = Place { tenant: None, path };
    let Some(rest) = path.strip_prefix(PREFIX) else {
        return whole;
    };
    let (slug, inner) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if Slug::parse(slug).is_err() {
        return whole;
    }
    Place {
        tenant: Some(slug),
        path: inner,
    }
}

/// What stands before every link of the tenant's pages.
pub(crate) fn base(tenant: Option<&str>) -> String {
    tenant.map_or_else(String::new, |slug| [PREFIX, slug].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_split_off() {
        let place = |tenant, path| Place { tenant, path };
        assert_eq!(split("/apis"), place(None, "/apis"));
        assert_eq!(split("/t/acme/apis/shop"), place(Some("acme"), "/apis/shop"));
        assert_eq!(split("/t/acme"), place(Some("acme"), "/"));
        assert_eq!(split("/t/A B/x"), place(None, "/t/A B/x"));
        assert_eq!(split("/t/"), place(None, "/t/"));
    }
}
