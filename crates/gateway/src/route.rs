//! From a host and a path to a version.
