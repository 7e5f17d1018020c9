import { moment } from '@/lib/format'

/** An instant in the reader's zone, which is named; in UTC when pointed at. */
export function Time({ at }: { at: string | null | undefined }) {
  if (at === null || at === undefined) return <span className="text-soft">–</span>
  return (
    <time dateTime={at} title={at} className="whitespace-nowrap">
      {moment(at)}
    </time>
  )
}
