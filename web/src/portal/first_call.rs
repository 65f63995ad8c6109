//! The call that pages show where they show how to call an API: an operation
//! that the API has, with the key as the name of the environment it is in.

use gatewright_openapi::docs::samples::{Call, KEY_HEADER, Language};

/// Where the key of a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyIn {
    /// In the header of its own.
    Header,
    /// As a bearer token.
    Bearer,
    /// There is none.
    Nowhere,
}

/// The line for a shell; without an operation it calls the base address.
pub(super) fn curl(call: Option<&Call>, base_url: &str, key: KeyIn) -> String {
    let own = format!(" \\\n  -H \"{KEY_HEADER}: $API_KEY\"");
    let wanted = match key {
        KeyIn::Header => own.clone(),
        KeyIn::Bearer => " \\\n  -H \"Authorization: Bearer $API_KEY\"".to_owned(),
        KeyIn::Nowhere => String::new(),
    };
    match call {
        Some(call) => call.sample(Language::Curl).text().replacen(&own, &wanted, 1),
        None => format!("curl '{base_url}/'{wanted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stands_where_it_is_wanted() {
        let call = Call {
            method: "GET".to_owned(),
            url: "http://gw.test/pets/v1/pets".to_owned(),
            headers: Vec::new(),
            key_header: KEY_HEADER,
            body: None,
        };
        let line = |key| curl(Some(&call), "http://gw.test/pets/v1", key);
        let begin = "curl 'http://gw.test/pets/v1/pets'";
        assert_eq!(line(KeyIn::Nowhere), begin);
        assert_eq!(
            line(KeyIn::Header),
            format!("{begin} \\\n  -H \"X-API-Key: $API_KEY\"")
        );
        assert_eq!(
            line(KeyIn::Bearer),
            format!("{begin} \\\n  -H \"Authorization: Bearer $API_KEY\"")
        );
        assert_eq!(
            curl(None, "http://gw.test/pets/v1", KeyIn::Nowhere),
            "curl 'http://gw.test/pets/v1/'"
        );
    }
}
