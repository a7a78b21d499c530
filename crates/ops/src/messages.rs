//! Messages to users (PRODUCT §12).
