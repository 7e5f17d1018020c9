import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { Link, useSearchParams } from 'react-router'
import { Button } from '@/components/ui/Button'
import { Digest } from '@/components/ui/Digest'
import { Field } from '@/components/ui/Field'
import { Listing } from '@/components/ui/Listing'
import { Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import type { Column } from '@/components/ui/Table'
import { Time } from '@/components/ui/Time'
import { client, save, type Schema, unwrap } from '@/lib/client'
import { useMay, useSession } from '@/lib/session'

const COLUMNS: Column<Schema['AuditEntry']>[] = [
  { head: 'No.', numeric: true, cell: (e) => e.seq },
  { head: 'When', cell: (e) => <Time at={e.at} /> },
  {
    head: 'What',
    cell: (e) => (
      <>
        <span className="whitespace-nowrap">{e.action}</span>
        <span className="block text-xs text-soft">by {e.actor}</span>
      </>
    ),
  },
  { head: 'With what', cell: (e) => <Subject of={e.subject} /> },
  { head: 'Particulars', cell: (e) => <Particulars of={e.detail} /> },
  { head: 'Hash', cell: (e) => <Digest value={e.hash} of={`entry ${e.seq}`} /> },
]

/** The audit trail, newest first, all of it or about one thing, and its export for `openreg verify audit`. */
export function AuditPage() {
  const mayExport = useMay('audit.export')
  const tenant = useSession((session) => session.user?.tenant ?? '')
  const [search, setSearch] = useSearchParams()
  const subject = search.get('subject') ?? ''
  const action = search.get('action') ?? ''
  const filtered = subject !== '' || action !== ''
  const query = useInfiniteQuery({
    queryKey: ['audit', { subject, action }],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      unwrap(client.GET('/api/v1/audit', { params: { query: { ...(subject !== '' && { subject }), ...(action !== '' && { action }), ...(pageParam !== undefined && { after: pageParam }) } } })),
    getNextPageParam: (page) => page.next ?? undefined,
  })
  const exported = useMutation({ mutationFn: () => save(client.GET('/api/v1/audit/export', { parseAs: 'blob' }), `audit-${tenant}.jsonl`) })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const wanted = ['action', 'subject'].map((name) => [name, String(form.get(name) ?? '').trim()] as const)
    setSearch(Object.fromEntries(wanted.filter(([, value]) => value !== '')))
  }
  return (
    <Page
      title="Audit"
      subtitle={
        <>
          Who did what. Each entry holds the hash of the one before it: <code className="text-xs">openreg verify audit</code> proves an export.
        </>
      }
      actions={
        mayExport ? (
          <Button onClick={() => exported.mutate()} disabled={exported.isPending}>
            {exported.isPending ? 'Exporting…' : 'Export'}
          </Button>
        ) : null
      }
    >
      {exported.isError && <Problem title="The audit was not exported" error={exported.error} />}
      {/* Made anew when the address changes, so that the fields say what is shown. */}
      <form key={`${action} ${subject}`} onSubmit={submit} role="search" aria-label="Filter entries" className="flex flex-wrap items-end gap-3">
        <div className="w-56">
          <Field name="action" label="What" placeholder="run.ended" defaultValue={action} />
        </div>
        <div className="w-96 max-w-full">
          <Field name="subject" label="With what" placeholder="run/…, user/…" defaultValue={subject} />
        </div>
        <Button type="submit">Filter</Button>
        {filtered && <Button onClick={() => setSearch({})}>Show all</Button>}
      </form>
      <Listing
        what="entries"
        caption="Audit entries"
        query={query}
        rows={query.data?.pages.flatMap((page) => page.items)}
        columns={COLUMNS}
        rowKey={(e) => String(e.seq)}
        empty={filtered ? 'No entry is about that: both fields take whole names, such as run.ended and run/….' : 'Nothing has happened yet.'}
      />
    </Page>
  )
}

function Subject({ of }: { of: string }) {
  const run = /^run\/([0-9a-f-]{36})/.exec(of)?.[1]
  const text = <span className="inline-block min-w-56 font-mono text-xs [overflow-wrap:anywhere]">{of}</span>
  return run === undefined ? (
    text
  ) : (
    <Link to={`/runs/${run}`} className="text-accent hover:underline">
      {text}
    </Link>
  )
}

function Particulars({ of }: { of: object }) {
  if (Object.keys(of).length === 0) return <span className="text-soft">–</span>
  return (
    <details>
      <summary className="cursor-pointer text-soft">show</summary>
      <pre className="mt-1 max-w-96 font-mono text-xs whitespace-pre-wrap [overflow-wrap:anywhere]">{JSON.stringify(of, null, 2)}</pre>
    </details>
  )
}
