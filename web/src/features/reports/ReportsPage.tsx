import { Link } from 'react-router'
import { Badge } from '@/components/ui/Badge'
import { Listing } from '@/components/ui/Listing'
import { Page } from '@/components/ui/Page'
import type { Column } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import type { Schema } from '@/lib/client'
import { toneOf } from '@/lib/status'
import { useReports } from './api'

const COLUMNS: Column<Schema['ReportSummary']>[] = [
  {
    head: 'Report',
    cell: (r) => (
      <>
        <Link to={`/reports/${encodeURIComponent(r.name)}`} className="font-medium text-accent hover:underline">
          {r.title}
        </Link>
        <span className="block text-xs text-soft">
          {r.name} {r.version}
        </span>
      </>
    ),
  },
  { head: 'Regulation', cell: (r) => (r.regulation ? `${r.regulation.authority}, ${r.regulation.name}` : '–') },
  {
    head: 'State',
    cell: (r) => (
      <>
        <Badge tone={r.ready ? 'good' : 'bad'}>{r.ready ? 'Ready' : 'Not ready'}</Badge>
        {!r.ready && r.message && <span className="mt-1 block max-w-80 text-xs text-soft">{r.message}</span>}
      </>
    ),
  },
  { head: 'Goes to', cell: (r) => r.destinations.join(', ') || 'the store only' },
  { head: 'Last run that ended', cell: (r) => (r.lastRun ? <Badge tone={toneOf(r.lastRun.outcome)}>{r.lastRun.outcome}</Badge> : '–') },
  { head: 'Ended', cell: (r) => <Time at={r.lastRun?.finishedAt} /> },
]

/** All reports of the tenant. */
export function ReportsPage() {
  const reports = useReports()
  return (
    <Page title="Reports" subtitle="What is made, and whether it can run. Reports are written in Git and applied to the cluster.">
      <Listing what="reports" caption="Reports" query={reports} rows={reports.data?.items} columns={COLUMNS} rowKey={(r) => r.name} empty="No report yet. Apply one with kubectl or Argo CD." />
    </Page>
  )
}
