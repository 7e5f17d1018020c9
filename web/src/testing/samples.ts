/** What the API says, for tests: a run as it is in the middle of its life, to be changed by each test. */
import type { Schema } from '@/lib/client'

export function run(change: Partial<Schema['RunSummary']> = {}): Schema['RunSummary'] {
  return {
    id: '11111111-1111-4111-8111-111111111111',
    name: 'trades-1',
    report: 'trades',
    version: '1.0.0',
    period: { start: '2026-03-02T00:00:00Z', end: '2026-03-03T00:00:00Z' },
    mode: 'Full',
    trigger: 'Manual',
    requestedBy: 'ann',
    phase: 'Generating',
    createdAt: '2026-03-03T06:00:00Z',
    ...change,
  }
}

export function detail(change: Partial<Schema['RunDetail']> = {}): Schema['RunDetail'] {
  return { run: run(), artifacts: [], conditions: [], datasets: [], deliveries: [], manifestRead: false, parameters: {}, rules: [], ...change }
}

export function condition(type: string, status: string, at: string, reason = 'Because'): Schema['Condition'] {
  return { type, status, reason, message: `${type} is ${status}`, lastTransitionTime: at }
}

export function session(change: Partial<Schema['SessionOpened']> = {}): Schema['SessionOpened'] {
  return {
    accessToken: 'token-1',
    expiresIn: 900,
    oneTime: false,
    user: { name: 'ann', tenant: 'acme', tenantId: '22222222-2222-4222-8222-222222222222', roles: ['operator'], permissions: ['run.read', 'run.start', 'run.cancel', 'artifact.download', 'violation.read', 'account.use', 'report.read'] },
    ...change,
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

export function problem(status: number, detail: string, errors: Schema['FieldProblem'][] = []): Response {
  return json({ type: 'urn:openreg:problem:test', title: 'test', status, detail, errors }, status, { 'x-request-id': 'req-7' })
}
