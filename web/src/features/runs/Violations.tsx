import { useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Loading } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import type { Schema } from '@/lib/client'
import { count } from '@/lib/format'
import { useMay } from '@/lib/session'
import { useViolations } from './api'

/** Violations by rule, as bars, and the first ones on request: rows are data that not everybody may see. */
export function Violations({ run, rules, total }: { run: string; rules: Schema['RuleCounts'][]; total: number }) {
  const [shown, setShown] = useState(false)
  const may = useMay('violation.read')
  const first = useViolations(run, shown)
  const most = Math.max(1, ...rules.map((rule) => rule.violations))
  return (
    <Card
      title="Violations"
      actions={
        may &&
        total > 0 &&
        !shown && (
          <Button onClick={() => setShown(true)}>Show the first ones</Button>
        )
      }
    >
      {rules.length === 0 ? (
        <p className="text-sm text-soft">{total === 0 ? 'None, or none counted yet.' : `${count(total)} in all; the rules are not read yet.`}</p>
      ) : (
        <ul className="flex flex-col gap-2">
          {rules.map((rule) => (
            <li key={rule.rule} className="grid grid-cols-[8rem_1fr_5rem] items-center gap-3 text-sm">
              <span className="truncate font-mono text-xs" title={rule.rule}>
                {rule.rule}
              </span>
              <span aria-hidden className="h-2 rounded-full bg-raised">
                <span className={`block h-2 rounded-full ${rule.violations > 0 ? 'bg-warn' : ''}`} style={{ width: `${(100 * rule.violations) / most}%` }} />
              </span>
              <span className="text-right tabular-nums">{count(rule.violations)}</span>
            </li>
          ))}
        </ul>
      )}
      {shown && first.isPending && <Loading what="violations" />}
      {first.isError && <Problem title={first.error.message} retry={() => void first.refetch()} />}
      {first.data && (
        <div className="mt-4">
          <Table
            caption="First violations"
            rows={first.data.items.map((item, i) => ({ i, ...(item as Record<string, unknown>) }))}
            rowKey={(item) => String(item.i)}
            empty="The runner stored none."
            columns={['rule', 'row', 'column', 'message'].map((name) => ({
              head: name === 'row' ? 'Row' : name.charAt(0).toUpperCase() + name.slice(1),
              cell: (item: Record<string, unknown>) => text(item[name]),
            }))}
          />
          {!first.data.complete && <p className="mt-2 text-xs text-soft">These are the first of {count(first.data.total)}.</p>}
        </div>
      )}
    </Card>
  )
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value)
}
