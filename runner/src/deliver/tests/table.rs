//! One line for every row of the table in `decide`.

use super::super::decide::{Lies, Me, Refusal, Remote, Seen, Step, decide};
use super::super::record::{Claim, Committing, Receipt, VERSION};
use openreg_plan::digest::Sha256;
use openreg_plan::plan::Verify;

const NOTHING: Lies = Lies::Nothing;

fn me() -> Me {
    Me {
        run: "run".into(),
        manifest_sha256: Sha256::of(b"manifest"),
        sha256: Sha256::of(b"file"),
        size: 4,
        pod: "me".into(),
        ended_pods: vec!["dead".into()],
    }
}

fn claim(run: &str, pod: &str) -> Claim {
    Claim {
        version: VERSION,
        run: run.into(),
        manifest_sha256: Sha256::of(b"manifest"),
        sha256: Sha256::of(b"file"),
        size: 4,
        pod: pod.into(),
        attempt: 1,
        released: false,
    }
}

/// The name was claimed and given back.
fn given_back(run: &str, pod: &str) -> Vec<Claim> {
    let mut released = claim(run, pod);
    released.released = true;
    vec![claim(run, pod), released]
}

fn committing(pod: &str) -> Committing {
    Committing {
        version: VERSION,
        run: "run".into(),
        pod: pod.into(),
        temporary: format!(".f.{pod}"),
        last: "/in/f".into(),
        size: 4,
        sha256: Sha256::of(b"file"),
    }
}

fn receipt(run: &str) -> Receipt {
    Receipt {
        version: VERSION,
        run: run.into(),
        manifest_sha256: Sha256::of(b"manifest"),
        pod: "dead".into(),
        attempt: 1,
        destination: "d".into(),
        remote: "/in/f".into(),
        size: 4,
        sha256: Sha256::of(b"file"),
        verified: Verify::SizeAndHash,
        at: "2026-03-02T00:00:00Z".into(),
    }
}

fn at(last: Lies, temporary: Lies) -> Option<Remote> {
    Some(Remote { last, temporary })
}

#[test]
fn every_row() {
    let mine = || vec![claim("run", "me")];
    let taken_over = || vec![claim("run", "dead"), claim("run", "me")];
    let claimed = |run: &str| Step::Refuse(Refusal::NameClaimed { run: run.into() });
    let held = |pod: &str| Step::Refuse(Refusal::ClaimHeld { pod: pod.into() });
    let none = Seen::default;
    let mut other_manifest = claim("run", "dead");
    other_manifest.manifest_sha256 = Sha256::of(b"another");
    let mut other_file = committing("dead");
    other_file.sha256 = Sha256::of(b"another");
    let mut other_run = committing("x");
    other_run.run = "other".into();
    let rows = [
        // receipt
        (
            "a receipt ends it, whoever wrote it",
            Seen {
                receipt: Some(receipt("run")),
                committing: Some(committing("dead")),
                claims: taken_over(),
                ..none()
            },
            Step::Done,
        ),
        (
            "also when told to stop",
            Seen {
                receipt: Some(receipt("run")),
                claims: mine(),
                stop: true,
                ..none()
            },
            Step::Done,
        ),
        (
            "a receipt of another run",
            Seen {
                receipt: Some(receipt("other")),
                ..none()
            },
            claimed("other"),
        ),
        // claims of others
        (
            "a claim of another run",
            Seen {
                claims: vec![claim("other", "dead")],
                ..none()
            },
            claimed("other"),
        ),
        (
            "a claim of another manifest",
            Seen {
                claims: vec![other_manifest],
                ..none()
            },
            claimed("run"),
        ),
        (
            "a living pod",
            Seen {
                claims: vec![claim("run", "alive")],
                ..none()
            },
            held("alive"),
        ),
        (
            "a living pod that took over from me",
            Seen {
                claims: vec![claim("run", "me"), claim("run", "alive")],
                remote: at(NOTHING, Lies::Right),
                uploaded: true,
                ..none()
            },
            held("alive"),
        ),
        (
            "a living pod, told to stop",
            Seen {
                claims: vec![claim("run", "alive")],
                stop: true,
                ..none()
            },
            held("alive"),
        ),
        (
            "a dead pod",
            Seen {
                claims: vec![claim("run", "dead")],
                ..none()
            },
            Step::Claim { number: 2 },
        ),
        (
            "a dead pod, told to stop",
            Seen {
                claims: vec![claim("run", "dead")],
                stop: true,
                ..none()
            },
            Step::Stop,
        ),
        (
            "a dead pod that may have renamed, told to stop: the truth is worth more",
            Seen {
                claims: vec![claim("run", "dead")],
                committing: Some(committing("dead")),
                stop: true,
                ..none()
            },
            Step::Claim { number: 2 },
        ),
        // no claim
        ("the first look", none(), Step::Look),
        ("told to stop before anything", Seen { stop: true, ..none() }, Step::Stop),
        (
            "a free name",
            Seen {
                remote: at(NOTHING, NOTHING),
                ..none()
            },
            Step::Claim { number: 1 },
        ),
        (
            "a foreign file",
            Seen {
                remote: at(Lies::Wrong, NOTHING),
                ..none()
            },
            Step::Refuse(Refusal::NameTaken),
        ),
        (
            "the same bytes, but not by this run",
            Seen {
                remote: at(Lies::Right, NOTHING),
                ..none()
            },
            Step::Refuse(Refusal::NameTaken),
        ),
        (
            "committing without a claim",
            Seen {
                committing: Some(committing("dead")),
                ..none()
            },
            Step::Unknown,
        ),
        // names that were given back
        (
            "another run gave the name back",
            Seen {
                claims: given_back("other", "alive"),
                ..none()
            },
            Step::Look,
        ),
        (
            "another run gave the name back, looked",
            Seen {
                claims: given_back("other", "alive"),
                remote: at(NOTHING, NOTHING),
                ..none()
            },
            Step::Claim { number: 3 },
        ),
        (
            "I gave the name back",
            Seen {
                claims: given_back("run", "me"),
                remote: at(NOTHING, NOTHING),
                uploaded: true,
                ..none()
            },
            Step::Claim { number: 3 },
        ),
        (
            "a third run took the name that was given back",
            Seen {
                claims: [given_back("other", "alive"), vec![claim("third", "alive")]].concat(),
                ..none()
            },
            claimed("third"),
        ),
        (
            "mine, after another run gave it back",
            Seen {
                claims: [given_back("other", "alive"), mine()].concat(),
                remote: at(NOTHING, NOTHING),
                ..none()
            },
            Step::Upload,
        ),
        (
            "given back, and committing: nobody does both",
            Seen {
                claims: given_back("other", "alive"),
                committing: Some(committing("alive")),
                ..none()
            },
            Step::Unknown,
        ),
        // own claim, nothing committed
        (
            "own claim, told to stop while nobody knows whether committing stands",
            Seen {
                claims: mine(),
                uploaded: true,
                commit_asked: true,
                stop: true,
                ..none()
            },
            Step::Leave,
        ),
        ("own claim", Seen { claims: mine(), ..none() }, Step::Look),
        (
            "own claim, looked",
            Seen {
                claims: mine(),
                remote: at(NOTHING, NOTHING),
                ..none()
            },
            Step::Upload,
        ),
        (
            "taken over, looked",
            Seen {
                claims: taken_over(),
                remote: at(NOTHING, NOTHING),
                ..none()
            },
            Step::Upload,
        ),
        (
            "uploaded",
            Seen {
                claims: mine(),
                remote: at(NOTHING, Lies::Right),
                uploaded: true,
                ..none()
            },
            Step::Commit,
        ),
        (
            "a foreign file came meanwhile",
            Seen {
                claims: mine(),
                remote: at(Lies::Wrong, Lies::Right),
                uploaded: true,
                ..none()
            },
            Step::Refuse(Refusal::NameTaken),
        ),
        (
            "told to stop when uploaded",
            Seen {
                claims: mine(),
                remote: at(NOTHING, Lies::Right),
                uploaded: true,
                stop: true,
                ..none()
            },
            Step::Stop,
        ),
        // own claim, committed
        (
            "committed",
            Seen {
                claims: mine(),
                committing: Some(committing("me")),
                remote: at(NOTHING, Lies::Right),
                uploaded: true,
                ..none()
            },
            Step::Rename,
        ),
        (
            "committed, told to stop",
            Seen {
                claims: mine(),
                committing: Some(committing("me")),
                remote: at(NOTHING, Lies::Right),
                stop: true,
                ..none()
            },
            Step::Rename,
        ),
        (
            "taken over after committing",
            Seen {
                claims: taken_over(),
                committing: Some(committing("dead")),
                ..none()
            },
            Step::Look,
        ),
        (
            "it had been renamed",
            Seen {
                claims: taken_over(),
                committing: Some(committing("dead")),
                remote: at(Lies::Right, NOTHING),
                ..none()
            },
            Step::WriteReceipt { remove_temporary: false },
        ),
        (
            "it had been linked and not unlinked",
            Seen {
                claims: taken_over(),
                committing: Some(committing("dead")),
                remote: at(Lies::Right, Lies::Right),
                ..none()
            },
            Step::WriteReceipt { remove_temporary: true },
        ),
        (
            "it had not been renamed",
            Seen {
                claims: taken_over(),
                committing: Some(committing("dead")),
                remote: at(NOTHING, Lies::Right),
                ..none()
            },
            Step::Rename,
        ),
        (
            "the receiver lost bytes",
            Seen {
                claims: taken_over(),
                committing: Some(committing("dead")),
                remote: at(NOTHING, Lies::Wrong),
                ..none()
            },
            Step::Upload,
        ),
        (
            "both gone",
            Seen {
                claims: taken_over(),
                committing: Some(committing("dead")),
                remote: at(NOTHING, NOTHING),
                ..none()
            },
            Step::Unknown,
        ),
        (
            "both gone, though uploaded here",
            Seen {
                claims: mine(),
                committing: Some(committing("me")),
                remote: at(NOTHING, NOTHING),
                uploaded: true,
                ..none()
            },
            Step::Unknown,
        ),
        (
            "another file took the name first",
            Seen {
                claims: mine(),
                committing: Some(committing("me")),
                remote: at(Lies::Wrong, Lies::Right),
                ..none()
            },
            Step::Refuse(Refusal::NameTaken),
        ),
        (
            "another file lies there afterwards",
            Seen {
                claims: mine(),
                committing: Some(committing("me")),
                remote: at(Lies::Wrong, NOTHING),
                ..none()
            },
            Step::Unknown,
        ),
        (
            "committing of other bytes",
            Seen {
                claims: mine(),
                committing: Some(other_file),
                remote: at(NOTHING, Lies::Right),
                ..none()
            },
            Step::Unknown,
        ),
        (
            "committing of another run, though it gave the name back and the bytes are the same",
            Seen {
                claims: [given_back("other", "x"), mine()].concat(),
                committing: Some(other_run),
                remote: at(NOTHING, Lies::Right),
                ..none()
            },
            Step::Unknown,
        ),
    ];
    for (row, seen, step) in rows {
        assert_eq!(decide(&me(), &seen), step, "{row}");
    }
}
