import { Link, useSearchParams } from 'react-router'
import { Badge } from '@/components/ui/Badge'
import { Select } from '@/components/ui/Field'
import { Listing } from '@/components/ui/Listing'
import { Page } from '@/components/ui/Page'
import type { Column } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import type { Schema } from '@/lib/client'
import { count, words } from '@/lib/format'
import { isOver } from '@/lib/status'
import { Elapsed, Period, RunState, starter } from './RunState'
import { StartRun } from './StartRun'
import { useReportNames, useRuns } from './api'
import { useLive } from './live'

const COLUMNS: Column<Schema['RunSummary']>[] = [
  {
    head: 'Run',
    cell: (run) => (
      <>
        <Link to={`/runs/${run.id}`} className="font-medium whitespace-nowrap text-accent hover:underline">
          {run.name}
        </Link>
        <span className="block text-xs whitespace-nowrap text-soft">
          {run.report} {run.version}
        </span>
      </>
    ),
  },
  { head: 'Period', cell: (run) => <Period of={run.period} /> },
  {
    head: 'State',
    cell: (run) => (
      <>
        <RunState run={run} />
        {run.failure && <span className="mt-1 block text-xs text-soft">{words(run.failure.code)}</span>}
      </>
    ),
  },
  { head: 'Records', numeric: true, cell: (run) => (run.counts ? count(run.counts.reported) : '–') },
  { head: 'Violations', numeric: true, cell: (run) => (run.counts ? count(run.counts.violations) : '–') },
  {
    head: 'Started',
    cell: (run) => (
      <>
        <Time at={run.createdAt} />
        <span className="block text-xs text-soft">
          by {starter(run)}, {isOver(run) ? 'took' : 'for'} <Elapsed run={run} />
        </span>
      </>
    ),
  },
]

const OUTCOMES = ['Delivered', 'DeliveredWithExclusions', 'Generated', 'NothingToReport', 'DataRejected', 'Rejected', 'Failed', 'Cancelled', 'NotDelivered', 'Unknown']

/** All runs, newest first, live. */
export function RunsPage() {
  const [search, setSearch] = useSearchParams()
  const report = search.get('report') ?? undefined
  const outcome = search.get('outcome') ?? undefined
  const runs = useRuns({ ...(report !== undefined && { report }), ...(outcome !== undefined && { outcome }) })
  const names = useReportNames()
  const choose = (name: string) => (event: { target: { value: string } }) =>
    setSearch((before) => {
      const next = new URLSearchParams(before)
      if (event.target.value === '') next.delete(name)
      else next.set(name, event.target.value)
      return next
    })
  // A report that is gone still has runs.
  const reports = [...new Set([...(names.data?.items.map((r) => r.name) ?? []), ...(report === undefined ? [] : [report])])]
  return (
    <Page title="Runs" subtitle="What runs, and what became of it." actions={<StartRun report={report} />}>
      <div className="flex flex-wrap items-end gap-3">
        <div className="w-56">
          <Select label="Of report" value={report ?? ''} onChange={choose('report')}>
            <option value="">all reports</option>
            {reports.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </Select>
        </div>
        <div className="w-56">
          <Select label="That ended" value={outcome ?? ''} onChange={choose('outcome')}>
            <option value="">any way, or not yet</option>
            {OUTCOMES.map((word) => (
              <option key={word} value={word}>
                {words(word)}
              </option>
            ))}
          </Select>
        </div>
        <div className="ml-auto self-center">
          <Live />
        </div>
      </div>
      <Listing
        what="runs"
        caption="Runs"
        query={runs}
        rows={runs.data?.pages.flatMap((page) => page.items)}
        columns={COLUMNS}
        rowKey={(run) => run.id}
        empty={report === undefined && outcome === undefined ? 'No run yet. A Schedule starts one at its time; you can start one now.' : 'No run is like that.'}
      />
    </Page>
  )
}

/** Whether what is shown is what is so. */
function Live() {
  const state = useLive((live) => live.state)
  switch (state) {
    case 'live':
      return <Badge tone="good">follows along</Badge>
    case 'connecting':
      return <Badge tone="idle">connecting</Badge>
    case 'broken':
      return <Badge tone="warn">connection lost, trying again</Badge>
  }
}
