import { Link, useSearchParams } from 'react-router'
import { Badge, toneOf } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Loading, Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { type Column, Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import type { Schema } from '@/lib/client'
import { count, period } from '@/lib/format'
import { StartRun } from './StartRun'
import { useRuns } from './api'

type Run = Schema['RunSummary']

const COLUMNS: Column<Run>[] = [
  {
    head: 'Run',
    cell: (run) => (
      <Link to={`/runs/${run.id}`} className="font-medium text-accent hover:underline">
        {run.name}
      </Link>
    ),
  },
  {
    head: 'Report',
    cell: (run) => (
      <>
        {run.report} <span className="text-soft">{run.version}</span>
      </>
    ),
  },
  { head: 'Period', cell: (run) => <span className="whitespace-nowrap">{period(run.period.start, run.period.end)}</span> },
  { head: 'State', cell: (run) => <RunState run={run} /> },
  { head: 'Records', numeric: true, cell: (run) => (run.counts ? count(run.counts.reported) : '–') },
  { head: 'Violations', numeric: true, cell: (run) => (run.counts ? count(run.counts.violations) : '–') },
  { head: 'Started by', cell: (run) => run.requestedBy ?? run.trigger },
  { head: 'Created', cell: (run) => <Time at={run.createdAt} /> },
]

export function RunState({ run }: { run: Run }) {
  const word = run.outcome ?? run.phase ?? 'Queued'
  return <Badge tone={toneOf(word)}>{word}</Badge>
}

/** All runs, newest first, live. */
export function RunsPage() {
  const [search, setSearch] = useSearchParams()
  const report = search.get('report') ?? undefined
  const runs = useRuns(report)
  const rows = runs.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page title="Runs" subtitle={report === undefined ? 'What runs, and what became of it. This page follows along by itself.' : `Runs of report ${report}.`} actions={<StartRun report={report} />}>
      {runs.isError && <Problem title={runs.error.message} retry={() => void runs.refetch()} />}
      {report !== undefined && (
        <p className="text-sm">
          <button type="button" className="text-accent underline" onClick={() => setSearch({})}>
            Show the runs of all reports
          </button>
        </p>
      )}
      <Card flush>
        {runs.isPending ? <Loading what="runs" /> : <Table caption="Runs" columns={COLUMNS} rows={rows} rowKey={(run) => run.id} empty="No run yet. A Schedule starts one at its time; you can start one now." />}
      </Card>
      {runs.hasNextPage && (
        <Button onClick={() => void runs.fetchNextPage()} disabled={runs.isFetchingNextPage}>
          Show older runs
        </Button>
      )}
    </Page>
  )
}
