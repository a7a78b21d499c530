//! Permissions of administrators and the built-in admin roles (PRODUCT §8).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

macro_rules! permissions {
    ($($(#[$doc:meta])* $marker:ident = $text:literal, sensitive: $sensitive:literal;)+) => {
        /// Something an administrator may be allowed to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[$doc])* $marker,)+
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &[Permission] = &[$(Permission::$marker,)+];

            /// The name in the API, such as `users:read`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Permission::$marker => $text,)+ }
            }

            /// Whether a browser session must have authenticated recently to use it.
            #[must_use]
            pub const fn is_sensitive(self) -> bool {
                match self { $(Permission::$marker => $sensitive,)+ }
            }
        }

        /// One marker type for each permission, so that an operation's signature names the one it needs.
        pub mod markers {
            $($(#[$doc])* #[derive(Debug, Clone, Copy)] pub struct $marker;
            impl super::PermissionMarker for $marker {
                const PERMISSION: super::Permission = super::Permission::$marker;
            })+
        }
    };
}

/// A type that stands for one [`Permission`].
pub trait PermissionMarker {
    /// The permission it stands for.
    const PERMISSION: Permission;
}

permissions! {
    /// See users, their authenticators, sessions, roles.
    UsersRead = "users:read", sensitive: false;
    /// Create users and change their records, enable and disable them.
    UsersWrite = "users:write", sensitive: false;
    /// Delete users.
    UsersDelete = "users:delete", sensitive: true;
    /// Export lists of users.
    UsersExport = "users:export", sensitive: true;
    /// Download everything held on a user.
    UsersDownload = "users:download", sensitive: true;
    /// Act as a user.
    UsersImpersonate = "users:impersonate", sensitive: true;
    /// Merge duplicate users.
    UsersMerge = "users:merge", sensitive: true;
    /// Send resets, require a reset, unlock.
    CredentialsReset = "credentials:reset", sensitive: false;
    /// Set, replace or clear a password; make API keys.
    CredentialsSet = "credentials:set", sensitive: true;
    /// Show an API key that was made before, where the realm keeps keys so that they can be shown.
    CredentialsReveal = "credentials:reveal", sensitive: true;
    /// End sessions.
    SessionsRevoke = "sessions:revoke", sensitive: false;
    /// See roles.
    RolesRead = "roles:read", sensitive: false;
    /// Create, change and delete roles.
    RolesWrite = "roles:write", sensitive: false;
    /// Assign roles to users.
    RolesAssign = "roles:assign", sensitive: false;
    /// See groups.
    GroupsRead = "groups:read", sensitive: false;
    /// Create groups and change their members.
    GroupsWrite = "groups:write", sensitive: false;
    /// See organizations.
    OrganizationsRead = "organizations:read", sensitive: false;
    /// Create organizations and change their members.
    OrganizationsWrite = "organizations:write", sensitive: false;
    /// Read the audit log.
    AuditRead = "audit:read", sensitive: false;
    /// See the realm's settings.
    SettingsRead = "settings:read", sensitive: false;
    /// Change the realm's settings.
    SettingsWrite = "settings:write", sensitive: false;
    /// See clients.
    ClientsRead = "clients:read", sensitive: false;
    /// Create, change and delete clients, and make their secrets.
    ClientsWrite = "clients:write", sensitive: false;
    /// Change upstream identity providers.
    ProvidersWrite = "providers:write", sensitive: false;
    /// Change webhooks.
    WebhooksWrite = "webhooks:write", sensitive: false;
    /// Make and unmake administrators.
    AdminsManage = "admins:manage", sensitive: true;
    /// Create, rename, disable and delete realms.
    RealmsManage = "realms:manage", sensitive: true;
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no permission of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Must be the name of a permission, such as users:read.")]
pub struct NotAPermission;

impl FromStr for Permission {
    type Err = NotAPermission;
    fn from_str(text: &str) -> Result<Self, NotAPermission> {
        Permission::ALL.iter().copied().find(|permission| permission.as_str() == text).ok_or(NotAPermission)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// The set of these.
    #[must_use]
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut rest = permissions;
        while let [first, others @ ..] = rest {
            bits |= 1 << (*first as u8);
            rest = others;
        }
        Self(bits)
    }

    /// Whether it holds this permission.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << (permission as u8)) != 0
    }

    /// Whether it holds all of the other's.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its permissions, in order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.contains(*p))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The built-in admin roles, from the most to the least powerful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminRole {
    /// Everything, other realms included where the grant covers them.
    Owner,
    /// Everything inside the realm.
    Admin,
    /// Looks after people: records, resets, sessions.
    Support,
    /// Sees everything, changes nothing.
    Auditor,
}

impl AdminRole {
    /// Every built-in admin role.
    pub const ALL: &[AdminRole] = &[AdminRole::Owner, AdminRole::Admin, AdminRole::Support, AdminRole::Auditor];

    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AdminRole::Owner => "owner",
            AdminRole::Admin => "admin",
            AdminRole::Support => "support",
            AdminRole::Auditor => "auditor",
        }
    }

    /// What it allows.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        use Permission as P;
        const READ: PermissionSet = PermissionSet::of(&[
            P::UsersRead,
            P::RolesRead,
            P::GroupsRead,
            P::OrganizationsRead,
            P::AuditRead,
            P::SettingsRead,
            P::ClientsRead,
        ]);
        const SUPPORT: PermissionSet = PermissionSet::of(&[
            P::UsersWrite,
            P::CredentialsReset,
            P::SessionsRevoke,
            P::GroupsWrite,
            P::GroupsRead,
            P::OrganizationsRead,
            P::UsersRead,
            P::RolesRead,
            P::AuditRead,
        ]);
        const OWNER: PermissionSet = PermissionSet::of(P::ALL);
        const ABOVE_ADMIN: PermissionSet = PermissionSet::of(&[P::RealmsManage]);
        match self {
            AdminRole::Owner => OWNER,
            AdminRole::Admin => PermissionSet(OWNER.0 & !ABOVE_ADMIN.0),
            AdminRole::Support => SUPPORT,
            AdminRole::Auditor => READ,
        }
    }
}

impl fmt::Display for AdminRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no admin role of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Must be owner, admin, support or auditor.")]
pub struct NotAnAdminRole;

impl FromStr for AdminRole {
    type Err = NotAnAdminRole;
    fn from_str(text: &str) -> Result<Self, NotAnAdminRole> {
        AdminRole::ALL.iter().copied().find(|role| role.as_str() == text).ok_or(NotAnAdminRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_admin_role_has_no_more_than_the_one_above() {
        assert!(AdminRole::Owner.permissions().covers(AdminRole::Admin.permissions()));
        assert!(AdminRole::Admin.permissions().covers(AdminRole::Support.permissions()));
        assert!(AdminRole::Admin.permissions().covers(AdminRole::Auditor.permissions()));
        assert!(!AdminRole::Support.permissions().contains(Permission::CredentialsSet));
        assert!(!AdminRole::Admin.permissions().contains(Permission::RealmsManage));
    }

    #[test]
    fn permissions_survive_their_names() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
        }
        assert_eq!("users:eat".parse::<Permission>(), Err(NotAPermission));
    }

    #[test]
    fn auditors_change_nothing() {
        let reading = |p: Permission| p.as_str().ends_with(":read");
        assert!(AdminRole::Auditor.permissions().iter().all(reading));
    }
}
