import { Link, useParams } from 'react-router'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Listing } from '@/components/ui/Listing'
import { Page, Skeleton } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { useReport, useVersions } from './api'

/** One report: what is wrong with it, what a run is given, its versions, its spec. */
export function ReportPage() {
  const { name = '' } = useParams()
  const query = useReport(name)
  const versions = useVersions(name)
  if (query.isPending) {
    return (
      <Page title={name} subtitle="Report">
        <Skeleton what="the report" heights={['h-28', 'h-96']} />
      </Page>
    )
  }
  if (query.data === undefined) {
    return (
      <Page title={name} subtitle="Report">
        <Problem title="Could not load the report" error={query.error} retry={() => void query.refetch()} />
      </Page>
    )
  }
  const { report, spec, parameters } = query.data
  return (
    <Page
      title={report.title}
      subtitle={
        <>
          {report.name} {report.version} ·{' '}
          <Link to={`/runs?report=${encodeURIComponent(report.name)}`} className="text-accent underline">
            its runs
          </Link>{' '}
          · goes to {report.destinations.join(', ') || 'the store only'}
        </>
      }
      actions={<Badge tone={report.ready ? 'good' : 'bad'}>{report.ready ? 'Ready' : 'Not ready'}</Badge>}
    >
      {query.isError && <Problem title="Could not bring the report up to date: this is how it was" error={query.error} retry={() => void query.refetch()} />}
      {!report.ready && report.message && (
        <p role="status" className="rounded-lg border border-line bg-bad-soft px-4 py-3 text-sm text-bad">
          No run can be started of the present spec: {report.message}
        </p>
      )}
      {report.problems.length > 0 && (
        <Card title="What is wrong" flush>
          <Table
            caption="Problems"
            rows={report.problems}
            rowKey={(p) => p.field + p.message}
            empty=""
            columns={[
              { head: 'Field', cell: (p) => <span className="font-mono text-xs">{p.field}</span> },
              { head: 'What is wrong, and what to write', cell: (p) => p.message },
            ]}
          />
        </Card>
      )}
      {parameters.length > 0 && (
        <Card title="Parameters" flush>
          <Table
            caption="Parameters"
            rows={parameters}
            rowKey={(p) => p.name}
            empty=""
            columns={[
              { head: 'Name', cell: (p) => <span className="font-mono text-xs">{p.name}</span> },
              { head: 'Type', cell: (p) => p.type },
              { head: 'Must be given', cell: (p) => (p.required ? 'yes' : 'no') },
              { head: 'Otherwise', cell: (p) => <span className="font-mono text-xs">{p.default ?? '–'}</span> },
              { head: 'May be', cell: (p) => <span className="font-mono text-xs [overflow-wrap:anywhere]">{p.pattern ?? (p.values.join(' | ') || '–')}</span> },
            ]}
          />
        </Card>
      )}
      <Listing
        what="versions"
        title="Versions"
        caption="Versions"
        query={versions}
        rows={versions.data?.items}
        rowKey={(v) => v.name}
        empty="No version was accepted yet."
        columns={[
          { head: 'Version', cell: (v) => v.version },
          { head: 'SHA-256', cell: (v) => <Digest value={v.sha256} of={`version ${v.version}`} /> },
          { head: 'Accepted', cell: (v) => <Time at={v.createdAt} /> },
        ]}
      />
      <Card title="Spec, as it is in the cluster">
        <pre className="max-h-[40rem] overflow-auto font-mono text-xs leading-relaxed" tabIndex={0} role="region" aria-label="Spec as JSON">
          {JSON.stringify(spec, null, 2)}
        </pre>
      </Card>
    </Page>
  )
}
