//! Saved views of the list of users (PRODUCT §4).
