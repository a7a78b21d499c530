//! Single-use secrets in links that were mailed.
