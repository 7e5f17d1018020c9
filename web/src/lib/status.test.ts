import { describe, expect, test } from 'vitest'
import { isOver, stageWords, stateOf, type Tone, toneOf } from './status'

describe('status', () => {
  test.each<[string, Tone]>([
    ['Delivered', 'good'],
    ['Generated', 'good'],
    ['Succeeded', 'good'],
    ['DeliveredWithExclusions', 'warn'],
    ['NothingToReport', 'warn'],
    ['Unknown', 'warn'],
    ['DataRejected', 'bad'],
    ['Rejected', 'bad'],
    ['Failed', 'bad'],
    ['NotDelivered', 'bad'],
    ['Lost', 'bad'],
    ['Generating', 'busy'],
    ['Delivering', 'busy'],
    ['Queued', 'idle'],
    ['Cancelled', 'idle'],
    ['SomethingNew', 'idle'],
  ])('%s is %s', (word, tone) => expect(toneOf(word)).toBe(tone))

  test.each([
    [{}, 'Queued', false],
    [{ phase: 'Generating' }, 'Generating', false],
    [{ phase: 'Failed', outcome: 'DataRejected', finishedAt: '2026-03-03T06:00:00Z' }, 'DataRejected', true],
    // Its object is gone: nothing will ever end it, and it must not look as if it ran.
    [{ phase: 'Generating', lostAt: '2026-03-03T06:00:00Z' }, 'Lost', true],
    // It was missed, and then its end was seen after all.
    [{ lostAt: '2026-03-03T06:00:00Z', outcome: 'Delivered' }, 'Delivered', true],
  ])('%j is %s', (run, word, over) => {
    expect(stateOf(run)).toBe(word)
    expect(isOver(run)).toBe(over)
  })

  test('every stage of the runner has words of its own', () => {
    const stages = ['Plan', 'Start', 'Read', 'Check', 'Transform', 'Encode', 'Store', 'Deliver', 'Probe']
    const all = stages.map(stageWords)
    expect(new Set(all).size).toBe(stages.length)
    for (const words of all) expect(words).toMatch(/^while /)
    expect(stageWords('Sign')).toBe('in stage Sign')
  })
})
