import { useParams } from 'react-router'
import { Badge, toneOf } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Loading, Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { bytes, count, duration, period, words } from '@/lib/format'
import { Artifacts } from './Artifacts'
import { CancelRun } from './CancelRun'
import { Flow } from './Flow'
import { RunState } from './RunsPage'
import { Violations } from './Violations'
import { useRun } from './api'

/** One run: how far it came, what it counted, what it made and where that went. */
export function RunPage() {
  const { id = '' } = useParams()
  const query = useRun(id)
  if (query.isPending) return <Loading what="the run" />
  if (query.isError) return <Page title="Run">{<Problem title={query.error.message} retry={() => void query.refetch()} />}</Page>
  const detail = query.data
  const { run } = detail
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
          <RunState run={run} />
          {run.finishedAt === undefined || run.finishedAt === null ? <CancelRun id={run.id} /> : null}
        </div>
      }
    >
      {run.failure && (
        <div role="alert" className="rounded-lg border border-line bg-bad-soft px-4 py-3 text-sm text-bad">
          <p className="font-semibold">
            {run.failure.code} while {run.failure.stage.toLowerCase()}ing ({run.failure.class})
          </p>
          <p className="mt-1">{run.failure.message}</p>
          {run.failure.hint && <p className="mt-1 font-medium">What to do: {run.failure.hint}</p>}
        </div>
      )}
      <Flow conditions={detail.conditions} />
      <div className="grid gap-5 lg:grid-cols-2">
        <Card title="Counts">
          <dl className="grid grid-cols-2 gap-x-6 gap-y-2 text-sm sm:grid-cols-3">
            <Figure label="Rows read" value={run.counts ? count(run.counts.read) : '–'} />
            <Figure label="Reported" value={run.counts ? count(run.counts.reported) : '–'} />
            <Figure label="Excluded" value={run.counts ? count(run.counts.excluded) : '–'} />
            <Figure label="Violations" value={run.counts ? count(run.counts.violations) : '–'} />
            <Figure label="Files" value={run.counts ? count(run.counts.artifacts) : '–'} />
            <Figure label="Bytes" value={run.counts ? bytes(run.counts.bytes) : '–'} />
            <Figure label="Took" value={detail.usage ? duration(detail.usage.durationMs) : '–'} />
            <Figure label="Peak memory" value={detail.usage ? bytes(detail.usage.vmHwmBytes) : '–'} />
            <Figure label="Attempt" value={detail.attempt ? String(detail.attempt.number) : '–'} />
          </dl>
        </Card>
        <Card title="Proof">
          <dl className="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-2 text-sm">
            <dt className="text-soft">Run id</dt>
            <dd className="font-mono text-xs">{run.id}</dd>
            <dt className="text-soft">Plan SHA-256</dt>
            <dd>{detail.planSha256 ? <Digest value={detail.planSha256} /> : '–'}</dd>
            <dt className="text-soft">Manifest SHA-256</dt>
            <dd>{detail.manifest ? <Digest value={detail.manifest.sha256} /> : '–'}</dd>
            <dt className="text-soft">Started by</dt>
            <dd>{detail.scheduled ? `schedule ${detail.scheduled.schedule}` : (run.requestedBy ?? run.trigger)}</dd>
            <dt className="text-soft">Started</dt>
            <dd>
              <Time at={run.startedAt} />
            </dd>
            <dt className="text-soft">Ended</dt>
            <dd>
              <Time at={run.finishedAt} />
            </dd>
          </dl>
        </Card>
      </div>
      <Artifacts run={run.id} artifacts={detail.artifacts} />
      <Card title="Deliveries" flush>
        <Table
          caption="Deliveries"
          rows={detail.deliveries}
          rowKey={(d) => d.destination}
          empty="This run delivers nowhere, or has not come that far."
          columns={[
            { head: 'Destination', cell: (d) => d.destination },
            { head: 'State', cell: (d) => <Badge tone={toneOf(d.state)}>{d.state}</Badge> },
            { head: 'File at the receiver', cell: (d) => <span className="font-mono text-xs break-all">{d.remote ?? '–'}</span> },
            { head: 'Receipt', cell: (d) => (d.receiptSha256 ? <Digest value={d.receiptSha256} /> : '–') },
            { head: 'Attempts', numeric: true, cell: (d) => d.attempts },
            { head: 'Ended', cell: (d) => <Time at={d.finishedAt} /> },
            { head: 'Why', cell: (d) => (d.failure ? `${d.failure.code}: ${d.failure.message}` : '') },
          ]}
        />
      </Card>
      <Violations run={run.id} rules={detail.rules} total={run.counts?.violations ?? 0} />
      <Card title="Conditions" flush>
        <Table
          caption="Conditions"
          rows={detail.conditions}
          rowKey={(c) => c.type}
          empty="The operator has not seen this run yet."
          columns={[
            { head: 'Condition', cell: (c) => c.type },
            { head: 'Status', cell: (c) => <Badge tone={c.status === 'True' ? 'good' : 'idle'}>{c.status}</Badge> },
            { head: 'Reason', cell: (c) => words(c.reason) },
            { head: 'Message', cell: (c) => <span className="break-all">{c.message}</span> },
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
