import { describe, expect, test } from 'vitest'
import { condition, detail, run } from '@/testing/samples'
import { inOrder, timeline } from './timeline'

const at = (second: number) => `2026-03-03T06:00:${String(second).padStart(2, '0')}Z`
const states = (of: Parameters<typeof timeline>[0]) => timeline(of).map((step) => `${step.name}: ${step.state}`)

describe('the steps of a run', () => {
  test('that nobody has seen', () => {
    expect(states(detail({ run: run({ phase: null }) }))).toEqual(['Resolved: now', 'Started: later', 'Generated: later', 'Delivered: later', 'Complete: later', 'Recorded: later'])
  })

  test('that generates: what happens now stands at the step that it leads to', () => {
    const steps = timeline(detail({ conditions: [condition('Complete', 'False', at(1), 'Generating'), condition('Resolved', 'True', at(1)), condition('Started', 'True', at(3))] }))
    expect(steps.map((s) => s.state)).toEqual(['done', 'done', 'now', 'later', 'later', 'later'])
    expect(steps[2]).toMatchObject({ reason: 'Generating', message: 'Complete is False' })
    expect(steps.map((s) => s.took)).toEqual([1000, 2000, undefined, undefined, undefined, undefined])
  })

  const delivered = {
    run: run({ outcome: 'Delivered', finishedAt: at(9) }),
    manifest: { key: 'k', sha256: 's' },
    conditions: [condition('Resolved', 'True', at(0)), condition('Started', 'True', at(1)), condition('Generated', 'True', at(5)), condition('Delivered', 'True', at(9)), condition('Complete', 'True', at(9), 'Delivered')],
  }

  test('that was delivered, before and after the history has it', () => {
    expect(states(detail(delivered))).toEqual(['Resolved: done', 'Started: done', 'Generated: done', 'Delivered: done', 'Complete: done', 'Recorded: now'])
    expect(states(detail({ ...delivered, manifestRead: true })).at(-1)).toBe('Recorded: done')
  })

  test('whose manifest cannot be read says so at the last step', () => {
    const stuck = { ...delivered, conditions: [...delivered.conditions, condition('Recorded', 'False', at(10), 'ManifestChanged')] }
    expect(timeline(detail(stuck)).at(-1)).toMatchObject({ state: 'failed', reason: 'ManifestChanged' })
  })

  test('that failed: complete, and not well', () => {
    const conditions = [condition('Resolved', 'True', at(0)), condition('Started', 'True', at(1)), condition('Generated', 'False', at(4), 'WrongPassword'), condition('Complete', 'True', at(4), 'Failed')]
    expect(states(detail({ run: run({ outcome: 'Failed', finishedAt: at(4) }), conditions }))).toEqual(['Resolved: done', 'Started: done', 'Generated: failed', 'Delivered: never', 'Complete: failed', 'Recorded: done'])
  })

  test('that could not be settled', () => {
    const conditions = [...delivered.conditions.slice(0, 3), condition('Delivered', 'Unknown', at(9), 'Unknown'), condition('Complete', 'True', at(9), 'Unknown')]
    expect(states(detail({ ...delivered, run: run({ outcome: 'Unknown', finishedAt: at(9) }), conditions })).slice(3, 5)).toEqual(['Delivered: unsure', 'Complete: unsure'])
  })

  test('that has nothing to deliver does not look as if something were missing', () => {
    const conditions = [...delivered.conditions.slice(0, 3), condition('Complete', 'True', at(6), 'Generated')]
    expect(timeline(detail({ run: run({ outcome: 'Generated', finishedAt: at(6) }), conditions }))[3]).toMatchObject({ state: 'never', reason: 'nothing to deliver' })
  })

  test('that is lost: nothing is under way', () => {
    expect(states(detail({ run: run({ lostAt: at(30) }), conditions: [condition('Resolved', 'True', at(0))] }))).toEqual([
      'Resolved: done',
      'Started: never',
      'Generated: never',
      'Delivered: never',
      'Complete: never',
      'Recorded: never',
    ])
  })

  test('that waits after a failed attempt', () => {
    const conditions = [condition('Resolved', 'True', at(0)), condition('Started', 'False', at(5), 'ImagePull'), condition('Complete', 'False', at(5), 'ImagePull')]
    expect(states(detail({ conditions }))[1]).toBe('Started: now')
  })
})

test('conditions are in the order of a run, others last', () => {
  const types = inOrder(['Complete', 'New', 'Started', 'Resolved'].map((type) => condition(type, 'True', at(0)))).map((c) => c.type)
  expect(types).toEqual(['Resolved', 'Started', 'Complete', 'New'])
})
