//! Groups of users (PRODUCT §8).
