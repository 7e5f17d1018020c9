//! One real check of a connector, a destination or the store: log in, look, leave. Each family says what its check is;
//! this file only chooses, and keeps the time.

use std::time::Duration;

use openreg_parts::error::Class;
use openreg_parts::secrets::SecretFiles;
use openreg_parts::store::Store;
use openreg_parts::{source, transport};
use openreg_plan::probe::{ProbePlan, ProbeTarget};
use openreg_plan::report::Stage;
use tokio_util::sync::CancellationToken;

use crate::stage::StageError;

/// Checks what the plan names; an error says why it cannot be used.
pub async fn probe(plan: &ProbePlan, cancel: CancellationToken) -> Result<(), StageError> {
    let limit = Duration::from_secs(plan.timeout_seconds);
    tokio::select! {
        () = cancel.cancelled() => Err(ended("ProbeCancelled", "could not finish the check: it was told to stop".to_owned())),
        result = tokio::time::timeout(limit, check(plan)) => match result {
            Ok(checked) => checked,
            Err(_) => Err(ended("ProbeTimeout", format!("could not finish the check within {} s", plan.timeout_seconds))
                .with_hint("check that the server is well and answers in time from the namespace in which runs run")),
        },
    }
}

async fn check(plan: &ProbePlan) -> Result<(), StageError> {
    let credentials = plan.credentials.as_ref().map(|m| SecretFiles::new(&m.name, &m.path));
    let credentials = credentials.as_ref();
    match &plan.target {
        ProbeTarget::Source { options, limits } => source::probe(options, credentials, limits).await.map_err(StageError::at(Stage::Probe)),
        ProbeTarget::Transport(options) => {
            let receiver = transport::open(options, credentials).await.map_err(StageError::at(Stage::Probe))?;
            let looked = receiver.probe(options.directory()).await;
            receiver.close().await;
            looked.map_err(StageError::at(Stage::Probe))
        }
        ProbeTarget::Store { options, prefix } => {
            let store = Store::open(options, credentials, prefix).await.map_err(StageError::at(Stage::Probe))?;
            store.probe(&uuid::Uuid::new_v4().to_string()).await.map_err(StageError::at(Stage::Probe))
        }
    }
}

fn ended(code: &str, message: String) -> StageError {
    StageError {
        stage: Stage::Probe,
        class: Class::Transient,
        code: code.to_owned(),
        message,
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use openreg_parts::store::{DirectoryStoreOptions, StoreOptions};
    use openreg_parts::transport::TransportOptions;
    use openreg_parts::transport::directory::DirectoryOptions;

    use super::*;

    fn plan(target: ProbeTarget) -> ProbePlan {
        ProbePlan {
            version: 1,
            target,
            credentials: None,
            timeout_seconds: 5,
        }
    }

    #[tokio::test]
    async fn a_directory_is_there_or_not() {
        let directory = tempfile::tempdir().unwrap();
        for (name, code) in [("", None), ("missing", Some("DirectoryMissing"))] {
            let path = directory.path().join(name).display().to_string();
            let result = probe(
                &plan(ProbeTarget::Transport(TransportOptions::Directory(DirectoryOptions { path }))),
                CancellationToken::new(),
            )
            .await;
            assert_eq!(result.err().map(|e| e.code).as_deref(), code);
        }
        let path = directory.path().join("store").display().to_string();
        let target = ProbeTarget::Store {
            options: StoreOptions::Directory(DirectoryStoreOptions { path }),
            prefix: "tenant/".into(),
        };
        assert_eq!(probe(&plan(target), CancellationToken::new()).await, Ok(()));
    }

    #[tokio::test]
    async fn it_ends_when_told_to() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let target = ProbeTarget::Transport(TransportOptions::Directory(DirectoryOptions { path: "/".into() }));
        let error = probe(&plan(target), cancel).await.unwrap_err();
        assert_eq!((error.stage, error.class), (Stage::Probe, Class::Transient));
    }
}
