import { useParams } from 'react-router'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Page, Skeleton } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { bytes, count, duration, period, words } from '@/lib/format'
import { isOver } from '@/lib/status'
import { Artifacts } from './Artifacts'
import { CancelRun } from './CancelRun'
import { Deliveries } from './Deliveries'
import { Flow } from './Flow'
import { Proof } from './Proof'
import { Elapsed, RunState } from './RunState'
import { Trouble } from './Trouble'
import { Violations } from './Violations'
import { useRun } from './api'
import { inOrder, timeline } from './timeline'

/** One run: how far it came, what it counted, what it made and where that went. */
export function RunPage() {
  const { id = '' } = useParams()
  const query = useRun(id)
  if (query.isPending) {
    return (
      <Page title="Run" subtitle={id}>
        <Skeleton what="the run" heights={['h-16', 'h-64', 'h-32', 'h-32']} />
      </Page>
    )
  }
  if (query.data === undefined) {
    return (
      <Page title="Run" subtitle={id}>
        <Problem title="Could not load the run" error={query.error} retry={() => void query.refetch()} />
      </Page>
    )
  }
  const detail = query.data
  const { run } = detail
  const over = isOver(run)
  const number = (n: number | undefined) => (n === undefined ? '–' : count(n))
  return (
    <Page
      title={run.name}
      subtitle={
        <>
          {run.report} {run.version} for {period(run.period.start, run.period.end)}
        </>
      }
      actions={
        <div className="flex items-center gap-3">
          <span className="text-sm text-soft">
            {over ? 'took' : 'for'} <Elapsed run={run} />
          </span>
          <span aria-live="polite">
            <RunState run={run} />
          </span>
          {!over && !detail.cancelled && <CancelRun id={run.id} />}
        </div>
      }
    >
      {query.isError && <Problem title="Could not bring the run up to date: this is how it was" error={query.error} retry={() => void query.refetch()} />}
      <Trouble detail={detail} over={over} />
      <Flow steps={timeline(detail)} />
      <div className="grid gap-5 lg:grid-cols-2">
        <Card title="Counts">
          <dl className="grid grid-cols-2 gap-x-6 gap-y-2 text-sm sm:grid-cols-3">
            <Figure label="Rows read" value={number(run.counts?.read)} />
            <Figure label="Reported" value={number(run.counts?.reported)} />
            <Figure label="Excluded" value={number(run.counts?.excluded)} />
            <Figure label="Violations" value={number(run.counts?.violations)} />
            <Figure label="Files" value={number(run.counts?.artifacts)} />
            <Figure label="Bytes" value={run.counts ? bytes(run.counts.bytes) : '–'} />
            <Figure label="Generated in" value={detail.usage ? duration(detail.usage.durationMs) : '–'} />
            <Figure label="Peak memory" value={detail.usage ? bytes(detail.usage.vmHwmBytes) : '–'} />
            <Figure label="Generate attempt" value={detail.attempt ? String(detail.attempt.number) : '–'} />
          </dl>
        </Card>
        <Proof detail={detail} />
      </div>
      {detail.datasets.length > 1 && (
        <Card title="Datasets" flush>
          <Table
            caption="Datasets"
            rows={detail.datasets}
            rowKey={(d) => d.dataset}
            empty=""
            columns={[
              { head: 'Dataset', cell: (d) => d.dataset },
              { head: 'Read', numeric: true, cell: (d) => count(d.read) },
              { head: 'Reported', numeric: true, cell: (d) => count(d.reported) },
              { head: 'Excluded', numeric: true, cell: (d) => count(d.excluded) },
              { head: 'Dropped', numeric: true, cell: (d) => count(d.dropped) },
            ]}
          />
        </Card>
      )}
      <Artifacts detail={detail} over={over} />
      <Deliveries detail={detail} over={over} />
      <Violations run={run.id} rules={detail.rules} total={run.counts?.violations} over={over} />
      <Card title="Conditions" flush>
        <Table
          caption="Conditions"
          rows={inOrder(detail.conditions)}
          rowKey={(c) => c.type}
          empty="The operator has not seen this run yet."
          columns={[
            { head: 'Condition', cell: (c) => c.type },
            // Whether True is good depends on the reason: a failed run is complete, too. The steps above say it.
            { head: 'Status', cell: (c) => <Badge tone="idle">{c.status}</Badge> },
            { head: 'Reason', cell: (c) => words(c.reason) },
            { head: 'Message', cell: (c) => <span className="inline-block min-w-48 [overflow-wrap:anywhere]">{c.message}</span> },
            { head: 'Since', cell: (c) => <Time at={c.lastTransitionTime} /> },
          ]}
        />
      </Card>
    </Page>
  )
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt className="text-xs text-soft">{label}</dt>
      <dd className="text-lg font-semibold tabular-nums">{value}</dd>
    </div>
  )
}
