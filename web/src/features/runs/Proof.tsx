import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { Card } from '@/components/ui/Card'
import { Digest } from '@/components/ui/Digest'
import { Time } from '@/components/ui/Time'
import type { Schema } from '@/lib/client'
import { useMay } from '@/lib/session'
import { starter } from './RunState'

/** What identifies a run and proves what it did. */
export function Proof({ detail }: { detail: Schema['RunDetail'] }) {
  const { run, scheduled } = detail
  const mayAudit = useMay('audit.read')
  const parameters = Object.entries(detail.parameters)
  return (
    <Card title="Proof" actions={mayAudit && <Link to={`/audit?subject=${encodeURIComponent(`run/${run.id}`)}`} className="text-sm text-accent hover:underline">Its audit entries</Link>}>
      <dl className="grid grid-cols-[auto_1fr] items-baseline gap-x-6 gap-y-2 text-sm">
        <Row name="Run id">
          <span className="font-mono text-xs [overflow-wrap:anywhere]">{run.id}</span>
        </Row>
        <Row name="Plan SHA-256">{detail.planSha256 ? <Digest value={detail.planSha256} of="the plan" /> : '–'}</Row>
        <Row name="Manifest SHA-256">{detail.manifest ? <Digest value={detail.manifest.sha256} of="the manifest" /> : '–'}</Row>
        <Row name="Started by">
          {scheduled ? (
            <>
              schedule {scheduled.schedule}, due <Time at={scheduled.slot} />
            </>
          ) : (
            starter(run)
          )}
        </Row>
        <Row name="Made">
          <Time at={run.createdAt} />
        </Row>
        <Row name="First Job">
          <Time at={run.startedAt} />
        </Row>
        <Row name="Ended">
          <Time at={run.finishedAt} />
        </Row>
        {run.mode !== 'Full' && <Row name="Does">makes its file only</Row>}
        {parameters.map(([name, value]) => (
          <Row key={name} name={`Parameter ${name}`}>
            <span className="font-mono text-xs [overflow-wrap:anywhere]">{value}</span>
          </Row>
        ))}
      </dl>
    </Card>
  )
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  )
}
