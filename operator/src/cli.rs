//! The command line: flags, each also a variable of the environment. The only place where configuration is read.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

/// The OpenReg operator: runs regulatory reports as resource-limited Jobs.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "openreg-operator",
    version,
    after_help = "Example, outside the cluster with the kubeconfig of KUBECONFIG:\n  openreg-operator --runner-image openreg-runner:0.1.0 --namespace openreg-system --log info,kube=warn"
)]
pub struct Cli {
    /// The image in which runs and probes are executed.
    #[arg(long, env = "OPENREG_RUNNER_IMAGE")]
    pub runner_image: String,

    /// How that image is pulled: IfNotPresent, Always or Never [the cluster's default].
    #[arg(long, env = "OPENREG_RUNNER_PULL_POLICY", value_parser = ["IfNotPresent", "Always", "Never"])]
    pub runner_pull_policy: Option<String>,

    /// Secrets in the tenants' namespaces with which that image is pulled, separated by commas.
    #[arg(long, env = "OPENREG_RUNNER_PULL_SECRETS", value_delimiter = ',')]
    pub runner_pull_secrets: Vec<String>,

    /// The namespace of the Lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "openreg-system")]
    pub namespace: String,

    /// The name of the Lease: one for each installation.
    #[arg(long, env = "OPENREG_LEASE", default_value = "openreg-operator")]
    pub lease: String,

    /// The name of this process, and of no other [the host's name and a random part].
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,

    /// Where health and metrics are served.
    #[arg(long, env = "OPENREG_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// How long a watch may be silent before liveness fails; the API server sends a sign of life about once a minute.
    #[arg(long, env = "OPENREG_WATCH_STALL", default_value = "6m", value_parser = duration)]
    pub watch_stall: Duration,

    /// Address ranges (nodes, API server) that a run does not reach unless its connector or destination names them,
    /// separated by commas. Link-local addresses, and so cloud metadata, are always among them.
    #[arg(long, env = "OPENREG_BLOCKED_CIDRS", value_delimiter = ',')]
    pub blocked_cidrs: Vec<String>,

    /// The API server's address as pods see it; blocked like the ranges above.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    pub kubernetes_service_host: Option<std::net::IpAddr>,

    /// What is logged: trace, debug, info, warn, error, or directives such as info,kube=debug.
    #[arg(long, env = "OPENREG_LOG", default_value = "info")]
    pub log: String,
}

fn duration(text: &str) -> Result<Duration, String> {
    openreg_parts::units::Duration::try_from(text.to_owned())
        .map(|d| d.get())
        .map_err(|e| e.to_string())
}

impl Cli {
    /// What controllers need of it.
    pub fn config(&self) -> crate::context::Config {
        let mut blocked_cidrs = self.blocked_cidrs.clone();
        if let Some(address) = self.kubernetes_service_host {
            blocked_cidrs.push(format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }));
        }
        crate::context::Config {
            runner_image: self.runner_image.clone(),
            runner_pull_policy: self.runner_pull_policy.clone(),
            runner_pull_secrets: self.runner_pull_secrets.clone(),
            blocked_cidrs,
            manager: "openreg-operator".to_owned(),
        }
    }

    /// The name of this process.
    pub fn identity(&self) -> String {
        self.identity.clone().unwrap_or_else(|| format!("openreg-operator-{}", uuid::Uuid::new_v4()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let cli = Cli::parse_from([
            "x",
            "--runner-image",
            "r:1",
            "--blocked-cidrs",
            "10.0.0.0/24,10.0.1.1/32",
            "--watch-stall",
            "90s",
            "--kubernetes-service-host",
            "10.96.0.1",
        ]);
        assert_eq!(cli.watch_stall, Duration::from_secs(90));
        assert_eq!(cli.config().blocked_cidrs, ["10.0.0.0/24", "10.0.1.1/32", "10.96.0.1/32"]);
        assert!(Cli::try_parse_from(["x", "--runner-image", "r:1", "--watch-stall", "soon"]).is_err());
    }
}
