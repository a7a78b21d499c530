//! Organizations and their members (PRODUCT §8).
