//! The whole way of a request over real sockets: raw clients, a running
//! gateway, raw upstreams.

mod bed;
mod duplex;
mod edge;
mod faults;
mod floods;
mod forwarding;
mod http1;
mod lifecycle;
mod protocols;
mod wire;
