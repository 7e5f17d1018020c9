//! From a plan to the parts that carry it out. Opens the store and the source; decides nothing.

use std::path::Path;
use std::time::Duration;

use arrow_schema::Schema;
use openreg_parts::error::Class;
use openreg_parts::format;
use openreg_parts::rule::{self, OrderCheck, Scratch, Verdict, Violations};
use openreg_parts::secrets::SecretFiles;
use openreg_parts::source::{self, Access, Query, Source};
use openreg_parts::store::Store;
use openreg_parts::transform::mapping::{FieldSource, Mapping};
use openreg_plan::RunPlan;
use openreg_plan::plan::{Dataset, SecretMount};
use openreg_plan::report::Stage;

use crate::attempt::Attempt;
use crate::judge::Limit;
use crate::pipeline::{ActiveRule, Pipeline, plan_invalid};
use crate::stage::StageError;

/// The parts of a run.
pub(crate) struct Parts {
    pub(crate) source: Box<dyn Source>,
    pub(crate) pipeline: Pipeline,
}

/// The store that the plan names.
pub async fn store(plan: &RunPlan) -> Result<Store, StageError> {
    let credentials = plan.store.credentials.as_ref().map(secret);
    Store::open(&plan.store.options, credentials.as_ref(), &plan.store.prefix)
        .await
        .map_err(StageError::at(Stage::Store))
}

/// How long one attempt may take.
pub(crate) fn time_limit(plan: &RunPlan) -> Duration {
    Duration::from_secs(plan.limits.timeout_seconds)
}

/// Connects to the source, starts the query, and builds what comes after it.
pub(crate) async fn parts(plan: &RunPlan, attempt: &Attempt) -> Result<Parts, StageError> {
    let dataset = main_dataset(plan)?;
    let connector = plan
        .connectors
        .get(&dataset.connector)
        .ok_or_else(|| plan_invalid(format!("could not find connector {} in the plan", dataset.connector)))?;
    let credentials = connector.credentials.as_ref().map(secret);
    let access = Access {
        credentials: credentials.as_ref(),
        limits: &connector.limits,
        time_zone: &connector.time_zone,
    };
    let query = Query {
        text: &dataset.query,
        parameters: &dataset.parameters,
        columns: &dataset.columns,
    };
    let source = source::open(&connector.source, access, query).await.map_err(StageError::at(Stage::Read))?;
    let schema = source.schema();
    if let Some(column) = ambiguous(plan, dataset, &schema) {
        let message = format!(
            "could not tell which column {column} is meant: the query of dataset {} gives several of that name",
            dataset.name
        );
        return Err(StageError::plain(Stage::Read, Class::Config, "ColumnAmbiguous", message)
            .with_hint(format!("give each column a name of its own in the query, such as a.{column} AS {column}_a")));
    }

    let order = match dataset.key.as_slice() {
        [] => None,
        key => Some(OrderCheck::new(&dataset.name, &schema, key, connector.source.nulls_first()).map_err(StageError::at(Stage::Check))?),
    };
    // They share the one volume: together they must not fill it, since a pod that does is evicted without a word.
    let spilling = plan.rules.iter().filter(|r| r.rule.verdict(&dataset.key) == Verdict::AtEnd).count() as u64;
    let mut rules = Vec::with_capacity(plan.rules.len());
    for (i, planned) in plan.rules.iter().enumerate() {
        let limit = Limit::new(planned.on_violation, &planned.tolerance).ok_or_else(|| {
            plan_invalid(format!(
                "could not read the tolerance of rule {}: its fraction is not a decimal from 0 to 1",
                planned.id
            ))
        })?;
        if limit.excludes() && planned.rule.verdict(&dataset.key) == Verdict::AtEnd {
            let message = format!("could not exclude rows by rule {}: its verdict comes after the last row", planned.id);
            return Err(StageError::plain(Stage::Plan, Class::Config, "RuleCannotExclude", message)
                .with_hint("let the rule Block or Flag, or order the dataset by the rule's columns and name them as its key"));
        }
        let scratch = Scratch {
            directory: Path::new(&plan.limits.scratch).join(format!("{}-rule-{i}", attempt.pod)),
            bytes: plan.limits.scratch_bytes / spilling.max(1),
        };
        let rule = rule::build(&planned.rule, &schema, &dataset.key, scratch).map_err(StageError::at(Stage::Check))?;
        rules.push(ActiveRule {
            id: planned.id.clone(),
            limit,
            rule,
        });
    }
    let mapping = Mapping::new(&schema, plan.fields.iter().map(|f| (f.to.as_str(), &f.from))).map_err(StageError::at(Stage::Transform))?;
    let encoder = format::encoder(&plan.output, mapping.output()).map_err(StageError::at(Stage::Encode))?;
    let pipeline = Pipeline {
        keys: order.as_ref().map(|o| o.keys().clone()),
        order,
        violations: Violations::new(&dataset.name, rules.len()),
        rules,
        mapping,
        encoder,
        when_empty: plan.file.when_empty,
    };
    Ok(Parts { source, pipeline })
}

/// A column that key, rules, mapping or declared types name and that the query gives more than once: taking the first would
/// put another column's values into the file.
fn ambiguous<'a>(plan: &'a RunPlan, dataset: &'a Dataset, schema: &Schema) -> Option<&'a str> {
    let mapped = plan.fields.iter().filter_map(|field| match &field.from {
        FieldSource::Column(column) => Some(column.as_str()),
        _ => None,
    });
    let key = dataset.key.iter().chain(dataset.columns.keys()).map(String::as_str);
    let ruled = plan.rules.iter().flat_map(|rule| rule.rule.columns());
    key.chain(ruled)
        .chain(mapped)
        .find(|name| schema.fields().iter().filter(|f| f.name() == name).count() > 1)
}

/// The one dataset; more than one wait for joins.
pub(crate) fn main_dataset(plan: &RunPlan) -> Result<&Dataset, StageError> {
    match plan.datasets.as_slice() {
        [one] => Ok(one),
        [] => Err(plan_invalid("could not find a dataset in the plan")),
        _ => Err(StageError::plain(
            Stage::Plan,
            Class::Config,
            "DatasetsUnsupported",
            "could not run the plan: it has more than one dataset",
        )
        .with_hint("write one dataset; joins of datasets are not supported yet")),
    }
}

fn secret(mount: &SecretMount) -> SecretFiles {
    SecretFiles::new(&mount.name, &mount.path)
}
