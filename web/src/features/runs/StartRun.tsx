import { type FormEvent, useRef, useState } from 'react'
import { useNavigate } from 'react-router'
import { Button } from '@/components/ui/Button'
import { Dialog } from '@/components/ui/Dialog'
import { Field, Select } from '@/components/ui/Field'
import { Problem } from '@/components/ui/Problem'
import type { Schema } from '@/lib/client'
import { dayAfter } from '@/lib/format'
import { randomKey } from '@/lib/random'
import { useMay } from '@/lib/session'
import { useReport, useReportNames, useStartRun } from './api'

/** Starts a run of a report for the days from one to another, both included. */
export function StartRun({ report }: { report: string | undefined }) {
  const [open, setOpen] = useState(false)
  const may = useMay('run.start')
  if (!may) return null
  return (
    <>
      <Button look="primary" onClick={() => setOpen(true)}>
        Start a run
      </Button>
      {open && (
        <Dialog titleId="start-title" close={() => setOpen(false)}>
          <Form report={report} close={() => setOpen(false)} />
        </Dialog>
      )}
    </>
  )
}

function Form({ report, close }: { report: string | undefined; close: () => void }) {
  const navigate = useNavigate()
  const [name, setName] = useState(report ?? '')
  const [days, setDays] = useState({ from: '', to: '' })
  // The same request has the same key, so that a second try after a lost answer starts no second run. Another has another.
  const tried = useRef<{ request: string; key: string } | null>(null)
  const names = useReportNames()
  const chosen = useReport(name)
  const start = useStartRun()

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (field: string) => String(form.get(field) ?? '')
    const parameters = Object.fromEntries((chosen.data?.parameters ?? []).map((p) => [p.name, text(`param.${p.name}`)] as const).filter(([, value]) => value !== ''))
    const body: Schema['StartRun'] = {
      report: name,
      period: { start: `${days.from}T00:00:00Z`, end: dayAfter(days.to) },
      parameters,
      ...(text('mode') === 'GenerateOnly' && { mode: 'GenerateOnly' as const }),
    }
    const request = JSON.stringify(body)
    if (tried.current?.request !== request) tried.current = { request, key: randomKey() }
    start.mutate({ key: tried.current.key, body }, { onSuccess: (detail) => void navigate(`/runs/${detail.run.id}`) })
  }

  // What a run is given is asked for before it can be sent.
  const ready = chosen.data !== undefined
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 text-sm">
      <h2 id="start-title" className="text-base font-semibold">
        Start a run
      </h2>
      {names.isError && <Problem title="Could not load the reports" error={names.error} retry={() => void names.refetch()} />}
      <Select label="Report" required value={name} onChange={(e) => setName(e.target.value)}>
        <option value="">{names.isPending ? 'Loading…' : 'Choose a report'}</option>
        {names.data?.items.map((r) => (
          <option key={r.name} value={r.name} disabled={!r.ready}>
            {r.title} ({r.version}){r.ready ? '' : ', not ready'}
          </option>
        ))}
      </Select>
      <div className="grid grid-cols-2 gap-3">
        <Field label="First day" type="date" required value={days.from} onChange={(e) => setDays({ from: e.target.value, to: days.to || e.target.value })} />
        <Field label="Last day" type="date" required min={days.from} value={days.to} onChange={(e) => setDays({ ...days, to: e.target.value })} />
      </div>
      <p className="-mt-2 text-xs text-soft">Days in UTC, from midnight to midnight.</p>
      {chosen.isError && <Problem title="Could not load what this report is given" error={chosen.error} retry={() => void chosen.refetch()} />}
      {chosen.data?.parameters.map((p) => <Parameter key={`${name} ${p.name}`} of={p} />)}
      <Select label="What it does" name="mode" defaultValue="Full">
        <option value="Full">Makes the file and delivers it</option>
        <option value="GenerateOnly">Makes the file only</option>
      </Select>
      {start.isError && <Problem title="The run was not started" error={start.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={close}>Close</Button>
        <Button type="submit" look="primary" disabled={start.isPending || (name !== '' && !ready)}>
          {start.isPending ? 'Starting…' : 'Start'}
        </Button>
      </div>
    </form>
  )
}

/** One parameter, as its type is written. The server has the last word on what it may be. */
function Parameter({ of }: { of: Schema['ReportParameter'] }) {
  const shared = { label: of.name, name: `param.${of.name}`, required: of.required && !of.default, defaultValue: of.default ?? '' }
  const values = of.type === 'Boolean' ? ['true', 'false'] : of.values
  if (of.type === 'Boolean' || of.type === 'Enum') {
    return (
      <Select {...shared}>
        <option value="">{of.required ? 'Choose' : 'not given'}</option>
        {values.map((value) => (
          <option key={value}>{value}</option>
        ))}
      </Select>
    )
  }
  const notes: Record<string, string> = { DateTime: 'Such as 2026-03-02T00:00:00Z', Integer: 'A whole number', Decimal: 'Such as 12.50' }
  return <Field {...shared} type={of.type === 'Date' ? 'date' : 'text'} inputMode={of.type === 'Integer' ? 'numeric' : of.type === 'Decimal' ? 'decimal' : undefined} note={of.pattern ? `Must match ${of.pattern}` : notes[of.type]} />
}
