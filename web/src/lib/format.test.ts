import { describe, expect, test } from 'vitest'
import { bytes, dayAfter, duration, period, words } from './format'

describe('format', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [104857600, '100 MiB'],
  ])('%d bytes read %s', (n, text) => expect(bytes(n)).toBe(text))

  test.each([
    [12, '12 ms'],
    [1500, '1.5 s'],
    [61_000, '1 min 1 s'],
    [3_660_000, '1 h 1 min'],
  ])('%d ms read %s', (n, text) => expect(duration(n)).toBe(text))

  test('a word of the API becomes words', () => {
    expect(words('DeliveredWithExclusions')).toBe('Delivered with exclusions')
    expect(words('Queued')).toBe('Queued')
  })

  test('the day after crosses months and years', () => {
    expect(dayAfter('2026-02-28')).toBe('2026-03-01T00:00:00Z')
    expect(dayAfter('2026-12-31')).toBe('2027-01-01T00:00:00Z')
  })

  test('a half-open day is that day, a month ends on its last day', () => {
    expect(period('2026-03-02T00:00:00Z', '2026-03-03T00:00:00Z')).toBe('02 Mar 2026')
    expect(period('2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z')).toBe('01 Mar 2026 – 31 Mar 2026')
  })
})
