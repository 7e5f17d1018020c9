import { type FormEvent, useRef, useState } from 'react'
import { useNavigate } from 'react-router'
import { Button } from '@/components/ui/Button'
import { Problem } from '@/components/ui/Problem'
import { ApiError } from '@/lib/client'
import { dayAfter } from '@/lib/format'
import { randomKey } from '@/lib/random'
import { useMay } from '@/lib/session'
import { useReport, useReportNames, useStartRun } from './api'

const FIELD = 'rounded-md border border-line bg-canvas px-3 py-2 font-normal'

/** Starts a run of a report for the days from one to another, both included. */
export function StartRun({ report }: { report: string | undefined }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [open, setOpen] = useState(false)
  const may = useMay('run.start')
  if (!may) return null
  return (
    <>
      <Button
        look="primary"
        onClick={() => {
          setOpen(true)
          dialog.current?.showModal()
        }}
      >
        Start a run
      </Button>
      <dialog ref={dialog} onClose={() => setOpen(false)} aria-labelledby="start-title" className="m-auto w-full max-w-md rounded-xl border border-line bg-surface p-6 text-ink backdrop:bg-black/40">
        {open && <Form report={report} close={() => dialog.current?.close()} />}
      </dialog>
    </>
  )
}

function Form({ report, close }: { report: string | undefined; close: () => void }) {
  const navigate = useNavigate()
  const [name, setName] = useState(report ?? '')
  // One key for this opening of the form: pressing twice starts one run.
  const [key] = useState(randomKey)
  const names = useReportNames(true)
  const chosen = useReport(name)
  const start = useStartRun()

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (field: string) => String(form.get(field) ?? '')
    const parameters = Object.fromEntries((chosen.data?.parameters ?? []).map((p) => [p.name, text(`param.${p.name}`)] as const).filter(([, value]) => value !== ''))
    start.mutate(
      { key, body: { report: name, period: { start: `${text('from')}T00:00:00Z`, end: dayAfter(text('to')) }, parameters } },
      { onSuccess: (detail) => void navigate(`/runs/${detail.run.id}`) },
    )
  }

  const problems = start.error instanceof ApiError ? (start.error.problem?.errors ?? []) : []
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 text-sm">
      <h2 id="start-title" className="text-base font-semibold">
        Start a run
      </h2>
      <label className="flex flex-col gap-1 font-medium">
        Report
        <select required value={name} onChange={(e) => setName(e.target.value)} className={FIELD}>
          <option value="">Choose a report</option>
          {names.data?.items.map((r) => (
            <option key={r.name} value={r.name} disabled={!r.ready}>
              {r.title} ({r.version}){r.ready ? '' : ', not ready'}
            </option>
          ))}
        </select>
      </label>
      <div className="grid grid-cols-2 gap-3">
        <label className="flex flex-col gap-1 font-medium">
          First day
          <input name="from" type="date" required className={FIELD} />
        </label>
        <label className="flex flex-col gap-1 font-medium">
          Last day
          <input name="to" type="date" required className={FIELD} />
        </label>
      </div>
      {chosen.data?.parameters.map((p) => (
        <label key={p.name} className="flex flex-col gap-1 font-medium">
          {p.name}
          <input name={`param.${p.name}`} required={p.required} defaultValue={p.default ?? ''} className={FIELD} />
        </label>
      ))}
      {start.isError && <Problem title={start.error.message} detail={problems.map((p) => `${p.field}: ${p.message}`).join(' · ') || undefined} />}
      <div className="flex justify-end gap-2">
        <Button onClick={close}>Close</Button>
        <Button type="submit" look="primary" disabled={start.isPending}>
          {start.isPending ? 'Starting…' : 'Start'}
        </Button>
      </div>
    </form>
  )
}

