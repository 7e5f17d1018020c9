import { describe, expect, test, vi } from 'vitest'
import { json, problem, session } from '@/testing/samples'
import { ApiError, BrokenOff, client, finished, logOut, renew, save, Unreachable, unwrap } from './client'
import { useSession } from './session'

interface Sent {
  path: string
  method: string
  token: string | null
  body: string
}

/** Stands in for the server, and notes what it was sent. */
function server(answer: (sent: Sent, count: number) => Response | Promise<Response>): Sent[] {
  const sent: Sent[] = []
  vi.stubGlobal('fetch', async (input: string | Request, init?: RequestInit) => {
    const request = typeof input === 'string' ? new Request(new URL(input, location.origin), init) : input
    const one = { path: new URL(request.url).pathname, method: request.method, token: request.headers.get('authorization'), body: await request.text() }
    sent.push(one)
    return answer(one, sent.length)
  })
  return sent
}

const paths = (sent: Sent[]) => sent.map((s) => s.path)
const begin = (accessToken = 'old') => useSession.getState().begin(session({ accessToken }))

/** Refuses every token but `new`, and gives it for the cookie. */
const aged = (sent: Sent) => {
  if (sent.path.endsWith('/auth/refresh')) return json(session({ accessToken: 'new' }))
  return sent.token === 'Bearer new' ? json({ items: [] }) : problem(401, 'the token is over')
}

describe('a session that goes on', () => {
  test('many requests that are refused at once renew it once, and all are sent again', async () => {
    begin()
    const sent = server(aged)
    const calls = Array.from({ length: 6 }, () => unwrap(client.GET('/api/v1/reports')))
    for (const answer of await Promise.all(calls)) expect(answer).toEqual({ items: [] })
    expect(paths(sent).filter((p) => p.endsWith('/auth/refresh'))).toHaveLength(1)
    expect(sent.filter((s) => s.token === 'Bearer new')).toHaveLength(6)
  })

  test('a refusal that comes after another request has renewed does not renew again', async () => {
    begin()
    const sent = server((one) => {
      if (one.token === 'Bearer old') useSession.getState().begin(session({ accessToken: 'new' }))
      return aged(one)
    })
    await unwrap(client.GET('/api/v1/reports'))
    expect(paths(sent)).toEqual(['/api/v1/reports', '/api/v1/reports'])
  })

  test('what has a body is sent again with its body and its key', async () => {
    begin()
    const sent = server((one) => (one.path.endsWith('/cancel') && one.token === 'Bearer new' ? json({ run: {} }, 202) : aged(one)))
    await unwrap(client.POST('/api/v1/runs/{id}/cancel', { params: { path: { id: 'x' } }, body: { reason: 'wrong day' } }))
    expect(sent.filter((s) => s.path.endsWith('/cancel')).map((s) => s.body)).toEqual(['{"reason":"wrong day"}', '{"reason":"wrong day"}'])
  })

  test('another password is a request like others: its token may be too old', async () => {
    begin()
    server((one) => (one.path.endsWith('/auth/password') && one.token === 'Bearer new' ? new Response(null, { status: 204 }) : aged(one)))
    await expect(finished(client.POST('/api/v1/auth/password', { body: { current: 'a', new: 'b' } }))).resolves.toBeUndefined()
  })

  test('a request that is refused with the new token, too, is not sent a third time', async () => {
    begin()
    const sent = server((one) => (one.path.endsWith('/auth/refresh') ? json(session({ accessToken: 'new' })) : problem(401, 'no')))
    await expect(unwrap(client.GET('/api/v1/reports'))).rejects.toMatchObject({ status: 401 })
    expect(sent).toHaveLength(3)
  })
})

describe('a session that ends', () => {
  test('a refused renewal ends it here', async () => {
    begin()
    server(() => problem(401, 'the session is over: log in again'))
    expect(await renew()).toBe('refused')
    expect(useSession.getState()).toMatchObject({ token: null, user: null, known: true })
  })

  test.each([
    ['a server without its database', () => problem(503, 'could not answer')],
    ['a proxy without a server', () => new Response('<html>', { status: 502 })],
    ['no answer', () => Promise.reject(new TypeError('Failed to fetch'))],
  ])('%s does not end it', async (_, answer) => {
    begin()
    server(answer)
    expect(await renew()).toBe('unreachable')
    expect(useSession.getState().user?.name).toBe('ann')
  })

  test('a wrong password is not a reason to renew', async () => {
    const sent = server(() => problem(401, 'tenant, user or password is wrong'))
    await expect(unwrap(client.POST('/api/v1/auth/login', { body: { tenant: 't', user: 'u', password: 'p' } }))).rejects.toThrow('tenant, user or password is wrong')
    expect(sent).toHaveLength(1)
  })

  test('who logs out while the server is away stays logged in, and is told', async () => {
    begin()
    server(() => Promise.reject(new TypeError('Failed to fetch')))
    await expect(logOut()).rejects.toBeInstanceOf(Unreachable)
    expect(useSession.getState().user?.name).toBe('ann')
  })

  test('log-out waits for a renewal that is under way, whose cookie it must send', async () => {
    begin()
    const order: string[] = []
    server(async (one) => {
      order.push(`begin ${one.path}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      order.push(`end ${one.path}`)
      return one.path.endsWith('/logout') ? new Response(null, { status: 204 }) : json(session())
    })
    const renewal = renew()
    await logOut()
    await renewal
    expect(order).toEqual(['begin /api/v1/auth/refresh', 'end /api/v1/auth/refresh', 'begin /api/v1/auth/logout', 'end /api/v1/auth/logout'])
    expect(useSession.getState().user).toBeNull()
  })
})

describe('answers', () => {
  test('an error carries the words of the server and its request id', async () => {
    server(() => problem(422, '1 of the fields is wrong', [{ field: 'period.end', message: 'must be later' }]))
    const error = await unwrap(client.GET('/api/v1/reports')).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 422, message: '1 of the fields is wrong', requestId: 'req-7', problem: { errors: [{ field: 'period.end' }] } })
  })

  test('what is no problem document is not shown as one', async () => {
    server(() => new Response('<html>bad gateway</html>', { status: 502 }))
    await expect(unwrap(client.GET('/api/v1/reports'))).rejects.toThrow('the server answered 502')
  })

  const file = (answer: () => Response) => {
    server(answer)
    const urls: Blob[] = []
    URL.createObjectURL = (blob) => {
      urls.push(blob as Blob)
      return 'blob:x'
    }
    URL.revokeObjectURL = () => undefined
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined)
    return { urls, saved: save(client.GET('/api/v1/audit/export', { parseAs: 'blob' }), 'a.jsonl') }
  }

  test('an empty file is a file', async () => {
    const { urls, saved } = file(() => new Response('', { status: 200, headers: { 'content-length': '0' } }))
    await saved
    expect(urls.map((blob) => blob.size)).toEqual([0])
  })

  test('a file that breaks off is not saved', async () => {
    const { urls, saved } = file(() => {
      const body = new ReadableStream({
        start(to) {
          to.enqueue(new TextEncoder().encode('half'))
          to.error(new TypeError('network error'))
        },
      })
      return new Response(body, { status: 200 })
    })
    await expect(saved).rejects.toBeInstanceOf(BrokenOff)
    expect(urls).toEqual([])
  })
})
