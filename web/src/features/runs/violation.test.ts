import { describe, expect, test } from 'vitest'
import { violation } from './violation'

describe('a violation as a table shows it', () => {
  test('with the key of its record', () => {
    expect(violation({ rule: 'R-1', dataset: 'trades', row: 12, columns: ['lei', 'isin'], key: { trade_ref: 'T-7', leg: 2 } }, 0)).toEqual({
      id: '0',
      rule: 'R-1',
      dataset: 'trades',
      row: '12',
      columns: 'lei, isin',
      key: 'trade_ref=T-7, leg=2',
      what: 'breaks the rule',
    })
  })

  test('of a row that is there twice', () => {
    expect(violation({ rule: 'R-2', dataset: 'trades', row: 9, columns: ['ref'], sameAs: 3, key: ['T-3'] }, 1)).toMatchObject({ key: 'T-3', what: 'the same as row 3' })
  })

  test.each([[null], ['text'], [{}], [{ columns: 'x', key: null }], [{ key: { a: null, b: { c: 1 } } }]])('%j breaks nothing', (line) => {
    expect(() => violation(line, 0)).not.toThrow()
  })
})
