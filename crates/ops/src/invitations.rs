//! Invitations (PRODUCT §5).
