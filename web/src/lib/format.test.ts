import { describe, expect, test } from 'vitest'
import { bytes, dayAfter, duration, moment, period, wholeSeconds, words } from './format'

describe('format', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [102_350, '100 KiB'],
    [1_048_575, '1.0 MiB'],
    [104_857_600, '100 MiB'],
    [5 * 1024 ** 5, '5120 TiB'],
  ])('%d bytes read %s', (n, text) => expect(bytes(n)).toBe(text))

  test.each([
    [-5, '0 ms'],
    [12, '12 ms'],
    [999.6, '1.0 s'],
    [1500, '1.5 s'],
    [9_999, '10 s'],
    [59_999, '1 min 0 s'],
    [61_000, '1 min 1 s'],
    [119_600, '2 min 0 s'],
    [3_599_600, '1 h 0 min'],
    [3_660_000, '1 h 1 min'],
    [3 * 86_400_000, '3 d 0 h'],
  ])('%d ms read %s', (n, text) => expect(duration(n)).toBe(text))

  test.each([
    [-3000, '0 s'],
    [0, '0 s'],
    [7000, '7 s'],
    [61_000, '1 min 1 s'],
  ])('%d ms between whole seconds read %s', (n, text) => expect(wholeSeconds(n)).toBe(text))

  test('a word of the API becomes words', () => {
    expect(words('DeliveredWithExclusions')).toBe('Delivered with exclusions')
    expect(words('Queued')).toBe('Queued')
  })

  test('the day after crosses months and years', () => {
    expect(dayAfter('2026-02-28')).toBe('2026-03-01T00:00:00Z')
    expect(dayAfter('2026-12-31')).toBe('2027-01-01T00:00:00Z')
  })

  test.each([
    ['UTC', '02 Mar 2026, 23:30:00 UTC'],
    ['Europe/Berlin', '03 Mar 2026, 00:30:00 CET'],
    ['Asia/Tokyo', '03 Mar 2026, 08:30:00 GMT+9'],
  ])('an instant in %s names its zone', (zone, text) => expect(moment('2026-03-02T23:30:00Z', zone)).toBe(text))

  test('what is no instant is shown as it is', () => {
    expect(moment('soon')).toBe('soon')
    expect(period('soon', 'later')).toBe('soon – later')
  })

  test.each([
    ['2026-03-02T00:00:00Z', '2026-03-03T00:00:00Z', '02 Mar 2026'],
    ['2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z', '01 Mar 2026 – 31 Mar 2026'],
    // The 2nd of March in Berlin: naming days of UTC would name two.
    ['2026-03-01T23:00:00Z', '2026-03-02T23:00:00Z', '01 Mar 2026, 23:00 – 02 Mar 2026, 23:00 UTC'],
    ['2026-03-02T00:00:00Z', '2026-03-02T12:00:00Z', '02 Mar 2026, 00:00 – 02 Mar 2026, 12:00 UTC'],
  ])('the period from %s to %s reads %s', (start, end, text) => expect(period(start, end)).toBe(text))
})
