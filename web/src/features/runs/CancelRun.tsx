import { type FormEvent, useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Dialog } from '@/components/ui/Dialog'
import { Field } from '@/components/ui/Field'
import { Problem } from '@/components/ui/Problem'
import { useMay } from '@/lib/session'
import { useCancelRun } from './api'

/** Stops a run, with a reason. What was sent stays sent: the run then says so. */
export function CancelRun({ id }: { id: string }) {
  const [open, setOpen] = useState(false)
  const may = useMay('run.cancel')
  if (!may) return null
  return (
    <>
      <Button look="danger" onClick={() => setOpen(true)}>
        Stop
      </Button>
      {open && (
        <Dialog titleId="stop-title" close={() => setOpen(false)}>
          <Form id={id} close={() => setOpen(false)} />
        </Dialog>
      )}
    </>
  )
}

function Form({ id, close }: { id: string; close: () => void }) {
  const cancel = useCancelRun(id)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    cancel.mutate(String(new FormData(event.currentTarget).get('reason') ?? ''), { onSuccess: close })
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <h2 id="stop-title" className="font-semibold">
        Stop this run?
      </h2>
      <p className="text-sm text-soft">A file that the receiver already has stays there; the run will say so. A stopped run cannot go on: start another.</p>
      <Field label="Reason" note="It is kept with the run and in the audit." name="reason" required maxLength={512} autoFocus />
      {cancel.isError && <Problem title="The run was not stopped" error={cancel.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={close}>Keep it running</Button>
        <Button type="submit" look="danger" disabled={cancel.isPending}>
          {cancel.isPending ? 'Stopping…' : 'Stop the run'}
        </Button>
      </div>
    </form>
  )
}
