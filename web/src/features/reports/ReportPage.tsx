import { Link, useParams } from 'react-router'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Loading, Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { useReport, useVersions } from './api'

/** One report: what is wrong with it, its versions, its spec. */
export function ReportPage() {
  const { name = '' } = useParams()
  const query = useReport(name)
  const versions = useVersions(name)
  if (query.isPending) return <Loading what="the report" />
  if (query.isError) return <Page title={name}>{<Problem title={query.error.message} retry={() => void query.refetch()} />}</Page>
  const { report, spec } = query.data
  return (
    <Page
      title={report.title}
      subtitle={
        <>
          {report.name} {report.version} · <Link to={`/runs?report=${report.name}`} className="text-accent underline">its runs</Link>
        </>
      }
      actions={<Badge tone={report.ready ? 'good' : 'bad'}>{report.ready ? 'Ready' : 'Not ready'}</Badge>}
    >
      {report.problems.length > 0 && (
        <Card title="What is wrong" flush>
          <Table
            caption="Problems"
            rows={report.problems}
            rowKey={(p) => p.field + p.message}
            empty=""
            columns={[
              { head: 'Field', cell: (p) => <span className="font-mono text-xs">{p.field}</span> },
              { head: 'Message', cell: (p) => p.message },
            ]}
          />
        </Card>
      )}
      <Card title="Versions" flush>
        {versions.isPending ? (
          <Loading what="versions" />
        ) : (
          <Table
            caption="Versions"
            rows={versions.data?.items ?? []}
            rowKey={(v) => v.name}
            empty="No version was accepted yet."
            columns={[
              { head: 'Version', cell: (v) => v.version },
              { head: 'SHA-256', cell: (v) => <Digest value={v.sha256} /> },
              { head: 'Accepted', cell: (v) => <Time at={v.createdAt} /> },
            ]}
          />
        )}
      </Card>
      <Card title="Spec">
        <pre className="overflow-x-auto font-mono text-xs leading-relaxed" tabIndex={0} aria-label="Spec as JSON">
          {JSON.stringify(spec, null, 2)}
        </pre>
      </Card>
    </Page>
  )
}
