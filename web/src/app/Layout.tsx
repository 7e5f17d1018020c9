import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { Navigate, NavLink, Outlet, useLocation } from 'react-router'
import { Button } from '@/components/ui/Button'
import { Loading } from '@/components/ui/Page'
import { client, renew } from '@/lib/client'
import { useSession } from '@/lib/session'
import { useTheme } from '@/lib/theme'

const LINKS = [
  { to: '/runs', label: 'Runs' },
  { to: '/reports', label: 'Reports' },
  { to: '/audit', label: 'Audit' },
]

/** The frame around every page but log-in; sends who is not logged in there. */
export function Layout() {
  const { user, known, end } = useSession()
  const { theme, toggle } = useTheme()
  const location = useLocation()
  const queries = useQueryClient()

  useEffect(() => {
    if (!known) void renew().then((renewed) => !renewed && end())
  }, [known, end])

  if (!known) return <Loading what="your session" />
  if (user === null) return <Navigate to="/login" replace state={{ from: location.pathname }} />

  const leave = () => {
    void client.POST('/api/v1/auth/logout', { body: {} }).finally(() => {
      end()
      queries.clear()
    })
  }

  return (
    <div className="flex min-h-screen flex-col md:flex-row">
      <a href="#content" className="sr-only focus:not-sr-only">
        Skip to content
      </a>
      <nav aria-label="Main" className="flex shrink-0 items-center gap-1 border-b border-line bg-surface p-3 md:w-52 md:flex-col md:items-stretch md:border-r md:border-b-0">
        <p className="flex items-center gap-2 px-2 py-1 font-semibold tracking-tight md:mb-4">
          <img src="/favicon.svg" alt="" className="size-6" /> OpenReg
        </p>
        {LINKS.map((link) => (
          <NavLink key={link.to} to={link.to} className={({ isActive }) => `rounded-md px-3 py-1.5 text-sm ${isActive ? 'bg-busy-soft font-medium text-busy' : 'text-soft hover:bg-raised hover:text-ink'}`}>
            {link.label}
          </NavLink>
        ))}
      </nav>
      <div className="min-w-0 flex-1">
        <header className="flex items-center justify-end gap-3 border-b border-line bg-surface px-6 py-2">
          <p className="mr-auto text-sm text-soft">
            Tenant <span className="font-medium text-ink">{user.tenant}</span>
          </p>
          <Button onClick={toggle} aria-label={theme === 'dark' ? 'Use light colours' : 'Use dark colours'}>
            {theme === 'dark' ? 'Light' : 'Dark'}
          </Button>
          <span className="text-sm">{user.name}</span>
          <Button onClick={leave}>Log out</Button>
        </header>
        <main id="content">
          <Outlet />
        </main>
      </div>
    </div>
  )
}
