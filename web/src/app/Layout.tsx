import { useMutation } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { Link, Navigate, NavLink, Outlet, ScrollRestoration, useLocation } from 'react-router'
import { Button } from '@/components/ui/Button'
import { Loading } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { useLiveRuns } from '@/features/runs/live'
import { logOut, renew, Unreachable } from '@/lib/client'
import { useSession } from '@/lib/session'
import { useTheme } from '@/lib/theme'

const LINKS = [
  { to: '/runs', label: 'Runs', needs: 'run.read' },
  { to: '/reports', label: 'Reports', needs: 'report.read' },
  { to: '/audit', label: 'Audit', needs: 'audit.read' },
]

/** Lets in who is logged in, or has a session that can go on; sends all others to the log-in. */
export function Layout() {
  const { user, known } = useSession()
  const location = useLocation()
  const [unreachable, setUnreachable] = useState(false)
  const look = useCallback(() => void renew().then((renewal) => setUnreachable(renewal === 'unreachable')), [])
  useEffect(() => {
    if (!known) look()
  }, [known, look])

  if (!known) {
    // Not the log-in: the session may be good, and only the server is away.
    return unreachable ? (
      <main className="mx-auto max-w-xl p-6 pt-24">
        <Problem title="Your session could not be looked up" error={new Unreachable(undefined)} retry={look} />
      </main>
    ) : (
      <Loading what="your session" />
    )
  }
  if (user === null) return <Navigate to="/login" replace state={{ from: location.pathname + location.search }} />
  return <Frame user={user} />
}

/** The frame around every page but log-in. */
function Frame({ user }: { user: NonNullable<ReturnType<typeof useSession.getState>['user']> }) {
  const oneTime = useSession((session) => session.oneTime)
  const { theme, toggle } = useTheme()
  const leave = useMutation({ mutationFn: logOut })
  const { pathname } = useLocation()
  const main = useRef<HTMLElement>(null)
  const shown = useRef(pathname)
  useLiveRuns()

  useEffect(() => {
    // A keyboard or a screen reader goes on in the new page, not at the link that led there.
    if (shown.current !== pathname) main.current?.focus({ preventScroll: true })
    shown.current = pathname
  }, [pathname])

  return (
    <div className="flex min-h-screen flex-col md:flex-row">
      <ScrollRestoration />
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-10 focus:rounded-md focus:bg-surface focus:px-3 focus:py-2">
        Skip to content
      </a>
      <nav aria-label="Main" className="shrink-0 border-b border-line bg-surface p-3 md:w-52 md:border-r md:border-b-0">
        <div className="flex items-center gap-1 md:sticky md:top-3 md:flex-col md:items-stretch">
        <p className="flex items-center gap-2 px-2 py-1 font-semibold tracking-tight md:mb-4">
          <img src="/favicon.svg" alt="" className="size-6" /> OpenReg
        </p>
        {LINKS.filter((link) => user.permissions.includes(link.needs)).map((link) => (
          <NavLink key={link.to} to={link.to} className={({ isActive }) => `rounded-md px-3 py-1.5 text-sm ${isActive ? 'bg-busy-soft font-medium text-busy' : 'text-soft hover:bg-raised hover:text-ink'}`}>
            {link.label}
          </NavLink>
        ))}
        </div>
      </nav>
      <div className="min-w-0 flex-1">
        <header className="flex flex-wrap items-center justify-end gap-3 border-b border-line bg-surface px-4 py-2 sm:px-6">
          <p className="mr-auto text-sm text-soft">
            Tenant <span className="font-medium text-ink">{user.tenant}</span>
          </p>
          <Button onClick={toggle} aria-label={theme === 'dark' ? 'Use light colours' : 'Use dark colours'}>
            {theme === 'dark' ? 'Light' : 'Dark'}
          </Button>
          <Link to="/account" className="text-sm text-accent hover:underline" title="Your account">
            {user.name}
          </Link>
          <Button onClick={() => leave.mutate()} disabled={leave.isPending}>
            Log out
          </Button>
        </header>
        <main id="content" ref={main} tabIndex={-1}>
          {(leave.isError || oneTime) && (
            <div className="mx-auto flex max-w-7xl flex-col gap-3 p-4 pb-0 sm:p-6 sm:pb-0">
              {leave.isError && <Problem title="You are still logged in: the log-out did not reach the server" error={leave.error} />}
              {oneTime && (
                <p role="status" className="rounded-lg border border-line bg-warn-soft px-4 py-3 text-sm text-warn">
                  Your password was for one log-in and is used up.{' '}
                  <Link to="/account" className="font-medium underline">
                    Set one of your own
                  </Link>{' '}
                  before this session ends.
                </p>
              )}
            </div>
          )}
          <Outlet />
        </main>
      </div>
    </div>
  )
}
