/**
 * The API's client, typed by its own OpenAPI document. A request that is refused for its token's age is sent once more
 * after the session was renewed by cookie.
 */
import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from '@/api/schema.gen'
import { useSession } from './session'

export type Schema = components['schemas']

/** An answer that is no success, in the server's words (RFC 9457). */
export class ApiError extends Error {
  readonly status: number
  readonly problem: Schema['ProblemDocument'] | undefined
  /** Under which the server's log knows more. */
  readonly requestId: string | undefined

  constructor(response: Response, body: unknown) {
    const problem = isProblem(body) ? body : undefined
    super(problem?.detail ?? `the server answered ${response.status}`)
    this.status = response.status
    this.problem = problem
    this.requestId = response.headers.get('x-request-id') ?? undefined
  }
}

/** There was no answer at all. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('the server cannot be reached', { cause })
  }
}

// What stands between, such as a proxy, answers in its own form.
function isProblem(body: unknown): body is Schema['ProblemDocument'] {
  return typeof body === 'object' && body !== null && typeof (body as { detail?: unknown }).detail === 'string'
}

// `fetch` is looked up at each call, so that a test can stand in for the server.
export const client = createClient<paths>({ baseUrl: location.origin, fetch: (request) => fetch(request) })

export type Renewal = 'renewed' | 'refused' | 'unreachable'

let renewing: Promise<Renewal> | null = null

/** Renews the session by cookie. All callers of this tab share one request, since a refresh token works once. */
export function renew(): Promise<Renewal> {
  renewing ??= alone(refresh).finally(() => {
    renewing = null
  })
  return renewing
}

/**
 * One tab at a time: two that send the same refresh token would look like a theft, and the server would end the session.
 * Without TLS the browser has no locks for pages; then only the requests of this tab are in order.
 */
function alone<T>(work: () => Promise<T>): Promise<T> {
  const locks = navigator.locks as LockManager | undefined
  // The types lose that the lock's promise is that of the work.
  return locks === undefined ? work() : (locks.request('openreg.session', work) as Promise<T>)
}

async function refresh(): Promise<Renewal> {
  try {
    // keepalive: the answer's cookie must be kept even if the page is left meanwhile, for the old one is used up.
    const answer = await fetch('/api/v1/auth/refresh', { method: 'POST', credentials: 'same-origin', headers: { 'content-type': 'application/json' }, body: '{}', keepalive: true })
    if (answer.status === 401) {
      useSession.getState().end()
      return 'refused'
    }
    // A server that is not well says nothing about the session.
    if (!answer.ok) return 'unreachable'
    useSession.getState().begin((await answer.json()) as Schema['SessionOpened'])
    return 'renewed'
  } catch {
    return 'unreachable'
  }
}

/** Ends the session at the server, then here. While the server does not answer it is not over: the cookie is still good. */
export async function logOut(): Promise<void> {
  await renewing
  await alone(() => finished(client.POST('/api/v1/auth/logout', { body: {} })))
  useSession.getState().end()
}

/** What the server answers without a token, or answers with 401 for another reason than the token's age. */
const OPEN = ['/api/v1/auth/login', '/api/v1/auth/refresh', '/api/v1/auth/logout']

const spares = new WeakMap<Request, Request>()

const authenticate: Middleware = {
  onRequest({ request }) {
    const { token } = useSession.getState()
    if (token !== null) request.headers.set('authorization', `Bearer ${token}`)
    // Sending spends a body: one to spare, in case it has to be sent again.
    if (request.body !== null) spares.set(request, request.clone())
    return request
  },
  async onResponse({ request, response }) {
    if (response.status !== 401 || OPEN.some((path) => request.url.endsWith(path))) return response
    const { token } = useSession.getState()
    // Another request may have renewed the session while this one was under way.
    const stale = token !== null && request.headers.get('authorization') !== `Bearer ${token}`
    if (!stale && (await renew()) !== 'renewed') return response
    const again = new Request(spares.get(request) ?? request)
    again.headers.set('authorization', `Bearer ${useSession.getState().token ?? ''}`)
    return fetch(again)
  },
  onError({ error }) {
    return error instanceof TypeError ? new Unreachable(error) : undefined
  },
}

client.use(authenticate)

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The data of an answer, or its error thrown. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call
  if (data === undefined || !response.ok) throw new ApiError(response, error)
  return data
}

/** Waits for an answer without data, or throws its error. */
export async function finished(call: Promise<Answer<unknown>>): Promise<void> {
  const { error, response } = await call
  if (!response.ok) throw new ApiError(response, error)
}

/** Waits for an answer that is a file, and hands it to the browser's downloads. An empty file is a file. */
export async function save(call: Promise<Answer<unknown>>, name: string): Promise<void> {
  let answer
  try {
    answer = await call
  } catch (error) {
    // The head of the answer came, and then the connection broke: the server does that when a file is not what was sealed.
    if (error instanceof TypeError) throw new BrokenOff(error)
    throw error
  }
  const { data, error, response } = answer
  if (!response.ok) throw new ApiError(response, error)
  const url = URL.createObjectURL(data instanceof Blob ? data : new Blob([]))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // Some browsers begin to read only after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** A transfer that ended before its end. */
export class BrokenOff extends Error {
  constructor(cause: unknown) {
    super('the transfer broke off before its end', { cause })
  }
}
