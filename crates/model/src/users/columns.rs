//! The columns of the list of users (PRODUCT §4).

use super::{UserSort, text_enum};

text_enum! {
    /// A column of the list of users that can be left out; the name stands in every list.
    UserColumn {
        /// Address for messages.
        Email = "email",
        /// Phone number.
        Phone = "phone",
        /// Sign-in name.
        Username = "username",
        /// The application's own id.
        Reference = "reference",
        /// Person or machine.
        Kind = "kind",
        /// Labels: disabled, verified, administrator and the like.
        Labels = "labels",
        /// The admin role.
        AdminRole = "admin_role",
        /// When they last signed in.
        LastSignInAt = "last_sign_in_at",
        /// When they were made.
        CreatedAt = "created_at",
        /// Wrong passwords and codes since the last right ones.
        FailedAttempts = "failed_attempts",
    }
}

/// The parameter of the console's list that names its columns, with commas between.
pub const COLUMNS_PARAMETER: &str = "columns";

impl UserColumn {
    /// Those a list has when nobody has chosen.
    pub const DEFAULT: &[UserColumn] = &[Self::Labels, Self::LastSignInAt, Self::CreatedAt];

    /// What it is called on pages.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "Email",
            Self::Phone => "Phone",
            Self::Username => "Username",
            Self::Reference => "Reference",
            Self::Kind => "Kind",
            Self::Labels => "Labels",
            Self::AdminRole => "Admin role",
            Self::LastSignInAt => "Last sign-in",
            Self::CreatedAt => "Created",
            Self::FailedAttempts => "Failed attempts",
        }
    }

    /// The order that goes by it.
    #[must_use]
    pub const fn sort(self) -> Option<UserSort> {
        match self {
            Self::Email => Some(UserSort::Email),
            Self::Phone => Some(UserSort::Phone),
            Self::Reference => Some(UserSort::Reference),
            Self::AdminRole => Some(UserSort::Role),
            Self::LastSignInAt => Some(UserSort::LastSignInAt),
            Self::CreatedAt => Some(UserSort::CreatedAt),
            Self::Username | Self::Kind | Self::Labels | Self::FailedAttempts => None,
        }
    }

    /// Reads names with commas between, in the order columns stand in; each counts once. `name` may be among them,
    /// and alone means no other.
    ///
    /// # Errors
    /// A sentence that names the columns, when a name is none.
    pub fn read_all(names: &str) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "name") {
            found.push(Self::from_name(name).ok_or_else(|| {
                let all: Vec<&str> = Self::ALL.iter().map(|column| column.as_str()).collect();
                format!("There is no column {name}. There are {}.", all.join(", "))
            })?);
        }
        Ok(Self::ALL.iter().copied().filter(|column| found.contains(column)).collect())
    }

    /// Names with commas between; `name` when there are no others.
    #[must_use]
    pub fn write_all(columns: &[Self]) -> String {
        if columns.is_empty() {
            return "name".to_owned();
        }
        columns.iter().map(|column| column.as_str()).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_in_their_own_order() {
        let columns = UserColumn::read_all("created_at, email,email").unwrap();
        assert_eq!(UserColumn::write_all(&columns), "email,created_at");
        assert_eq!(UserColumn::read_all("name"), Ok(Vec::new()));
        assert_eq!(UserColumn::write_all(&[]), "name");
        assert!(UserColumn::read_all("emial").unwrap_err().starts_with("There is no column emial. There are email, "));
    }
}
