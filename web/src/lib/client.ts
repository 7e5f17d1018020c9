/**
 * The API's client, typed by its own OpenAPI document. A request that is refused for its age is tried once more after the
 * session was renewed by cookie.
 */
import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from '@/api/schema.gen'
import { useSession } from './session'

export type Schema = components['schemas']

/** An answer that is no success, in the server's words (RFC 9457). */
export class ApiError extends Error {
  readonly status: number
  readonly problem: Schema['ProblemDocument'] | undefined

  constructor(status: number, problem: Schema['ProblemDocument'] | undefined) {
    super(problem?.detail ?? `The server answered ${status}`)
    this.status = status
    this.problem = problem
  }
}

export const client = createClient<paths>({ baseUrl: '/' })

let renewing: Promise<boolean> | null = null

/** Renews the session by cookie; many callers share one request, since a refresh token works once. */
export function renew(): Promise<boolean> {
  renewing ??= fetch('/api/v1/auth/refresh', { method: 'POST', credentials: 'same-origin', headers: { 'content-type': 'application/json' }, body: '{}' })
    .then(async (answer) => {
      if (!answer.ok) {
        useSession.getState().end()
        return false
      }
      const session = (await answer.json()) as Schema['SessionOpened']
      useSession.getState().begin(session.accessToken, session.user)
      return true
    })
    .catch(() => false)
    .finally(() => {
      renewing = null
    })
  return renewing
}

const authenticate: Middleware = {
  onRequest({ request }) {
    const { token } = useSession.getState()
    if (token !== null) request.headers.set('authorization', `Bearer ${token}`)
    return request
  },
  async onResponse({ request, response }) {
    if (response.status !== 401 || request.url.includes('/auth/')) return response
    if (!(await renew())) return response
    // The body of the first try is spent: only what has none is tried again here.
    if (request.method !== 'GET') return response
    return fetch(request.url, { headers: { authorization: `Bearer ${useSession.getState().token ?? ''}` } })
  },
}

client.use(authenticate)

/** The data of an answer, or its error thrown. */
export async function unwrap<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call
  if (data === undefined || !response.ok) throw new ApiError(response.status, error as Schema['ProblemDocument'] | undefined)
  return data
}
