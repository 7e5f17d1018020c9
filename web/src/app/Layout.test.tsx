import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { fireEvent, render, screen } from '@testing-library/react'
import { createMemoryRouter, RouterProvider, useLocation } from 'react-router'
import { describe, expect, test, vi } from 'vitest'
import { json, problem, session } from '@/testing/samples'
import { Layout } from './Layout'

/** The application at an address; the server answers the renewal, and the log-out, so. */
function open(renewal: () => Promise<Response>, logout = () => Promise.resolve(new Response(null, { status: 204 }))) {
  const answers = { renewal, logout }
  vi.stubGlobal('fetch', (input: string | Request) => {
    const path = typeof input === 'string' ? input : input.url
    if (path.endsWith('/auth/refresh')) return answers.renewal()
    return path.endsWith('/auth/logout') ? answers.logout() : Promise.resolve(problem(403, 'no'))
  })
  const router = createMemoryRouter(
    [
      { element: <Layout />, children: [{ path: '/runs', element: <h1>Runs</h1> }] },
      { path: '/login', Component: Login },
    ],
    { initialEntries: ['/runs?outcome=Failed'] },
  )
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
  return answers
}

function Login() {
  const location = useLocation()
  return <p>log in, then {(location.state as { from?: string } | null)?.from}</p>
}

const good = () => Promise.resolve(json(session()))
const away = () => Promise.reject(new TypeError('Failed to fetch'))

describe('the frame', () => {
  test('sends who has no session to the log-in, and remembers the whole address', async () => {
    open(() => Promise.resolve(problem(401, 'the session is over: log in again')))
    expect(await screen.findByText('log in, then /runs?outcome=Failed')).toBeTruthy()
  })

  test('does not take a server that is away for the end of the session', async () => {
    const answers = open(away)
    expect((await screen.findByRole('alert')).textContent).toContain('cannot be reached')
    expect(screen.queryByText(/^log in/)).toBeNull()
    answers.renewal = good
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(await screen.findByRole('heading', { name: 'Runs' })).toBeTruthy()
  })

  test('shows only the ways that are open to the person', async () => {
    open(good)
    expect(await screen.findByRole('link', { name: 'Runs' })).toBeTruthy()
    expect(screen.queryByRole('link', { name: 'Audit' })).toBeNull()
  })

  test('says that a password was for one log-in, and where to set another', async () => {
    open(() => Promise.resolve(json(session({ oneTime: true }))))
    expect((await screen.findByRole('link', { name: 'Set one of your own' })).getAttribute('href')).toBe('/account')
  })

  test('does not pretend that a log-out reached the server', async () => {
    const answers = open(good, away)
    fireEvent.click(await screen.findByRole('button', { name: 'Log out' }))
    expect((await screen.findByRole('alert')).textContent).toContain('You are still logged in')
    expect(screen.getByRole('heading', { name: 'Runs' })).toBeTruthy()
    answers.logout = () => Promise.resolve(new Response(null, { status: 204 }))
    fireEvent.click(screen.getByRole('button', { name: 'Log out' }))
    expect(await screen.findByText(/^log in/)).toBeTruthy()
  })
})
