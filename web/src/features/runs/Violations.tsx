import { useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Problem } from '@/components/ui/Problem'
import { Table } from '@/components/ui/Table'
import type { Schema } from '@/lib/client'
import { count } from '@/lib/format'
import { useMay } from '@/lib/session'
import { useViolations } from './api'
import { type Violation, violation } from './violation'

/** Violations by rule, as bars, and the first ones on request: rows are data that not everybody may see. */
export function Violations({ run, rules, total, over }: { run: string; rules: Schema['RuleCounts'][]; total: number | undefined; over: boolean }) {
  const [shown, setShown] = useState(false)
  const may = useMay('violation.read')
  const first = useViolations(run, shown)
  const most = Math.max(1, ...rules.map((rule) => rule.violations))
  return (
    <Card
      title="Violations"
      actions={
        may &&
        total !== undefined &&
        total > 0 &&
        over && (
          <Button onClick={() => setShown(!shown)} aria-expanded={shown}>
            {shown ? 'Hide the rows' : 'Show the rows'}
          </Button>
        )
      }
    >
      {rules.length === 0 ? (
        <p className="text-sm text-soft">{total === undefined ? (over ? 'No row was checked.' : 'Not counted yet.') : total === 0 ? 'None.' : `${count(total)} in all; by rule as soon as the history has them.`}</p>
      ) : (
        <ul className="flex flex-col gap-2">
          {rules.map((rule) => (
            <li key={rule.rule} className="grid grid-cols-[8rem_1fr_5rem] items-center gap-3 text-sm">
              <span className="truncate font-mono text-xs" title={rule.rule}>
                {rule.rule}
              </span>
              <span aria-hidden className="h-2 rounded-full bg-raised">
                <span className={`block h-2 rounded-full ${rule.violations > 0 ? 'min-w-1 bg-warn' : ''}`} style={{ width: `${(100 * rule.violations) / most}%` }} />
              </span>
              <span className="text-right tabular-nums">{count(rule.violations)}</span>
            </li>
          ))}
        </ul>
      )}
      {shown && (
        <div className="mt-4 -mx-4 -mb-4 border-t border-line">
          {first.isError ? (
            <div className="p-4">
              <Problem title="Could not load the violations" error={first.error} retry={() => void first.refetch()} />
            </div>
          ) : (
            <Table caption="First violations" loading={first.isPending} rows={(first.data?.items ?? []).map(violation)} rowKey={(v) => v.id} empty="The runner stored none." columns={COLUMNS} />
          )}
          {first.data && !first.data.complete && (
            <p className="border-t border-line px-4 py-2 text-xs text-soft">
              The first {count(first.data.items.length)} of {count(first.data.total)}. All of them lie beside the run's files in the store.
            </p>
          )}
        </div>
      )}
    </Card>
  )
}

const COLUMNS = [
  { head: 'Rule', cell: (v: Violation) => <span className="font-mono text-xs">{v.rule}</span> },
  { head: 'Dataset', cell: (v: Violation) => v.dataset },
  { head: 'Row', numeric: true, cell: (v: Violation) => v.row },
  { head: 'Which record', cell: (v: Violation) => <span className="inline-block min-w-48 font-mono text-xs [overflow-wrap:anywhere]">{v.key}</span> },
  { head: 'Columns', cell: (v: Violation) => <span className="font-mono text-xs [overflow-wrap:anywhere]">{v.columns}</span> },
  { head: 'What is wrong', cell: (v: Violation) => v.what },
]
