import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Table } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import type { Schema } from '@/lib/client'
import { words } from '@/lib/format'
import { toneOf } from '@/lib/status'

/** Where a run's files went, and what proves it. */
export function Deliveries({ detail, over }: { detail: Schema['RunDetail']; over: boolean }) {
  return (
    <Card title="Deliveries" flush>
      <Table
        caption="Deliveries"
        rows={detail.deliveries}
        rowKey={(d) => d.destination}
        empty={detail.run.mode === 'GenerateOnly' ? 'This run makes its file only.' : over ? 'Nothing was delivered.' : 'Nothing is delivered yet.'}
        columns={[
          { head: 'Destination', cell: (d) => <span className="whitespace-nowrap">{d.destination}</span> },
          {
            head: 'State',
            cell: (d) => (
              <>
                <Badge tone={toneOf(d.state)}>{d.state}</Badge>
                {d.state === 'Unknown' && <span className="mt-1 block max-w-60 text-xs text-soft">Look at the receiver before anything is sent again.</span>}
              </>
            ),
          },
          { head: 'File at the receiver', cell: (d) => <span className="inline-block min-w-48 font-mono text-xs [overflow-wrap:anywhere]">{d.remote ?? '–'}</span> },
          { head: 'Receipt', cell: (d) => (d.receiptSha256 ? <Digest value={d.receiptSha256} of={`the receipt from ${d.destination}`} /> : '–') },
          { head: 'Attempts', numeric: true, cell: (d) => d.attempts },
          { head: 'Ended', cell: (d) => <Time at={d.finishedAt} /> },
          ...(detail.deliveries.some((d) => d.failure)
            ? [
                {
                  head: 'Last failure',
                  cell: (d: Schema['Delivery']) =>
                    d.failure ? (
                      <span className="block max-w-80">
                        <span className="font-medium">{words(d.failure.code)}</span>: {d.failure.message}
                        {d.failure.hint && <span className="mt-1 block text-xs text-soft">{d.failure.hint}</span>}
                      </span>
                    ) : (
                      '–'
                    ),
                },
              ]
            : []),
        ]}
      />
    </Card>
  )
}
