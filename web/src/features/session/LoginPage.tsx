import { type FormEvent, useState } from 'react'
import { Navigate, useLocation, useNavigate } from 'react-router'
import { Button } from '@/components/ui/Button'
import { ApiError, client, unwrap } from '@/lib/client'
import { useSession } from '@/lib/session'

/** Log-in with tenant, user and password. */
export function LoginPage() {
  const { user, begin } = useSession()
  const navigate = useNavigate()
  const location = useLocation()
  const [failed, setFailed] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const from = (location.state as { from?: string } | null)?.from ?? '/runs'

  if (user !== null) return <Navigate to={from} replace />

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '')
    setBusy(true)
    setFailed(null)
    unwrap(client.POST('/api/v1/auth/login', { body: { tenant: text('tenant'), user: text('user'), password: text('password') } }))
      .then((session) => {
        begin(session.accessToken, session.user)
        return navigate(from, { replace: true })
      })
      .catch((e: unknown) => setFailed(e instanceof ApiError ? e.message : 'The server cannot be reached. Try again in a moment.'))
      .finally(() => setBusy(false))
  }

  return (
    <main className="flex min-h-screen items-center justify-center p-6">
      <title>Log in · OpenReg</title>
      <form onSubmit={submit} className="flex w-full max-w-sm flex-col gap-4 rounded-xl border border-line bg-surface p-8">
        <h1 className="flex items-center gap-2 text-lg font-semibold">
          <img src="/favicon.svg" alt="" className="size-7" /> OpenReg
        </h1>
        <Field name="tenant" label="Tenant" autoComplete="organization" />
        <Field name="user" label="User" autoComplete="username" />
        <Field name="password" label="Password" autoComplete="current-password" type="password" />
        {failed !== null && (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
            {failed}
          </p>
        )}
        <Button type="submit" look="primary" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </Button>
      </form>
    </main>
  )
}

function Field({ name, label, autoComplete, type = 'text' }: { name: string; label: string; autoComplete: string; type?: string }) {
  return (
    <label className="flex flex-col gap-1 text-sm font-medium">
      {label}
      <input name={name} type={type} autoComplete={autoComplete} required className="rounded-md border border-line bg-canvas px-3 py-2 font-normal" />
    </label>
  )
}
