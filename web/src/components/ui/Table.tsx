import type { ReactNode } from 'react'

export interface Column<T> {
  head: string
  cell: (row: T) => ReactNode
  /** Numbers are set right, so that digits stand under digits. */
  numeric?: boolean
}

interface Props<T> {
  caption: string
  columns: Column<T>[]
  rows: T[]
  rowKey: (row: T) => string
  empty: ReactNode
}

const SKELETON = ['w-3/4', 'w-1/2', 'w-2/3', 'w-3/5', 'w-1/2']

/** Rows under heads. While they are loading, lines stand in their places, so that nothing jumps when they come. */
export function Table<T>({ caption, columns, rows, rowKey, empty, loading = false }: Props<T> & { loading?: boolean }) {
  if (rows.length === 0 && !loading) return <div className="px-4 py-8 text-center text-sm text-soft">{empty}</div>
  return (
    <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={caption} aria-busy={loading}>
      {loading && (
        <p role="status" className="sr-only">
          Loading {caption.toLowerCase()}…
        </p>
      )}
      <table className="w-full text-sm">
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr className="border-b border-line bg-raised text-left text-xs text-soft">
            {columns.map((c) => (
              <th key={c.head} scope="col" className={`px-3 py-2 font-medium first:pl-4 last:pr-4 whitespace-nowrap ${c.numeric ? 'text-right' : ''}`}>
                {c.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {loading
            ? SKELETON.map((width, i) => (
                <tr key={i} aria-hidden className="border-b border-line last:border-0">
                  {columns.map((c) => (
                    <td key={c.head} className="px-3 py-2 first:pl-4 last:pr-4">
                      <span className={`my-1 block h-3 animate-pulse rounded bg-raised motion-reduce:animate-none ${width}`} />
                    </td>
                  ))}
                </tr>
              ))
            : rows.map((row) => (
                <tr key={rowKey(row)} className="border-b border-line last:border-0 hover:bg-raised/60">
                  {columns.map((c) => (
                    <td key={c.head} className={`px-3 py-2 align-top first:pl-4 last:pr-4 ${c.numeric ? 'text-right tabular-nums' : ''}`}>
                      {c.cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
        </tbody>
      </table>
    </div>
  )
}
