/** The API's words for states, and what they mean to a person: good, bad, look here, under way. Pure. */

export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'idle'

/** A tone says good or bad at a glance; the word beside it says what. */
export function toneOf(word: string): Tone {
  switch (word) {
    case 'Delivered':
    case 'Succeeded':
    case 'Generated':
      return 'good'
    case 'Failed':
    case 'Rejected':
    case 'DataRejected':
    case 'NotDelivered':
    case 'Lost':
      return 'bad'
    case 'DeliveredWithExclusions':
    case 'Unknown':
    case 'NothingToReport':
      return 'warn'
    case 'Generating':
    case 'Delivering':
      return 'busy'
    default:
      return 'idle'
  }
}

interface Run {
  outcome?: string | null
  phase?: string | null
  lostAt?: string | null
  finishedAt?: string | null
}

/** The one word for a run: how it ended, else what it does. */
export function stateOf(run: Run): string {
  return run.outcome ?? (run.lostAt ? 'Lost' : (run.phase ?? 'Queued'))
}

/** Whether anything of a run can still change by itself. */
export function isOver(run: Run): boolean {
  return Boolean(run.outcome) || Boolean(run.finishedAt) || Boolean(run.lostAt)
}

const STAGES: Record<string, string> = {
  Plan: 'while the run was planned',
  Start: 'while the pod was started',
  Read: 'while rows were read',
  Check: 'while rows were checked',
  Transform: 'while rows were transformed',
  Encode: 'while the file was written',
  Store: 'while the file was stored',
  Deliver: 'while the file was delivered',
  Probe: 'while the connection was tried',
}

export function stageWords(stage: string): string {
  return STAGES[stage] ?? `in stage ${stage}`
}

const CLASSES: Record<string, string> = {
  Config: 'What is configured must be mended.',
  Data: 'The data must be mended.',
  Transient: 'The other side was not well; such an error is tried again by itself.',
  Internal: 'A fault of OpenReg itself.',
}

/** Who can mend a failure of that class. */
export function classWords(name: string): string {
  return CLASSES[name] ?? name
}
