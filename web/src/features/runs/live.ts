/**
 * Follows the runs of the tenant: server-sent events, read with fetch because the token is a header. One stream for all
 * pages, and none while nobody looks: over HTTP/1.1 a browser has six connections for all tabs of a server together.
 */
import { type InfiniteData, type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { create } from 'zustand'
import { renew, type Schema } from '@/lib/client'
import { useSession } from '@/lib/session'
import { eventReader } from '@/lib/sse'
import { type RunFilter, withRun } from './pages'

/** Whether what the pages show follows along. */
export const useLive = create<{ state: 'connecting' | 'live' | 'broken' }>(() => ({ state: 'connecting' }))

/** The server gives a sign of life every 15 s: after three that did not come, the connection is dead. */
const SILENCE_MS = 45_000
const FIRST_DELAY_MS = 1000
const LONGEST_DELAY_MS = 30_000

/** Keeps all that was read about runs up to date while the page is looked at. */
export function useLiveRuns() {
  const queries = useQueryClient()
  useEffect(() => {
    let stop: AbortController | null = null
    const look = () => {
      if (document.visibilityState === 'hidden') {
        stop?.abort()
        stop = null
      } else if (stop === null) {
        stop = new AbortController()
        void follow(queries, stop.signal)
      }
    }
    look()
    document.addEventListener('visibilitychange', look)
    return () => {
      document.removeEventListener('visibilitychange', look)
      stop?.abort()
    }
  }, [queries])
}

async function follow(queries: QueryClient, stop: AbortSignal) {
  let delay = FIRST_DELAY_MS
  while (!stop.aborted) {
    const end = await connect(queries, stop)
    if (stop.aborted || end === 'refused') return
    if (end === 'ended') delay = FIRST_DELAY_MS
    else useLive.setState({ state: 'broken' })
    // Spread, so that a server that restarts is not asked by everybody at once.
    await pause(delay * (0.5 + Math.random()), stop)
    delay = Math.min(delay * 2, LONGEST_DELAY_MS)
  }
}

/** One connection from its begin to its end. `ended`: it was good, and is over, as when the token's time is. */
async function connect(queries: QueryClient, stop: AbortSignal): Promise<'ended' | 'failed' | 'refused'> {
  const silent = new AbortController()
  let timer = setTimeout(() => silent.abort(), SILENCE_MS)
  let good = false
  try {
    const signal = AbortSignal.any([stop, silent.signal])
    const ask = () => fetch('/api/v1/runs/stream', { headers: { authorization: `Bearer ${useSession.getState().token ?? ''}` }, signal })
    let answer = await ask()
    if (answer.status === 401) {
      const renewal = await renew()
      if (renewal !== 'renewed') return renewal === 'refused' ? 'refused' : 'failed'
      answer = await ask()
    }
    if (answer.status === 403) return 'refused'
    if (!answer.ok || answer.body === null) return 'failed'
    good = true
    useLive.setState({ state: 'live' })
    // What happened while nobody listened is read once; at the first time, too: the page may have read before this began.
    void everything(queries)
    const read = eventReader()
    const text = new TextDecoder()
    const reader = answer.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return 'ended'
      clearTimeout(timer)
      timer = setTimeout(() => silent.abort(), SILENCE_MS)
      for (const { event, data } of read(text.decode(value, { stream: true }))) {
        if (event === 'run') changed(queries, JSON.parse(data) as Schema['RunSummary'])
        else if (event === 'gap') void everything(queries)
      }
    }
  } catch {
    // The connection broke, or the page was left: the caller's signal says which.
    return good ? 'ended' : 'failed'
  } finally {
    clearTimeout(timer)
  }
}

function everything(queries: QueryClient): Promise<unknown> {
  return Promise.all(['runs', 'run', 'reports'].map((key) => queries.invalidateQueries({ queryKey: [key] })))
}

/** Puts the run into the lists that show it, and reads anew what its event does not tell. */
export function changed(queries: QueryClient, run: Schema['RunSummary']) {
  for (const [key, data] of queries.getQueriesData<InfiniteData<Schema['RunPage']>>({ queryKey: ['runs'] })) {
    if (data !== undefined) queries.setQueryData(key, { ...data, pages: withRun(data.pages, run, key[1] as RunFilter) })
  }
  // A read that is under way is taken up again by the next event; one at a time is enough.
  void queries.invalidateQueries({ queryKey: ['run', run.id] }, { cancelRefetch: true })
  if (run.outcome) void queries.invalidateQueries({ queryKey: ['reports'] })
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    stop.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
