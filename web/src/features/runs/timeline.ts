/** How far a run came, step by step, with what each took. Pure. */
import type { Schema } from '@/lib/client'
import { isOver, stateOf, type Tone, toneOf } from '@/lib/status'

export interface Step {
  name: string
  /** `done` and `failed` are as it ended; `now` is under way; `later` may still come; `never` will not. */
  state: 'done' | 'failed' | 'unsure' | 'now' | 'later' | 'never'
  /** One CamelCase word of the operator, or some words of ours. */
  reason: string
  message?: string | undefined
  at?: string | undefined
  /** Milliseconds since the step before. */
  took?: number | undefined
}

const STEPS = ['Resolved', 'Started', 'Generated', 'Delivered', 'Complete', 'Recorded'] as const

/** What a condition of that name says when it is there. Conditions are in the order in which a run goes through them. */
export function inOrder(conditions: Schema['Condition'][]): Schema['Condition'][] {
  const place = (type: string) => {
    const i = (STEPS as readonly string[]).indexOf(type)
    return i < 0 ? STEPS.length : i
  }
  return [...conditions].sort((a, b) => place(a.type) - place(b.type))
}

export function timeline(detail: Pick<Schema['RunDetail'], 'run' | 'conditions' | 'manifest' | 'manifestRead'>): Step[] {
  const { run, conditions } = detail
  const over = isOver(run)
  // Until it is true, the condition Complete says what happens now.
  const present = conditions.find((c) => c.type === 'Complete' && c.status !== 'True')
  let underWay = false
  let before: number | undefined = Date.parse(run.createdAt)
  return STEPS.map((name): Step => {
    const condition = conditions.find((c) => c.type === name)
    if (name === 'Recorded' && condition?.status !== 'False') return recorded(detail)
    if (condition === undefined) {
      if (over) return { name, state: 'never', reason: name === 'Delivered' && toneOf(stateOf(run)) !== 'bad' ? 'nothing to deliver' : 'not reached' }
      const now = !underWay
      underWay = true
      return now ? { name, state: 'now', reason: present?.reason ?? 'under way', message: present?.message } : { name, state: 'later', reason: 'not yet' }
    }
    const { reason, message } = condition
    const at = condition.lastTransitionTime
    const shared = { name, reason, message }
    if (condition.status === 'True') {
      // Attempts come and go; when a later step began is told by that step.
      const took = before === undefined ? undefined : Math.max(0, Date.parse(at) - before)
      before = Date.parse(at)
      // A run that failed is complete, too: it is not well for that.
      return { ...shared, state: name === 'Complete' ? ENDED[toneOf(reason)] : 'done', at, took }
    }
    if (name === 'Complete') return { name, state: 'later', reason: 'not yet' }
    if (over) return { ...shared, state: condition.status === 'Unknown' ? 'unsure' : 'failed', at }
    const now = !underWay
    underWay = true
    return { ...shared, state: now ? 'now' : 'later', at }
  })
}

const ENDED: Record<Tone, Step['state']> = { good: 'done', bad: 'failed', warn: 'unsure', busy: 'done', idle: 'done' }

/** The mark in the object is the last thing, and the history does not see it: that it has the manifest is what it means. */
function recorded({ run, conditions, manifest, manifestRead }: Pick<Schema['RunDetail'], 'run' | 'conditions' | 'manifest' | 'manifestRead'>): Step {
  const said = conditions.find((c) => c.type === 'Recorded' && c.status === 'True')
  const done = said !== undefined || (Boolean(run.outcome) && (!manifest || manifestRead))
  if (done) return { name: 'Recorded', state: 'done', reason: 'in the history', message: said?.message }
  return { name: 'Recorded', state: run.outcome ? 'now' : run.lostAt ? 'never' : 'later', reason: run.lostAt ? 'not reached' : 'not yet' }
}
