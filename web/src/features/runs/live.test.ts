import { QueryClient } from '@tanstack/react-query'
import { renderHook, waitFor } from '@testing-library/react'
import { createElement, type ReactNode } from 'react'
import { QueryClientProvider } from '@tanstack/react-query'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { useSession } from '@/lib/session'
import { json, problem, run, session } from '@/testing/samples'
import { useLive, useLiveRuns } from './live'

/** An event stream that the test feeds. */
function stream() {
  let to: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      to = controller
    },
  })
  return { answer: new Response(body, { status: 200 }), send: (text: string) => to?.enqueue(new TextEncoder().encode(text)), end: () => to?.close() }
}

let queries: QueryClient
const follow = () => renderHook(() => useLiveRuns(), { wrapper: ({ children }: { children: ReactNode }) => createElement(QueryClientProvider, { client: queries }, children) })
const key = ['runs', {}]
const listed = () => queries.getQueryData<{ pages: { items: { outcome?: string }[] }[] }>(key)?.pages[0]?.items.map((item) => item.outcome)

beforeEach(() => {
  queries = new QueryClient()
  queries.setQueryData(key, { pages: [{ items: [run()] }], pageParams: [undefined] })
  useSession.getState().begin(session())
  useLive.setState({ state: 'connecting' })
  vi.spyOn(Math, 'random').mockReturnValue(0)
})
afterEach(() => vi.restoreAllMocks())

describe('the live view', () => {
  test('puts a run that changed into the lists without reading them again', async () => {
    const one = stream()
    const asked = vi.fn(() => Promise.resolve(one.answer))
    vi.stubGlobal('fetch', asked)
    follow()
    const text = `event: run\ndata: ${JSON.stringify(run({ outcome: 'Delivered' }))}\n\n`
    one.send(text.slice(0, 9))
    one.send(text.slice(9))
    await waitFor(() => expect(listed()).toEqual(['Delivered']))
    expect(useLive.getState().state).toBe('live')
    expect(asked).toHaveBeenCalledTimes(1)
  })

  test('reads everything anew after a gap and after a connection that broke', async () => {
    const streams = [stream(), stream()]
    let n = 0
    vi.stubGlobal('fetch', () => Promise.resolve(streams[n++]?.answer ?? problem(503, 'away')))
    const again = vi.spyOn(queries, 'invalidateQueries')
    follow()
    const read = () => again.mock.calls.map(([filter]) => filter?.queryKey?.[0])
    const all = ['runs', 'run', 'reports']
    await waitFor(() => expect(read()).toEqual(all))
    streams[0]?.send('event: gap\ndata: {}\n\n')
    await waitFor(() => expect(read()).toEqual([...all, ...all]))
    streams[0]?.end()
    await waitFor(() => expect(read()).toEqual([...all, ...all, ...all]), { timeout: 3000 })
  })

  test('holds no connection while nobody looks, and catches up when somebody does', async () => {
    const streams: ReturnType<typeof stream>[] = []
    const signals: (AbortSignal | undefined)[] = []
    vi.stubGlobal('fetch', (_: string, init?: RequestInit) => {
      signals.push(init?.signal ?? undefined)
      const one = stream()
      streams.push(one)
      return Promise.resolve(one.answer)
    })
    const look = (state: string) => {
      vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state as DocumentVisibilityState)
      document.dispatchEvent(new Event('visibilitychange'))
    }
    follow()
    await waitFor(() => expect(useLive.getState().state).toBe('live'))
    look('hidden')
    expect(signals[0]?.aborted).toBe(true)
    const again = vi.spyOn(queries, 'invalidateQueries')
    look('visible')
    await waitFor(() => expect(again).toHaveBeenCalledTimes(3))
    expect(streams).toHaveLength(2)
  })

  test('renews a session whose token is over, and goes on', async () => {
    const one = stream()
    const paths: string[] = []
    vi.stubGlobal('fetch', (path: string, init?: { headers?: Record<string, string> }) => {
      paths.push(path)
      if (path.endsWith('/refresh')) return Promise.resolve(json(session({ accessToken: 'token-2' })))
      return Promise.resolve(init?.headers?.['authorization'] === 'Bearer token-2' ? one.answer : problem(401, 'over'))
    })
    follow()
    await waitFor(() => expect(useLive.getState().state).toBe('live'))
    expect(paths).toEqual(['/api/v1/runs/stream', '/api/v1/auth/refresh', '/api/v1/runs/stream'])
  })

  test('says that the connection is lost, and does not ask again where it is not allowed to', async () => {
    const asked = vi.fn(() => Promise.resolve(problem(503, 'away')))
    vi.stubGlobal('fetch', asked)
    follow().unmount()
    asked.mockClear()
    follow()
    await waitFor(() => expect(useLive.getState().state).toBe('broken'))
    asked.mockResolvedValue(problem(403, 'no'))
    await waitFor(() => expect(asked).toHaveBeenCalledTimes(2), { timeout: 3000 })
    await new Promise((resolve) => setTimeout(resolve, 1200))
    expect(asked).toHaveBeenCalledTimes(2)
  })
})
