/** What the run pages ask the API. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { client, save, type Schema, unwrap } from '@/lib/client'
import type { RunFilter } from './pages'

/** Runs, newest first, in pages. */
export function useRuns(filter: RunFilter) {
  return useInfiniteQuery({
    queryKey: ['runs', filter] as const,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => unwrap(client.GET('/api/v1/runs', { params: { query: { ...filter, ...(pageParam !== undefined && { after: pageParam }) } } })),
    getNextPageParam: (page) => page.next ?? undefined,
  })
}

/** One run. */
export function useRun(id: string) {
  return useQuery({ queryKey: ['run', id], queryFn: () => unwrap(client.GET('/api/v1/runs/{id}', { params: { path: { id } } })) })
}

/** The most that the API gives at once. */
export const FIRST_VIOLATIONS = 200

/** The first violations of a run. */
export function useViolations(id: string, wanted: boolean) {
  return useQuery({ queryKey: ['violations', id], enabled: wanted, queryFn: () => unwrap(client.GET('/api/v1/runs/{id}/violations', { params: { path: { id }, query: { limit: FIRST_VIOLATIONS } } })) })
}

/** The reports that a run can be started of. */
export function useReportNames() {
  return useQuery({ queryKey: ['reports'], queryFn: () => unwrap(client.GET('/api/v1/reports')) })
}

/** What a report needs to run. */
export function useReport(name: string) {
  return useQuery({ queryKey: ['report', name], enabled: name !== '', queryFn: () => unwrap(client.GET('/api/v1/reports/{name}', { params: { path: { name } } })) })
}

/** Starts a run. The key makes a second try the same request. */
export function useStartRun() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ key, body }: { key: string; body: Schema['StartRun'] }) => unwrap(client.POST('/api/v1/runs', { params: { header: { 'Idempotency-Key': key } }, body })),
    onSuccess: (detail) => {
      queries.setQueryData(['run', detail.run.id], detail)
      void queries.invalidateQueries({ queryKey: ['runs'] })
    },
  })
}

/** Stops a run. */
export function useCancelRun(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (reason: string) => unwrap(client.POST('/api/v1/runs/{id}/cancel', { params: { path: { id } }, body: { reason } })),
    // Refused, too: it may have ended meanwhile.
    onSettled: () => queries.invalidateQueries({ queryKey: ['run', id] }),
  })
}

/** Fetches a file and hands it to the browser's downloads. */
export function useDownload(run: string) {
  return useMutation({ mutationFn: (name: string) => save(client.GET('/api/v1/runs/{id}/artifacts/{name}/content', { params: { path: { id: run, name } }, parseAs: 'blob' }), name) })
}
