/** A line that the runner wrote about a row, as a table shows it. Pure. The line: `rule`, `dataset`, `row`, `columns`, and `key` or `sameAs`. */

export interface Violation {
  id: string
  rule: string
  dataset: string
  row: string
  columns: string
  /** The key of the record, `column=value`, or the values themselves where the line has only these. */
  key: string
  what: string
}

export function violation(line: unknown, index: number): Violation {
  const of = (typeof line === 'object' && line !== null ? line : {}) as Record<string, unknown>
  return {
    id: String(index),
    rule: text(of['rule']),
    dataset: text(of['dataset']),
    row: text(of['row']),
    columns: Array.isArray(of['columns']) ? of['columns'].map(text).join(', ') : text(of['columns']),
    key: keyText(of['key']),
    what: of['sameAs'] === undefined ? 'breaks the rule' : `the same as row ${text(of['sameAs'])}`,
  }
}

function keyText(key: unknown): string {
  if (key === undefined || key === null) return '–'
  if (Array.isArray(key)) return key.map(text).join(', ')
  if (typeof key === 'object') {
    return Object.entries(key)
      .map(([column, value]) => `${column}=${text(value)}`)
      .join(', ')
  }
  return text(key)
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
