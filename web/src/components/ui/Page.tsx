import type { ReactNode } from 'react'

export function Page({ title, subtitle, actions, children }: { title: string; subtitle?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-5 p-4 sm:p-6">
      <title>{`${title} · OpenReg`}</title>
      <header className="flex flex-wrap items-start justify-between gap-4">
        <div className="min-w-0">
          <h1 className="text-xl font-semibold tracking-tight [overflow-wrap:anywhere]">{title}</h1>
          {subtitle !== undefined && <p className="mt-0.5 text-sm text-soft">{subtitle}</p>}
        </div>
        {actions}
      </header>
      {children}
    </div>
  )
}

export function Loading({ what }: { what: string }) {
  return (
    <p role="status" className="animate-pulse px-4 py-8 text-center text-sm text-soft motion-reduce:animate-none">
      Loading {what}…
    </p>
  )
}

/** Empty cards as high as what will stand there. */
export function Skeleton({ what, heights }: { what: string; heights: string[] }) {
  return (
    <>
      <p role="status" className="sr-only">
        Loading {what}…
      </p>
      {heights.map((height, i) => (
        <div key={i} aria-hidden className={`animate-pulse rounded-lg border border-line bg-surface motion-reduce:animate-none ${height}`} />
      ))}
    </>
  )
}
