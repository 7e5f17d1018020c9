//! The protocol of a delivery: what was seen → what is done next. Pure; the table test below has a line for every row.
//!
//! | seen, in this order | step |
//! |---|---|
//! | receipt of this run's file | Done |
//! | receipt or claim of another run | Refuse: NameClaimed; a claim that was given back does not count, nor do those before it |
//! | committing, and no claim | Unknown: somebody removed what the store must keep |
//! | no claim | Stop when told to; else look, refuse a name that is taken, Claim the next number |
//! | another pod's claim | Refuse: ClaimHeld, unless that pod was seen to end: then Claim the next number |
//! | own claim, no committing | Stop when told to (Leave, if a committing may stand); else look, refuse a name that is taken, Upload, then Commit |
//! | own claim, committing of another run or of other bytes | Unknown |
//! | own claim, committing, the file lies there | WriteReceipt |
//! | own claim, committing, the temporary file lies there | Rename, or Upload again if it is not whole |
//! | own claim, committing, neither lies there | Unknown: it is never sent again |
//!
//! A holder that fails or is stopped before it asks for `committing` gives the name back: a run that was cancelled, or that
//! met a directory that was not there, must not keep the name from the run that comes after it. Only the holder does that,
//! as the last thing it does.
//!
//! `committing` is written only by the holder of the highest claim and before its rename; a pod that ended renames no
//! more. So while there is no `committing`, nothing of this run can be visible, and while there is, nobody sends again
//! unless the temporary file still proves that the rename did not take place.
//!
//! One hole is the receiver's: a server that renames with `link` and `unlink` and is killed between the two, and a
//! receiver that takes the new name away before anybody looks, leave what a rename that never began leaves. Such a file is
//! renamed once more.

use openreg_plan::digest::Sha256;

use super::record::{Claim, Committing, Receipt};

/// Who decides, about which file.
#[derive(Clone, Debug)]
pub(super) struct Me {
    pub(super) run: String,
    pub(super) manifest_sha256: Sha256,
    pub(super) sha256: Sha256,
    pub(super) size: u64,
    pub(super) pod: String,
    /// UIDs of pods that were seen to end.
    pub(super) ended_pods: Vec<String>,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) receipt: Option<Receipt>,
    pub(super) committing: Option<Committing>,
    /// In the order of their numbers, from 1.
    pub(super) claims: Vec<Claim>,
    /// What lies at the receiver; `None` until somebody looked.
    pub(super) remote: Option<Remote>,
    /// This process uploaded the file and compared what lies there.
    pub(super) uploaded: bool,
    /// This process asked for `committing`: it may stand, even if it was not seen.
    pub(super) commit_asked: bool,
    /// Told to stop, or out of time.
    pub(super) stop: bool,
}

impl Seen {
    /// The number of the claim that comes after those that were seen.
    pub(super) fn next_claim(&self) -> u32 {
        u32::try_from(self.claims.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// What lies at the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// Under the final name.
    pub(super) last: Lies,
    /// Under the temporary name: that of `committing`, else this pod's.
    pub(super) temporary: Lies,
}

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    Nothing,
    /// The file, as far as the Destination lets it be compared.
    Right,
    /// Something else.
    Wrong,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the receipt is there.
    Done,
    /// Nothing: it must not be done.
    Refuse(Refusal),
    /// Nothing: only a person can tell whether the file became visible.
    Unknown,
    /// Stop; remove this pod's temporary file.
    Stop,
    /// Stop; leave the temporary file: without it, a `committing` that stands after all could never be settled.
    Leave,
    /// Look at the receiver.
    Look,
    /// Write the claim of that number.
    Claim { number: u32 },
    /// Send the file to its temporary name and compare.
    Upload,
    /// Write `committing`.
    Commit,
    /// Give the file its final name.
    Rename,
    /// Write the receipt; remove the temporary file if it is there.
    WriteReceipt { remove_temporary: bool },
}

/// Why a file is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another run has, or had, the name.
    NameClaimed { run: String },
    /// Another pod of this run holds the claim, and nobody saw it end.
    ClaimHeld { pod: String },
    /// A file that is not this run's lies under the final name.
    NameTaken,
}

pub(super) fn decide(me: &Me, seen: &Seen) -> Step {
    if let Some(receipt) = &seen.receipt {
        let ours = receipt.run == me.run && receipt.manifest_sha256 == me.manifest_sha256 && receipt.sha256 == me.sha256;
        return if ours {
            Step::Done
        } else {
            Step::Refuse(Refusal::NameClaimed { run: receipt.run.clone() })
        };
    }
    let given_back = seen.claims.iter().rposition(|c| c.released).map_or(0, |last| last + 1);
    let standing = &seen.claims[given_back..];
    let next = seen.next_claim();
    if let Some(other) = standing
        .iter()
        .find(|c| c.run != me.run || c.manifest_sha256 != me.manifest_sha256 || c.sha256 != me.sha256)
    {
        return Step::Refuse(Refusal::NameClaimed { run: other.run.clone() });
    }
    let Some(holder) = standing.last() else {
        return match (&seen.committing, seen.stop, seen.remote) {
            (Some(_), ..) => Step::Unknown,
            (None, true, _) => Step::Stop,
            (None, false, None) => Step::Look,
            (None, false, Some(Remote { last: Lies::Nothing, .. })) => Step::Claim { number: next },
            (None, false, Some(_)) => Step::Refuse(Refusal::NameTaken),
        };
    };
    if holder.pod != me.pod {
        if !me.ended_pods.contains(&holder.pod) {
            return Step::Refuse(Refusal::ClaimHeld { pod: holder.pod.clone() });
        }
        if seen.stop && seen.committing.is_none() {
            return Step::Stop;
        }
        return Step::Claim { number: next };
    }
    match &seen.committing {
        None => before_commit(seen),
        Some(committing) => after_commit(me, committing, seen.remote),
    }
}

/// Own claim, nothing committed: nothing of this run is visible.
fn before_commit(seen: &Seen) -> Step {
    match seen.remote {
        _ if seen.stop && seen.commit_asked => Step::Leave,
        _ if seen.stop => Step::Stop,
        None => Step::Look,
        Some(Remote {
            last: Lies::Right | Lies::Wrong,
            ..
        }) => Step::Refuse(Refusal::NameTaken),
        Some(_) if seen.uploaded => Step::Commit,
        Some(_) => Step::Upload,
    }
}

/// Own claim, and the rename may have taken place.
fn after_commit(me: &Me, committing: &Committing, remote: Option<Remote>) -> Step {
    // Another run's rename is not adopted, not even of the same bytes: it would prove a delivery that was not this run's.
    if committing.run != me.run || committing.sha256 != me.sha256 || committing.size != me.size {
        return Step::Unknown;
    }
    let Some(remote) = remote else { return Step::Look };
    match (remote.last, remote.temporary) {
        (Lies::Right, temporary) => Step::WriteReceipt {
            remove_temporary: temporary != Lies::Nothing,
        },
        (Lies::Nothing, Lies::Right) => Step::Rename,
        (Lies::Nothing, Lies::Wrong) => Step::Upload,
        // Both is no rename: somebody else's file took the name.
        (Lies::Wrong, Lies::Right | Lies::Wrong) => Step::Refuse(Refusal::NameTaken),
        (Lies::Nothing | Lies::Wrong, Lies::Nothing) => Step::Unknown,
    }
}
