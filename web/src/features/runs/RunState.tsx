import { Badge } from '@/components/ui/Badge'
import type { Schema } from '@/lib/client'
import { period, wholeSeconds } from '@/lib/format'
import { useNow } from '@/lib/now'
import { isOver, stateOf, toneOf } from '@/lib/status'

type Run = Schema['RunSummary']

/** How a run ended, or what it does. */
export function RunState({ run }: { run: Run }) {
  const word = stateOf(run)
  return <Badge tone={toneOf(word)}>{word}</Badge>
}

/** What a run took, or how long it has been on its way: counted from when it was made, waiting included. */
export function Elapsed({ run }: { run: Run }) {
  const now = useNow(!isOver(run))
  const end = run.finishedAt ?? run.lostAt
  return <span className="whitespace-nowrap tabular-nums">{wholeSeconds((end ? Date.parse(end) : now) - Date.parse(run.createdAt))}</span>
}

/** What a run reports on; broken between its ends only. */
export function Period({ of }: { of: Run['period'] }) {
  return period(of.start, of.end)
    .split(/(?<= –) /)
    .map((end) => (
      <span key={end} className="inline-block whitespace-nowrap">
        {end}&nbsp;
      </span>
    ))
}

/** Who or what asked for a run. */
export function starter(run: Run): string {
  return run.requestedBy ?? (run.trigger === 'Schedule' ? 'a schedule' : 'hand')
}
