import { tell } from '@/lib/tell'
import { Button } from './Button'

/** What could not be done, why in the server's words, and what to do next. */
export function Problem({ title, error, retry }: { title: string; error: unknown; retry?: (() => void) | undefined }) {
  const { reason, hint, fields, requestId } = tell(error)
  return (
    <div role="alert" className="rounded-lg border border-line bg-bad-soft px-4 py-3 text-sm text-bad">
      <p className="font-semibold">{title}</p>
      <p className="mt-1 [overflow-wrap:anywhere]">{reason}</p>
      {fields.length > 0 && (
        <ul className="mt-1 list-disc pl-5">
          {fields.map((f) => (
            <li key={f.field + f.message}>
              <span className="font-mono text-xs">{f.field}</span>: {f.message}
            </li>
          ))}
        </ul>
      )}
      {hint !== undefined && <p className="mt-1 font-medium">{hint}</p>}
      {requestId !== undefined && (
        <p className="mt-1">
          Request id <span className="font-mono text-xs select-all">{requestId}</span>
        </p>
      )}
      {retry !== undefined && (
        <Button className="mt-3" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  )
}
