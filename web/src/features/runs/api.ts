/** What the run pages ask the API. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { client, renew, type Schema, unwrap } from '@/lib/client'
import { useSession } from '@/lib/session'

const runsKey = (report: string | undefined) => ['runs', { report }] as const

/** Runs, newest first, in pages. */
export function useRuns(report: string | undefined) {
  useLive()
  return useInfiniteQuery({
    queryKey: runsKey(report),
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => unwrap(client.GET('/api/v1/runs', { params: { query: { ...(report && { report }), ...(pageParam && { after: pageParam }) } } })),
    getNextPageParam: (page) => page.next ?? undefined,
  })
}

/** One run. */
export function useRun(id: string) {
  useLive()
  return useQuery({ queryKey: ['run', id], queryFn: () => unwrap(client.GET('/api/v1/runs/{id}', { params: { path: { id } } })) })
}

/** The first violations of a run. */
export function useViolations(id: string, wanted: boolean) {
  return useQuery({ queryKey: ['violations', id], enabled: wanted, queryFn: () => unwrap(client.GET('/api/v1/runs/{id}/violations', { params: { path: { id }, query: { limit: 50 } } })) })
}

/** The reports that a run can be started of. */
export function useReportNames(wanted: boolean) {
  return useQuery({ queryKey: ['reports'], enabled: wanted, queryFn: () => unwrap(client.GET('/api/v1/reports')) })
}

/** What a report needs to run. */
export function useReport(name: string) {
  return useQuery({ queryKey: ['report', name], enabled: name !== '', queryFn: () => unwrap(client.GET('/api/v1/reports/{name}', { params: { path: { name } } })) })
}

/** Starts a run. The key makes a second click the same request. */
export function useStartRun() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ key, body }: { key: string; body: Schema['StartRun'] }) => unwrap(client.POST('/api/v1/runs', { params: { header: { 'Idempotency-Key': key } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['runs'] }),
  })
}

/** Stops a run. */
export function useCancelRun(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (reason: string) => unwrap(client.POST('/api/v1/runs/{id}/cancel', { params: { path: { id } }, body: { reason } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['run', id] }),
  })
}

/** Fetches a file and hands it to the browser's downloads. */
export async function downloadArtifact(run: string, name: string): Promise<void> {
  const answer = await client.GET('/api/v1/runs/{id}/artifacts/{name}/content', { params: { path: { id: run, name } }, parseAs: 'blob' })
  const file = (await unwrap(Promise.resolve(answer))) as unknown as Blob
  const url = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

/**
 * Follows the runs of the tenant: server-sent events, read with fetch because the token is a header. A closed stream is
 * opened again after a moment, and everything is read anew then, since something may have been missed.
 */
function useLive() {
  const queries = useQueryClient()
  useEffect(() => {
    const stop = new AbortController()
    const everything = () => {
      void queries.invalidateQueries({ queryKey: ['runs'] })
      void queries.invalidateQueries({ queryKey: ['run'] })
    }
    const follow = async () => {
      while (!stop.signal.aborted) {
        try {
          const answer = await fetch('/api/v1/runs/stream', { headers: { authorization: `Bearer ${useSession.getState().token ?? ''}` }, signal: stop.signal })
          if (answer.status === 401) await renew()
          else if (answer.ok && answer.body !== null) await read(answer.body, everything)
        } catch {
          // The connection broke or the page was left; the loop says which.
        }
        await new Promise((resolve) => setTimeout(resolve, 2000))
        if (!stop.signal.aborted) everything()
      }
    }
    void follow()
    return () => stop.abort()
  }, [queries])
}

async function read(body: ReadableStream<Uint8Array>, changed: () => void) {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    if (value.includes('event:')) changed()
  }
}
