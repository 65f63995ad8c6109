//! Which parts of the product this process runs.

use std::fmt;

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static ROLES: Key = Key {
    name: "roles",
    section: "Roles and listeners",
    kind: Kind::List("ROLE"),
    fallback: Fallback::Value("gateway,management,portal,worker"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "What this process runs: gateway, management, portal, worker.",
};

/// A part of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The data plane.
    Gateway,
    /// The management API.
    Management,
    /// The portal and the console.
    Portal,
    /// Deliveries and schedules.
    Worker,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Management, Self::Portal, Self::Worker];

    /// The word on the command line and in logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Management => "management",
            Self::Portal => "portal",
            Self::Worker => "worker",
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let role = Self::ALL.into_iter().find(|role| role.word() == text);
        role.ok_or_else(|| {
            Fault::new(
                format!("names {text:?}, which is no role"),
                "choose from gateway, management, portal, worker",
            )
        })
    }
}

/// A set of roles with at least one in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Roles([bool; 4]);

impl Roles {
    /// Whether this process runs the role.
    #[must_use]
    pub fn has(self, role: Role) -> bool {
        Role::ALL
            .into_iter()
            .zip(self.0)
            .any(|(known, on)| on && known == role)
    }

    /// The roles, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let named = reader.read_list(&ROLES, Role::parse)?;
        if named.is_empty() {
            reader.refuse(
                &ROLES,
                Fault::new("names no role", "name at least one or leave it out"),
            );
            return None;
        }
        Some(Self(Role::ALL.map(|role| named.contains(&role))))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Role::word)).finish()
    }
}
