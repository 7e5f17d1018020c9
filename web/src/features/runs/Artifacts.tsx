import { useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import type { Schema } from '@/lib/client'
import { bytes, count } from '@/lib/format'
import { downloadArtifact } from './api'

/** The files of a run. A download is noted in the audit. */
export function Artifacts({ run, artifacts }: { run: string; artifacts: Schema['Artifact'][] }) {
  const [failed, setFailed] = useState<string | null>(null)
  return (
    <Card title="Artifacts" flush>
      {failed !== null && <Problem title="The file could not be downloaded" detail={failed} />}
      <Table
        caption="Artifacts"
        rows={artifacts}
        rowKey={(a) => a.name}
        empty="This run has made no file, or not yet."
        columns={[
          { head: 'File', cell: (a) => <span className="font-mono text-xs break-all">{a.name}</span> },
          { head: 'Records', numeric: true, cell: (a) => count(a.records) },
          { head: 'Size', numeric: true, cell: (a) => bytes(a.size) },
          { head: 'SHA-256', cell: (a) => <Digest value={a.sha256} /> },
          {
            head: 'Download',
            cell: (a) => (
              <Button
                onClick={() => {
                  setFailed(null)
                  downloadArtifact(run, a.name).catch((e: unknown) => setFailed(e instanceof Error ? e.message : String(e)))
                }}
              >
                Download
              </Button>
            ),
          },
        ]}
      />
    </Card>
  )
}
