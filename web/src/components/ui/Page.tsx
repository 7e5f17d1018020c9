import type { ReactNode } from 'react'

export function Page({ title, subtitle, actions, children }: { title: string; subtitle?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-6xl flex-col gap-5 p-6">
      <title>{`${title} · OpenReg`}</title>
      <header className="flex flex-wrap items-start justify-between gap-4">
        <div>
          <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
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
    <p role="status" className="animate-pulse px-4 py-8 text-center text-sm text-soft">
      Loading {what}…
    </p>
  )
}
