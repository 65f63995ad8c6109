//! How configuration gets here and stays current.
