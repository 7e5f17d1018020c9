import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { createMemoryRouter, RouterProvider } from 'react-router'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { useSession } from '@/lib/session'
import { detail, json, problem, session } from '@/testing/samples'
import { StartRun } from './StartRun'

const REPORT = { name: 'trades', title: 'Trades', version: '1.0.0', ready: true, problems: [], destinations: [] }
const PARAMETERS = [
  { name: 'venue', type: 'Enum', values: ['XETR', 'XPAR'], required: true },
  { name: 'lei', type: 'String', values: [], required: false, pattern: '[A-Z0-9]{20}' },
]

let starts: { key: string | null; body: unknown }[]

beforeEach(() => {
  // jsdom has no modal dialogs.
  HTMLDialogElement.prototype.showModal = function (this: HTMLDialogElement) {
    this.open = true
  }
  starts = []
  useSession.getState().begin(session())
})

/** The dialog, open and filled; the server answers each start with the next of `answers`. */
async function open(answers: (() => Response)[]) {
  vi.stubGlobal('fetch', async (request: Request) => {
    if (request.method === 'POST') {
      starts.push({ key: request.headers.get('idempotency-key'), body: await request.json() })
      return (answers[starts.length - 1] ?? (() => problem(500, 'asked too often')))()
    }
    return request.url.endsWith('/reports') ? json({ items: [REPORT] }) : json({ report: REPORT, parameters: PARAMETERS, spec: {} })
  })
  const router = createMemoryRouter([
    { path: '/', element: <StartRun report={undefined} /> },
    { path: '/runs/:id', element: <p>the run</p> },
  ])
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
  fireEvent.click(screen.getByRole('button', { name: 'Start a run' }))
  const dialog = within(screen.getByRole('dialog', { name: 'Start a run' }))
  await dialog.findByRole('option', { name: 'Trades (1.0.0)' })
  fireEvent.change(dialog.getByLabelText('Report'), { target: { value: 'trades' } })
  fireEvent.change(await dialog.findByLabelText('venue'), { target: { value: 'XPAR' } })
  fireEvent.change(dialog.getByLabelText('First day'), { target: { value: '2026-02-28' } })
  const send = () => fireEvent.click(dialog.getByRole('button', { name: 'Start' }))
  return { dialog, send }
}

describe('starting a run', () => {
  test('the last day is the first until it is chosen, and the period ends after it', async () => {
    const { send } = await open([() => json(detail(), 201)])
    send()
    expect(await screen.findByText('the run')).toBeTruthy()
    expect(starts[0]?.body).toEqual({ report: 'trades', period: { start: '2026-02-28T00:00:00Z', end: '2026-03-01T00:00:00Z' }, parameters: { venue: 'XPAR' } })
  })

  test('a second try after a lost answer has the same key, another request has another', async () => {
    const { dialog, send } = await open([() => problem(503, 'could not answer'), () => problem(422, 'refused', [{ field: 'parameters.lei', message: 'give 20 characters' }]), () => json(detail(), 201)])
    send()
    await dialog.findByText(/Could not answer/)
    send()
    await dialog.findByText(/give 20 characters/)
    fireEvent.change(dialog.getByLabelText(/^lei/), { target: { value: 'A'.repeat(20) } })
    send()
    await waitFor(() => expect(starts).toHaveLength(3))
    expect(starts[1]?.key).toBe(starts[0]?.key)
    expect(starts[2]?.key).not.toBe(starts[0]?.key)
  })

  test('a run that delivers nothing is asked for in so many words', async () => {
    const { dialog, send } = await open([() => json(detail(), 201)])
    fireEvent.change(dialog.getByLabelText('What it does'), { target: { value: 'GenerateOnly' } })
    send()
    await waitFor(() => expect(starts[0]?.body).toMatchObject({ mode: 'GenerateOnly' }))
  })

  test('who may not start runs is not shown the way', () => {
    useSession.getState().begin(session({ user: { ...session().user, permissions: ['run.read'] } }))
    render(<StartRun report={undefined} />)
    expect(screen.queryByRole('button')).toBeNull()
  })
})
