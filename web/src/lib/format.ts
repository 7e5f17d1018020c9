/** Numbers and times as people read them. Times are shown in the reader's zone, with its name, and in UTC as a title. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytes(n: number): string {
  let value = n
  let unit = 0
  // 1023.96 KiB would be shown as 1024 KiB.
  while (unit < UNITS.length - 1 && Math.round(value * 10) / 10 >= 1024) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

export function count(n: number): string {
  return n.toLocaleString('en-GB')
}

export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(Math.max(0, ms))} ms`
  // Rounded first, so that no 60 s are left over.
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** A duration between instants that are known to the second. */
export function wholeSeconds(ms: number): string {
  return ms < 10_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : duration(ms)
}

const DAY: Intl.DateTimeFormatOptions = { day: '2-digit', month: 'short', year: 'numeric' }
const TIME: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' }

export function moment(iso: string, timeZone?: string): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  return at.toLocaleString('en-GB', { ...DAY, ...TIME, ...(timeZone !== undefined && { timeZone }) })
}

const DAY_MS = 24 * 3600 * 1000

/**
 * A half-open period. Whole days of UTC are shown as days, the last one being the last that belongs to it. Any other
 * period, such as a day of another zone, is shown by its instants, for naming days would name the wrong ones.
 */
export function period(start: string, end: string): string {
  const [from, to] = [new Date(start), new Date(end)]
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return `${start} – ${end}`
  if (from.getTime() % DAY_MS === 0 && to.getTime() % DAY_MS === 0) {
    const day = (d: Date) => d.toLocaleDateString('en-GB', { ...DAY, timeZone: 'UTC' })
    const last = new Date(to.getTime() - 1)
    return day(from) === day(last) ? day(from) : `${day(from)} – ${day(last)}`
  }
  const instant = (d: Date) => d.toLocaleString('en-GB', { ...DAY, hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })
  return `${instant(from)} – ${instant(to)} UTC`
}

export function shortDigest(sha256: string): string {
  return `${sha256.slice(0, 12)}…`
}

/** Midnight UTC after a day: a period's end is exclusive. */
export function dayAfter(day: string): string {
  const next = new Date(`${day}T00:00:00Z`)
  next.setUTCDate(next.getUTCDate() + 1)
  return next.toISOString().replace('.000Z', 'Z')
}

/** A CamelCase word of the API as people read it: `DeliveredWithExclusions` becomes `Delivered with exclusions`. */
export function words(camelCase: string): string {
  return camelCase.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
