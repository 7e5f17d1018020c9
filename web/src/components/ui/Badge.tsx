import { words } from '@/lib/format'

const TONES = {
  good: 'bg-good-soft text-good',
  bad: 'bg-bad-soft text-bad',
  warn: 'bg-warn-soft text-warn',
  busy: 'bg-busy-soft text-busy',
  idle: 'bg-idle-soft text-idle',
}

export type Tone = keyof typeof TONES

export function Badge({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={`inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-xs font-medium whitespace-nowrap ${TONES[tone]}`}>
      <span aria-hidden className={`size-1.5 rounded-full bg-current ${tone === 'busy' ? 'animate-pulse' : ''}`} />
      {words(children)}
    </span>
  )
}

/** A tone says good or bad at a glance; the word beside it says what. */
export function toneOf(word: string): Tone {
  switch (word) {
    case 'Delivered':
    case 'Succeeded':
    case 'Generated':
    case 'True':
    case 'Ready':
      return 'good'
    case 'Failed':
    case 'Rejected':
    case 'DataRejected':
    case 'NotDelivered':
      return 'bad'
    case 'DeliveredWithExclusions':
    case 'Unknown':
    case 'NothingToReport':
      return 'warn'
    case 'Generating':
    case 'Delivering':
    case 'Started':
      return 'busy'
    default:
      return 'idle'
  }
}
