//! The OpenID provider, spoken to by people without script and applications without a library.

mod logout;
mod refusals;
mod sign_in;
mod tokens;
