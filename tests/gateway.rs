//! What consumers see at the gateway.

mod bounds;
mod deprecation;
mod floods;
mod flow;
mod keyless;
mod limits;
mod messages;
mod nodes;
mod records;
mod refusals;
mod restart;
mod strictness;
mod upstreams;
