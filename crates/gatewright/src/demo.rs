//! The sample shop: its services in this process, and what it puts into the
//! default tenant, through the same use cases as everybody else.

use gatewright_config::{Config, Exit};
use gatewright_control::Control;

use crate::failure::Failure;

/// The running services of the shop.
#[derive(Debug)]
pub(crate) struct Shop;

impl Shop {
    pub(crate) async fn open(_config: &Config) -> Result<Self, Failure> {
        Ok(Self)
    }
    pub(crate) async fn furnish(&self, _control: &Control) -> Result<(), Failure> {
        Ok(())
    }
    pub(crate) async fn close(self) {}
}

pub(crate) async fn remove(_config: &Config) -> Result<Exit, Failure> {
    Ok(Exit::Success)
}
