//! What people see in the portal.

mod accounts;
mod try_it;
