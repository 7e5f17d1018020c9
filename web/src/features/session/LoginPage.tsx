import { useMutation } from '@tanstack/react-query'
import { type FormEvent } from 'react'
import { Navigate, useLocation } from 'react-router'
import { Button } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { Problem } from '@/components/ui/Problem'
import { client, unwrap } from '@/lib/client'
import { useSession } from '@/lib/session'

/** The tenant is no secret, and the same each time. */
const TENANT = 'openreg.tenant'

/** Log-in with tenant, user and password. */
export function LoginPage() {
  const { user, begin } = useSession()
  const location = useLocation()
  const login = useMutation({
    mutationFn: (body: { tenant: string; user: string; password: string }) => unwrap(client.POST('/api/v1/auth/login', { body })),
    onSuccess: (session) => {
      localStorage.setItem(TENANT, session.user.tenant)
      begin(session)
    },
  })
  const from = (location.state as { from?: string } | null)?.from ?? '/runs'

  if (user !== null) return <Navigate to={from} replace />

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '')
    login.mutate({ tenant: text('tenant').trim(), user: text('user').trim(), password: text('password') })
  }
  const tenant = localStorage.getItem(TENANT) ?? ''

  return (
    <main className="flex min-h-screen items-center justify-center p-6">
      <title>Log in · OpenReg</title>
      <form onSubmit={submit} className="flex w-full max-w-sm flex-col gap-4 rounded-xl border border-line bg-surface p-8">
        <h1 className="flex items-center gap-2 text-lg font-semibold">
          <img src="/favicon.svg" alt="" className="size-7" /> OpenReg
        </h1>
        <Field name="tenant" label="Tenant" autoComplete="organization" autoCapitalize="none" spellCheck={false} required defaultValue={tenant} autoFocus={tenant === ''} />
        <Field name="user" label="User" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus={tenant !== ''} />
        <Field name="password" label="Password" type="password" autoComplete="current-password" required />
        {login.isError && <Problem title="You are not logged in" error={login.error} />}
        <Button type="submit" look="primary" disabled={login.isPending}>
          {login.isPending ? 'Logging in…' : 'Log in'}
        </Button>
      </form>
    </main>
  )
}
