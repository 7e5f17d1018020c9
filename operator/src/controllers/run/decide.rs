//! What is to be done next about a run: the whole state machine, and nowhere else. Pure. The order of the rows is the order in
//! [`decide`]; terminal comes first, so that nothing in the environment can overwrite a finished record.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use openreg_crds::common::condition;
use openreg_crds::report_run::{RunFailure, RunOutcome};
use openreg_parts::error::Class;

use super::account::account;
use super::ending::{concluded, stop};
use super::facts::{Facts, Plan, Setback, Work, is_condemned, is_open, works};
use super::launch::Launch;
use super::observe::{Seen, after, is_alive, not_ending, observe, own_job, why_not_started};
use super::outcome::{End, failure};
use super::planning::{self, Planned};

/// How long a run waits for something that is missing before it is rejected.
pub const RESOLVE_DEADLINE: SignedDuration = SignedDuration::from_hours(1);
/// How long after an unclear look the next one is taken; watches normally bring the news earlier.
const LOOK_AGAIN: u64 = 2;
/// The same while a pod is ending: its grace period is 30 or 90 s, and after the loss of a node it may take hours.
pub const STOPPING_LOOK: u64 = 10;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The run is complete.
    Rest,
    /// The run is complete and its history is stored: remove its plan, of which the digest stays in the status.
    RemovePlan {
        /// UID of the ConfigMap.
        uid: String,
    },
    /// Nothing, until something changes or the moment comes.
    Wait {
        /// What the run's status says meanwhile.
        note: Option<Note>,
        /// The moment.
        wake: Option<Timestamp>,
    },
    /// End the run: no plan can be made.
    Reject(RunFailure),
    /// Write the plan.
    WritePlan(Box<planning::Prepared>),
    /// Make the Job of an attempt.
    StartJob {
        /// What it does.
        work: Work,
        /// Number of the attempt.
        number: u32,
    },
    /// Write down a Job that was made before the status could say so.
    AdoptJob {
        /// What it does.
        work: Work,
        /// Number of the attempt.
        number: u32,
        /// Its UID.
        uid: String,
    },
    /// Write down why an attempt could not start; its Job is then removed.
    Condemn {
        /// What it does.
        work: Work,
        /// Why.
        failure: RunFailure,
    },
    /// Stop a Job.
    Stop(Target),
    /// Write down how a Job ended, and with it the run's end if that was the last thing to do.
    Account {
        /// What it did.
        work: Work,
        /// How it ended.
        end: Box<End>,
        /// How the run ends.
        finish: Option<RunOutcome>,
    },
    /// End the run.
    Finish {
        /// How.
        outcome: RunOutcome,
        /// Why, if something failed that the status does not tell yet.
        failure: Option<RunFailure>,
    },
}

/// What is deleted to stop a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Its pod, gracefully: the program gets SIGTERM, and the Job fails because it may not replace the pod.
    Pod {
        /// Name.
        name: String,
        /// UID.
        uid: String,
    },
    /// The Job itself.
    Job {
        /// Name.
        name: String,
        /// UID.
        uid: String,
    },
}

/// What a waiting run's status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which condition says it.
    pub condition: &'static str,
    /// One CamelCase word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// What is to be done next.
pub fn decide(facts: &Facts) -> Step {
    if condition::is_true(&facts.status.conditions, "Complete") {
        return facts.spent_plan.clone().map_or(Step::Rest, |uid| Step::RemovePlan { uid });
    }
    if let Some(step) = ended(facts).or_else(|| unrecorded(facts)) {
        return step;
    }
    if facts.stopping() {
        return stop(facts, None);
    }
    if let Some(setback) = &facts.setback {
        return set_back(facts, setback);
    }
    match &facts.plan {
        Plan::Unwritten => plan(facts),
        Plan::Gone => stop(
            facts,
            Some(failure(
                "Plan",
                Class::Config,
                "PlanLost",
                format!("the ConfigMap {}-plan was deleted or replaced while the run was under way", facts.name()),
                Some("start the run again"),
            )),
        ),
        Plan::Written(launch) if facts.status.manifest.is_some() => deliver(facts, launch),
        Plan::Written(launch) => generate(facts, launch),
    }
}

/// The first Job whose end is not accounted for.
fn ended(facts: &Facts) -> Option<Step> {
    works(&facts.status).into_iter().find_map(|work| {
        let attempt = work.attempt(&facts.status).filter(|a| is_open(a))?;
        match observe(facts, work, attempt) {
            Seen::Over(end) => {
                let next = account(facts, work, &end);
                let finish = if facts.stopping() { None } else { concluded(facts, &next) };
                Some(Step::Account { work, end, finish })
            }
            _ => None,
        }
    })
}

/// A Job that was made before a crash, so that the status does not name it.
fn unrecorded(facts: &Facts) -> Option<Step> {
    works(&facts.status).into_iter().find_map(|work| {
        if work.attempt(&facts.status).is_some_and(is_open) {
            return None;
        }
        let number = work.next(&facts.status);
        let job = facts.jobs.get(&work.job_name(&facts.name(), number))?;
        super::build::is_ours(job.as_ref(), &facts.run).then(|| Step::AdoptJob {
            work,
            number,
            uid: job.uid().unwrap_or_default(),
        })
    })
}

fn set_back(facts: &Facts, setback: &Setback) -> Step {
    match setback {
        Setback::Foreign { object } => {
            let code = if facts.plan == Plan::Unwritten { "PlanConflict" } else { "JobConflict" };
            let why = failure(
                "Plan",
                Class::Config,
                code,
                format!("{object} exists already and does not belong to this run"),
                Some("delete it, then start the run again"),
            );
            if facts.plan == Plan::Unwritten {
                Step::Reject(why)
            } else {
                stop(facts, Some(why))
            }
        }
        Setback::Refused { object, message } => {
            let text = format!("could not create {object}: {message}");
            if facts.now >= plus(last_progress(facts), RESOLVE_DEADLINE) {
                let why = failure(
                    "Start",
                    Class::Config,
                    "Refused",
                    text,
                    Some("give the operator its RoleBinding in this namespace, or raise the namespace's quota"),
                );
                return if facts.plan == Plan::Unwritten {
                    Step::Reject(why)
                } else {
                    stop(facts, Some(why))
                };
            }
            Step::Wait {
                note: Some(Note {
                    condition: "Started",
                    reason: "Refused",
                    message: text,
                }),
                wake: Some(after(facts.now, 30)),
            }
        }
    }
}

/// The last moment at which this run got on.
fn last_progress(facts: &Facts) -> Timestamp {
    let attempts = works(&facts.status)
        .into_iter()
        .filter_map(|w| w.attempt(&facts.status))
        .flat_map(|a| [a.started_at.as_ref(), a.next_at.as_ref()]);
    let conditions = facts
        .status
        .conditions
        .iter()
        .filter(|c| c.type_ == "Resolved" || c.type_ == "Generated")
        .map(|c| Some(&c.last_transition_time));
    let moments = attempts.chain(conditions).flatten().map(|t| t.0);
    moments.fold(created(facts), Timestamp::max)
}

fn created(facts: &Facts) -> Timestamp {
    facts.run.metadata.creation_timestamp.as_ref().map_or(facts.now, |t| t.0)
}

fn plus(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// No plan yet.
fn plan(facts: &Facts) -> Step {
    match planning::plan(facts) {
        Planned::Ready(prepared) => Step::WritePlan(prepared),
        Planned::Wrong(why) => Step::Reject(why),
        Planned::Missing(words) => {
            let deadline = plus(created(facts), RESOLVE_DEADLINE);
            if facts.now >= deadline {
                let hint = "create or mend what is named, then start the run again";
                return Step::Reject(failure("Plan", Class::Config, "ReferenceMissing", format!("waited 1 h: {words}"), Some(hint)));
            }
            Step::Wait {
                note: Some(Note {
                    condition: "Resolved",
                    reason: "Waiting",
                    message: words,
                }),
                wake: Some(deadline),
            }
        }
    }
}

/// A plan, and no files yet.
fn generate(facts: &Facts, _launch: &Launch) -> Step {
    let Some(attempt) = &facts.status.generate else {
        return Step::StartJob {
            work: Work::Generate,
            number: 1,
        };
    };
    if is_open(attempt) {
        return watch(facts, Work::Generate).unwrap_or_else(|wake| Step::Wait {
            note: not_ending(facts, attempt),
            wake,
        });
    }
    match &attempt.next_at {
        None => Step::Finish {
            outcome: RunOutcome::Failed,
            failure: None,
        },
        Some(at) if facts.now >= at.0 => Step::StartJob {
            work: Work::Generate,
            number: attempt.number + 1,
        },
        Some(at) => Step::Wait { note: None, wake: Some(at.0) },
    }
}

/// Files are sealed: each destination gets them.
fn deliver(facts: &Facts, launch: &Launch) -> Step {
    let mut wakes = Vec::new();
    let mut note = None;
    for (index, delivery) in facts.status.deliveries.iter().enumerate().filter(|(_, d)| d.finished_at.is_none()) {
        let work = Work::Deliver(index);
        if let Some(attempt) = delivery.attempt.as_ref().filter(|a| is_open(a)) {
            match watch(facts, work) {
                Ok(step) => return step,
                Err(wake) => wakes.extend(wake),
            }
            note = note.or_else(|| not_ending(facts, attempt));
            continue;
        }
        if let Some(at) = delivery.attempt.as_ref().and_then(|a| a.next_at.as_ref()).filter(|at| facts.now < at.0) {
            wakes.push(at.0);
            continue;
        }
        let name = launch.destinations.get(index).map_or("", |d| d.name.as_str());
        match facts.destinations.get(name) {
            Some(d) if d.spec.suspend == Some(true) => {
                note = Some(Note {
                    condition: "Delivered",
                    reason: "Suspended",
                    message: format!("Destination {name} is suspended: the delivery waits"),
                })
            }
            // The plan says all that a delivery needs, but a freeze can only be seen on the object itself.
            None => {
                note = Some(Note {
                    condition: "Delivered",
                    reason: "Waiting",
                    message: format!("Destination {name} does not exist any more: the delivery waits; cancel the run or create it again"),
                })
            }
            Some(_) => {
                return Step::StartJob {
                    work,
                    number: work.next(&facts.status),
                };
            }
        }
    }
    if let Some(outcome) = concluded(facts, &facts.status) {
        return Step::Finish { outcome, failure: None };
    }
    if let Some(note) = note.as_ref().filter(|n| n.reason == "Waiting") {
        let deadline = plus(last_progress(facts), RESOLVE_DEADLINE);
        if facts.now < deadline {
            wakes.push(deadline);
        } else if wakes.is_empty() {
            return stop(
                facts,
                Some(failure(
                    "Deliver",
                    Class::Config,
                    "DestinationMissing",
                    note.message.clone(),
                    Some("start the run again"),
                )),
            );
        }
        // Else another delivery is still under way: what it brings is the next look, and not a moment that is past.
    }
    Step::Wait {
        note,
        wake: wakes.into_iter().min(),
    }
}

/// A Job under way: what is to be done about it, or when to look again.
fn watch(facts: &Facts, work: Work) -> Result<Step, Option<Timestamp>> {
    let Some(attempt) = work.attempt(&facts.status) else { return Err(None) };
    if is_condemned(attempt) {
        return match own_job(facts, attempt) {
            Some(job) if job.metadata.deletion_timestamp.is_none() => Ok(Step::Stop(Target::Job {
                name: job.name_any(),
                uid: job.uid().unwrap_or_default(),
            })),
            _ => Err(Some(after(facts.now, STOPPING_LOOK))),
        };
    }
    match observe(facts, work, attempt) {
        Seen::Starting(deadline) if facts.now >= deadline => Ok(Step::Condemn {
            work,
            failure: why_not_started(facts, attempt),
        }),
        Seen::Starting(deadline) => Err(Some(deadline)),
        // Also while the Job has no word for it: it replaces no pod before that one has ended.
        Seen::Running | Seen::Ending if is_alive(facts, attempt) => Err(Some(after(facts.now, STOPPING_LOOK))),
        // The Job's own deadline is the backstop; this look is for a watch that fell silent.
        Seen::Running => Err(facts
            .stage(work)
            .map(|s| after(facts.now, s.timeout_seconds + super::build::job::BACKSTOP_SECONDS))),
        Seen::Ending | Seen::Over(_) => Err(Some(after(facts.now, LOOK_AGAIN))),
    }
}
