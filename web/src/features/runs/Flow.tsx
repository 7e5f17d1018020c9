import type { Schema } from '@/lib/client'
import { words } from '@/lib/format'

const STEPS = ['Resolved', 'Started', 'Generated', 'Delivered', 'Recorded', 'Complete']

/** How far a run came, at a glance. */
export function Flow({ conditions }: { conditions: Schema['Condition'][] }) {
  return (
    <ol aria-label="Progress" className="flex flex-wrap gap-2">
      {STEPS.map((step) => {
        const condition = conditions.find((c) => c.type === step)
        const done = condition?.status === 'True'
        const refused = condition?.status === 'False' && conditions.some((c) => c.type === 'Complete' && c.status === 'True')
        const look = done ? 'border-good bg-good-soft text-good' : refused ? 'border-bad bg-bad-soft text-bad' : 'border-line bg-surface text-soft'
        return (
          <li key={step} className={`flex min-w-28 flex-1 items-center gap-2 rounded-lg border px-3 py-2 text-sm ${look}`} title={condition?.message}>
            <span aria-hidden className="font-semibold">
              {done ? '✓' : refused ? '✕' : '○'}
            </span>
            <span>
              <span className="block font-medium">{step}</span>
              <span className="block text-xs">{condition === undefined ? 'not yet' : words(condition.reason)}</span>
            </span>
          </li>
        )
      })}
    </ol>
  )
}
