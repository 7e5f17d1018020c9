//! `kubectl`, as a person types it.

use std::process::{Output, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs `kubectl` with `args` and an optional standard input; the output whatever the exit code.
pub async fn raw(args: &[&str], stdin: Option<&str>) -> Result<Output> {
    let mut child = Command::new("kubectl")
        .args(args)
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("could not start kubectl")?;
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).await?;
    }
    Ok(child.wait_with_output().await?)
}

/// Runs `kubectl`; its standard output, or an error with its standard error.
pub async fn run(args: &[&str]) -> Result<String> {
    let output = raw(args, None).await?;
    if !output.status.success() {
        bail!("kubectl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Applies YAML; the error is what `kubectl` said.
pub async fn apply(namespace: &str, yaml: &str) -> Result<String> {
    let output = raw(&["apply", "-n", namespace, "-f", "-"], Some(yaml)).await?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        bail!("{}", said(&output.stderr));
    }
    Ok(said(&output.stdout))
}

/// Runs a bash script in a pod (`pod/x`, `deployment/x`); `$1` and so on are `arguments`.
pub async fn bash(namespace: &str, pod: &str, script: &str, arguments: &[&str]) -> Result<String> {
    let mut args = vec!["exec", "-n", namespace, pod, "--", "bash", "-c", script, "bash"];
    args.extend(arguments);
    run(&args).await
}
