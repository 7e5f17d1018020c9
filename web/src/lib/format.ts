/** Numbers and times as people read them. Times are shown in the reader's zone, with the full instant as a title. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytes(n: number): string {
  let value = n
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

export function count(n: number): string {
  return n.toLocaleString('en-GB')
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export function moment(iso: string): string {
  return new Date(iso).toLocaleString('en-GB', { day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

/** A half-open period: one day is shown as that day; the end is shown as the last day that belongs to it. */
export function period(start: string, end: string): string {
  const from = new Date(start)
  const last = new Date(new Date(end).getTime() - 1)
  const day = (d: Date) => d.toLocaleDateString('en-GB', { day: '2-digit', month: 'short', year: 'numeric', timeZone: 'UTC' })
  return day(from) === day(last) ? day(from) : `${day(from)} – ${day(last)}`
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
