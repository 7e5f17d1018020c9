//! Who may do what: one table. Every route names its permission in `router.rs`; nothing else decides.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a user is in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees reports and runs.
    Viewer,
    /// Writes reports; sees violations too.
    Author,
    /// Starts and stops runs, fetches files.
    Operator,
    /// Decides on files; never starts a run.
    Approver,
    /// Reads the audit trail.
    Auditor,
    /// May do all of it.
    TenantAdmin,
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// One's own session and password.
    AccountUse,
    /// Reports and their versions.
    ReportRead,
    /// Runs, their conditions, counts and deliveries.
    RunRead,
    /// The rows that violate rules.
    ViolationRead,
    /// The files themselves.
    ArtifactDownload,
    /// Starting a run.
    RunStart,
    /// Stopping a run.
    RunCancel,
    /// The audit trail.
    AuditRead,
    /// The audit trail as a whole.
    AuditExport,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [Self::Viewer, Self::Author, Self::Operator, Self::Approver, Self::Auditor, Self::TenantAdmin];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Author => "author",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::TenantAdmin => "tenant-admin",
        }
    }

    /// The role of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 9] = [
        Self::AccountUse,
        Self::ReportRead,
        Self::RunRead,
        Self::ViolationRead,
        Self::ArtifactDownload,
        Self::RunStart,
        Self::RunCancel,
        Self::AuditRead,
        Self::AuditExport,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountUse => "account.use",
            Self::ReportRead => "report.read",
            Self::RunRead => "run.read",
            Self::ViolationRead => "violation.read",
            Self::ArtifactDownload => "artifact.download",
            Self::RunStart => "run.start",
            Self::RunCancel => "run.cancel",
            Self::AuditRead => "audit.read",
            Self::AuditExport => "audit.export",
        }
    }

    /// The table: which roles have it.
    pub fn roles(self) -> &'static [Role] {
        use Role::*;
        match self {
            Self::AccountUse | Self::ReportRead | Self::RunRead => &[Viewer, Author, Operator, Approver, Auditor, TenantAdmin],
            Self::ViolationRead => &[Author, Operator, Approver, Auditor, TenantAdmin],
            Self::ArtifactDownload => &[Operator, Approver, Auditor, TenantAdmin],
            Self::RunStart | Self::RunCancel => &[Operator, TenantAdmin],
            Self::AuditRead | Self::AuditExport => &[Auditor, TenantAdmin],
        }
    }

    /// Whether one of `roles` has it.
    pub fn is_held_by(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles().contains(role))
    }
}

/// The permissions that `roles` have together, for the user interface to show what can be done.
pub fn held_by(roles: &[Role]) -> Vec<String> {
    Permission::ALL
        .into_iter()
        .filter(|p| p.is_held_by(roles))
        .map(|p| p.as_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approver_never_starts_what_they_approve() {
        assert!(!Permission::RunStart.is_held_by(&[Role::Approver]));
        assert!(Permission::ArtifactDownload.is_held_by(&[Role::Approver]));
    }

    #[test]
    fn roles_add_up() {
        assert!(!Permission::AuditRead.is_held_by(&[Role::Operator]));
        assert!(Permission::AuditRead.is_held_by(&[Role::Operator, Role::Auditor]));
        assert!(!Permission::RunRead.is_held_by(&[]));
    }

    #[test]
    fn words_come_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }
}
