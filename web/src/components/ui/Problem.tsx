import { Button } from './Button'

/** What went wrong, in the server's words, and what to do next. */
export function Problem({ title, detail, retry }: { title: string; detail?: string | undefined; retry?: () => void }) {
  return (
    <div role="alert" className="rounded-lg border border-line bg-bad-soft px-4 py-3 text-sm text-bad">
      <p className="font-semibold">{title}</p>
      {detail !== undefined && <p className="mt-1">{detail}</p>}
      {retry !== undefined && (
        <Button className="mt-3" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  )
}
