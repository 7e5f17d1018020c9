import { wholeSeconds, words } from '@/lib/format'
import type { Step } from './timeline'

const LOOKS: Record<Step['state'], { mark: string; look: string; said: string }> = {
  done: { mark: '✓', look: 'border-good bg-good-soft text-good', said: 'done' },
  failed: { mark: '✕', look: 'border-bad bg-bad-soft text-bad', said: 'failed' },
  unsure: { mark: '!', look: 'border-warn bg-warn-soft text-warn', said: 'look here' },
  now: { mark: '◔', look: 'border-busy bg-busy-soft text-busy', said: 'under way' },
  later: { mark: '○', look: 'border-line bg-surface text-soft', said: 'not yet' },
  never: { mark: '–', look: 'border-dashed border-line bg-surface text-soft', said: 'not reached' },
}

/** How far a run came, at a glance, and what each step took. */
export function Flow({ steps }: { steps: Step[] }) {
  return (
    <ol aria-label="Progress" className="grid grid-cols-2 gap-2 sm:grid-cols-3 xl:grid-cols-6">
      {steps.map((step) => {
        const { mark, look, said } = LOOKS[step.state]
        return (
          <li key={step.name} aria-current={step.state === 'now' ? 'step' : undefined} className={`flex min-w-0 items-start gap-2 rounded-lg border px-3 py-2 text-sm ${look}`} title={step.message}>
            <span aria-hidden className={`w-4 text-center font-semibold ${step.state === 'now' ? 'animate-pulse motion-reduce:animate-none' : ''}`}>
              {mark}
            </span>
            <span className="min-w-0 flex-1">
              <span className="block font-medium">
                {step.name}
                <span className="sr-only">, {said}</span>
              </span>
              <span className="block text-xs [overflow-wrap:anywhere]">{words(step.reason)}</span>
              {step.took !== undefined && step.name !== 'Complete' && <span className="block text-xs tabular-nums">after {wholeSeconds(step.took)}</span>}
            </span>
          </li>
        )
      })}
    </ol>
  )
}
