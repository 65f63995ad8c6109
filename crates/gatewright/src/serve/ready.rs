//! The one line on stdout that says that the process serves.

use std::net::SocketAddr;

use gatewright_config::PublicUrl;
use serde::Serialize;

use crate::failure::Failure;
use crate::output;

/// What the line says; roles that this process does not run are absent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ready {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    management: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portal: Option<String>,
    status: Option<String>,
    pid: u32,
}

impl Ready {
    /// A line with the bound addresses of the roles of this process.
    pub(crate) fn new(
        gateway: Option<SocketAddr>,
        management: Option<SocketAddr>,
        portal: Option<SocketAddr>,
        status: SocketAddr,
    ) -> Self {
        let url = |address: SocketAddr| PublicUrl::of_bound(address).map(|url| url.to_string());
        Self {
            event: "ready",
            gateway: gateway.and_then(url),
            management: management.and_then(url),
            portal: portal.and_then(url),
            status: url(status),
            pid: std::process::id(),
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// When stdout is gone.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let line = serde_json::to_string(self)
            .map_err(|error| Failure::finding(format!("the ready line cannot be written: {error}")))?;
        output::line(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_one_of_the_contract() {
        let port = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let wildcard = SocketAddr::from(([0, 0, 0, 0], 8000));
        let ready = Ready::new(Some(wildcard), Some(port(8001)), None, port(8003));
        let line = serde_json::to_string(&ready).unwrap();
        assert_eq!(
            line,
            format!(
                r#"{{"event":"ready","gateway":"http://127.0.0.1:8000","management":"http://127.0.0.1:8001","status":"http://127.0.0.1:8003","pid":{}}}"#,
                std::process::id()
            )
        );
    }
}
