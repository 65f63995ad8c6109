//! Who a caller is, and which plan lets it in.
