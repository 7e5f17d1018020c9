import { Link } from 'react-router'
import { Badge, toneOf } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Loading, Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { useReports } from './api'

/** All reports of the tenant. */
export function ReportsPage() {
  const reports = useReports()
  return (
    <Page title="Reports" subtitle="What is made, and whether it can run. Reports are written in Git and applied to the cluster.">
      {reports.isError && <Problem title={reports.error.message} retry={() => void reports.refetch()} />}
      <Card flush>
        {reports.isPending ? (
          <Loading what="reports" />
        ) : (
          <Table
            caption="Reports"
            rows={reports.data?.items ?? []}
            rowKey={(r) => r.name}
            empty="No report yet. Apply one with kubectl or Argo CD."
            columns={[
              {
                head: 'Report',
                cell: (r) => (
                  <Link to={`/reports/${r.name}`} className="font-medium text-accent hover:underline">
                    {r.title}
                  </Link>
                ),
              },
              { head: 'Version', cell: (r) => r.version },
              { head: 'Regulation', cell: (r) => (r.regulation ? `${r.regulation.authority}, ${r.regulation.name}` : '–') },
              { head: 'State', cell: (r) => <Badge tone={r.ready ? 'good' : 'bad'}>{r.ready ? 'Ready' : 'Not ready'}</Badge> },
              { head: 'Goes to', cell: (r) => r.destinations.join(', ') || 'the store only' },
              { head: 'Last run', cell: (r) => (r.lastRun ? <Badge tone={toneOf(r.lastRun.outcome)}>{r.lastRun.outcome}</Badge> : '–') },
              { head: 'Ended', cell: (r) => <Time at={r.lastRun?.finishedAt} /> },
            ]}
          />
        )}
      </Card>
    </Page>
  )
}
