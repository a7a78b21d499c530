//! Attribute definitions: what custom attributes a realm knows (PRODUCT §3).
