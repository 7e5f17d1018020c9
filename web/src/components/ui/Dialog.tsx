import { type ReactNode, useEffect, useRef } from 'react'

/** What stands before the page until it is closed. The focus goes in, stays in, and comes back where it was. */
export function Dialog({ titleId, close, children }: { titleId: string; close: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby={titleId} className="m-auto max-h-[90vh] w-full max-w-md overflow-y-auto rounded-xl border border-line bg-surface p-6 text-ink backdrop:bg-black/40">
      {children}
    </dialog>
  )
}
