//! The names of claims that no attribute may take.

/// Claims with a meaning of their own in tokens: what Denizen puts there, and what those who read tokens decide by.
/// From RFC 7519, RFC 9068, RFC 8693, RFC 7800, RFC 8417, RFC 7662, OpenID Connect Core and its logout
/// specifications. Names such as `birthdate` or `picture`, which only describe a person, are free.
pub const RESERVED_CLAIMS: &[&str] = &[
    "_claim_names",
    "_claim_sources",
    "acr",
    "act",
    "active",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "email",
    "email_verified",
    "entitlements",
    "events",
    "exp",
    "family_name",
    "given_name",
    "groups",
    "iat",
    "iss",
    "jti",
    "locale",
    "may_act",
    "name",
    "nbf",
    "nonce",
    "organizations",
    "permissions",
    "phone_number",
    "phone_number_verified",
    "preferred_username",
    "roles",
    "s_hash",
    "scope",
    "scp",
    "sid",
    "sub",
    "sub_id",
    "sub_jwk",
    "token_type",
    "txn",
    "updated_at",
    "username",
    "zoneinfo",
];

/// Whether no attribute may become this claim.
#[must_use]
pub fn is_reserved_claim(name: &str) -> bool {
    RESERVED_CLAIMS.contains(&name)
}
