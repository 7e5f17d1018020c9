import { describe, expect, test } from 'vitest'
import type { Schema } from '@/lib/client'
import { run } from '@/testing/samples'
import { withRun } from './pages'

const made = (id: string, minute: number, change: Partial<Schema['RunSummary']> = {}) => run({ id, name: id, createdAt: `2026-03-03T06:${String(minute).padStart(2, '0')}:00Z`, ...change })
const ids = (pages: Schema['RunPage'][]) => pages.map((page) => page.items.map((item) => item.id).join(' '))

const PAGES: Schema['RunPage'][] = [
  { items: [made('e', 50), made('d', 40)], next: 'x' },
  { items: [made('c', 30), made('b', 20)], next: 'y' },
]

describe('a run that changed, in a list', () => {
  test('is changed in its place, and nothing else is', () => {
    const pages = withRun(PAGES, made('c', 30, { outcome: 'Delivered' }), {})
    expect(ids(pages)).toEqual(['e d', 'c b'])
    expect(pages[1]?.items[0]?.outcome).toBe('Delivered')
    expect(pages[1]?.next).toBe('y')
  })

  test.each([
    ['the newest', made('f', 59), ['f e d', 'c b']],
    ['one that was made between', made('x', 35), ['e d', 'x c b']],
    ['one of the same second', made('cc', 30), ['e d', 'cc c b']],
    ['one that is older than what is loaded', made('a', 10), ['e d', 'c b']],
  ])('%s comes where the API would put it', (_, one, expected) => expect(ids(withRun(PAGES, one, {}))).toEqual(expected))

  test('the oldest comes last when all is loaded, and the first when there is none', () => {
    expect(ids(withRun([{ items: [made('b', 20)] }], made('a', 10), {}))).toEqual(['b a'])
    expect(ids(withRun([{ items: [] }], made('a', 10), {}))).toEqual(['a'])
  })

  test('it leaves a list to which it no longer belongs, and does not come into one', () => {
    const failed = { outcome: 'Failed' }
    expect(ids(withRun([{ items: [made('a', 10, failed)] }], made('a', 10, { outcome: 'Delivered' }), failed))).toEqual([''])
    expect(ids(withRun(PAGES, made('f', 59, { report: 'positions' }), { report: 'trades' }))).toEqual(['e d', 'c b'])
    expect(ids(withRun(PAGES, made('f', 59), failed))).toEqual(['e d', 'c b'])
  })
})
