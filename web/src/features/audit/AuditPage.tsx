import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Loading, Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { client, unwrap } from '@/lib/client'
import { useMay } from '@/lib/session'

/** The audit trail, newest first, and its export for `openreg verify audit`. */
export function AuditPage() {
  const mayExport = useMay('audit.export')
  const [failed, setFailed] = useState<string | null>(null)
  const query = useInfiniteQuery({
    queryKey: ['audit'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => unwrap(client.GET('/api/v1/audit', { params: { query: pageParam === undefined ? {} : { after: pageParam } } })),
    getNextPageParam: (page) => page.next ?? undefined,
  })
  const save = () => {
    setFailed(null)
    unwrap(client.GET('/api/v1/audit/export', { parseAs: 'blob' }))
      .then((file) => {
        const url = URL.createObjectURL(file as unknown as Blob)
        const link = document.createElement('a')
        link.href = url
        link.download = 'audit.jsonl'
        link.click()
        URL.revokeObjectURL(url)
      })
      .catch((e: unknown) => setFailed(e instanceof Error ? e.message : String(e)))
  }
  return (
    <Page title="Audit" subtitle="Who did what. Each entry holds the hash of the one before it: openreg verify audit proves an export." actions={mayExport ? <Button onClick={save}>Export</Button> : null}>
      {failed !== null && <Problem title="The audit could not be exported" detail={failed} />}
      {query.isError && <Problem title={query.error.message} retry={() => void query.refetch()} />}
      <Card flush>
        {query.isPending ? (
          <Loading what="the audit" />
        ) : (
          <Table
            caption="Audit entries"
            rows={query.data?.pages.flatMap((page) => page.items) ?? []}
            rowKey={(e) => String(e.seq)}
            empty="Nothing has happened yet."
            columns={[
              { head: 'No.', numeric: true, cell: (e) => e.seq },
              { head: 'When', cell: (e) => <Time at={e.at} /> },
              { head: 'Who', cell: (e) => e.actor },
              { head: 'What', cell: (e) => e.action },
              { head: 'With what', cell: (e) => <span className="font-mono text-xs break-all">{e.subject}</span> },
              { head: 'Hash', cell: (e) => <Digest value={e.hash} /> },
            ]}
          />
        )}
      </Card>
      {query.hasNextPage && (
        <Button onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
          Show older entries
        </Button>
      )}
    </Page>
  )
}
