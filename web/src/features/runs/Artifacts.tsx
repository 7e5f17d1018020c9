import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import type { Schema } from '@/lib/client'
import { bytes, count } from '@/lib/format'
import { useMay } from '@/lib/session'
import { useDownload } from './api'

/** The files of a run. A download is noted in the audit. */
export function Artifacts({ detail, over }: { detail: Schema['RunDetail']; over: boolean }) {
  const may = useMay('artifact.download')
  const download = useDownload(detail.run.id)
  const pending = detail.manifest && !detail.manifestRead ? 'The files are sealed, and on their way into the history.' : over ? 'This run has made no file.' : 'No file yet.'
  return (
    <Card title="Artifacts" flush>
      {download.isError && (
        <div className="p-4">
          <Problem title={`${download.variables} was not downloaded`} error={download.error} />
        </div>
      )}
      <Table
        caption="Artifacts"
        rows={detail.artifacts}
        rowKey={(a) => a.name}
        empty={pending}
        columns={[
          { head: 'File', cell: (a) => <span className="inline-block min-w-48 font-mono text-xs [overflow-wrap:anywhere]">{a.name}</span> },
          { head: 'Records', numeric: true, cell: (a) => count(a.records) },
          { head: 'Size', numeric: true, cell: (a) => <span title={`${count(a.size)} bytes`}>{bytes(a.size)}</span> },
          { head: 'SHA-256', cell: (a) => <Digest value={a.sha256} of={a.name} /> },
          ...(may
            ? [
                {
                  head: 'Download',
                  cell: (a: Schema['Artifact']) => (
                    <Button onClick={() => download.mutate(a.name)} disabled={download.isPending} aria-label={`Download ${a.name}`}>
                      {download.isPending && download.variables === a.name ? 'Downloading…' : 'Download'}
                    </Button>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Card>
  )
}
