import { type FormEvent, useRef } from 'react'
import { Button } from '@/components/ui/Button'
import { Problem } from '@/components/ui/Problem'
import { useMay } from '@/lib/session'
import { useCancelRun } from './api'

/** Stops a run, with a reason. What was sent stays sent: the run then says so. */
export function CancelRun({ id }: { id: string }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const cancel = useCancelRun(id)
  const may = useMay('run.cancel')
  if (!may) return null
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    cancel.mutate(String(new FormData(event.currentTarget).get('reason') ?? ''), { onSuccess: () => dialog.current?.close() })
  }
  return (
    <>
      <Button look="danger" onClick={() => dialog.current?.showModal()}>
        Stop
      </Button>
      <dialog ref={dialog} aria-labelledby="stop-title" className="m-auto w-full max-w-md rounded-xl border border-line bg-surface p-6 text-ink backdrop:bg-black/40">
        <form onSubmit={submit} className="flex flex-col gap-4">
          <h2 id="stop-title" className="font-semibold">
            Stop this run?
          </h2>
          <p className="text-sm text-soft">A file that the receiver already has stays there; the run will say so. A stopped run cannot go on: start another.</p>
          <label className="flex flex-col gap-1 text-sm font-medium">
            Reason
            <input name="reason" required maxLength={512} className="rounded-md border border-line bg-canvas px-3 py-2 font-normal" />
          </label>
          {cancel.isError && <Problem title={cancel.error.message} />}
          <div className="flex justify-end gap-2">
            <Button onClick={() => dialog.current?.close()}>Keep it running</Button>
            <Button type="submit" look="danger" disabled={cancel.isPending}>
              Stop the run
            </Button>
          </div>
        </form>
      </dialog>
    </>
  )
}
