import type { ReactNode } from 'react'
import { Button } from './Button'
import { Card } from './Card'
import { Problem } from './Problem'
import { type Column, Table } from './Table'

interface Query {
  isPending: boolean
  isError: boolean
  error: unknown
  refetch: () => unknown
}

interface Pages extends Query {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => unknown
}

interface Props<T> {
  /** What is listed, in the plural, as it stands in a sentence: `runs`. */
  what: string
  caption: string
  title?: string
  query: Query | Pages
  rows: T[] | undefined
  columns: Column<T>[]
  rowKey: (row: T) => string
  empty: ReactNode
}

/** A list out of a query: loading, refused, empty, rows, and the next page. Rows that are there stay when a later read fails. */
export function Listing<T>({ what, caption, title, query, rows, columns, rowKey, empty }: Props<T>) {
  const more = 'hasNextPage' in query && query.hasNextPage ? query : null
  return (
    <>
      {query.isError && <Problem title={rows === undefined ? `Could not load the ${what}` : `Could not bring the ${what} up to date: this is how they were`} error={query.error} retry={() => void query.refetch()} />}
      {(rows !== undefined || query.isPending) && (
        <Card {...(title !== undefined && { title })} flush>
          <Table caption={caption} columns={columns} rows={rows ?? []} rowKey={rowKey} empty={empty} loading={query.isPending} />
        </Card>
      )}
      {more !== null && (
        <div className="text-center">
          <Button onClick={() => void more.fetchNextPage()} disabled={more.isFetchingNextPage}>
            {more.isFetchingNextPage ? 'Loading…' : `Show older ${what}`}
          </Button>
        </div>
      )}
    </>
  )
}
