import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Badge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Field } from '@/components/ui/Field'
import { Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'
import { client, finished } from '@/lib/client'
import { useSession } from '@/lib/session'

/** Who is logged in, what that person may do, and another password. */
export function AccountPage() {
  const { user, oneTime, passwordSet } = useSession()
  const [differ, setDiffer] = useState(false)
  const change = useMutation({
    mutationFn: (body: { current: string; new: string }) => finished(client.POST('/api/v1/auth/password', { body })),
    onSuccess: passwordSet,
  })
  if (user === null) return null
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const text = (name: string) => String(new FormData(form).get(name) ?? '')
    const differs = text('new') !== text('again')
    setDiffer(differs)
    if (!differs) change.mutate({ current: text('current'), new: text('new') }, { onSuccess: () => form.reset() })
  }
  return (
    <Page title="Your account" subtitle={`${user.name} in tenant ${user.tenant}`}>
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Card title="Another password">
          <form onSubmit={submit} className="flex flex-col gap-4">
            {/* For the browser's keeper of passwords. */}
            <input type="text" name="user" autoComplete="username" value={user.name} readOnly hidden />
            <Field name="current" label="Present password" type="password" autoComplete="current-password" required note={oneTime ? 'The one with which you just logged in.' : undefined} />
            <Field name="new" label="New password" type="password" autoComplete="new-password" required minLength={12} note="12 characters or more. Your other sessions end." />
            <Field name="again" label="New password again" type="password" autoComplete="new-password" required minLength={12} />
            {differ && <Problem title="The password was not changed" error={new Error('the two new passwords differ')} />}
            {change.isError && !differ && <Problem title="The password was not changed" error={change.error} />}
            {change.isSuccess && !differ && (
              <p role="status" className="rounded-md bg-good-soft px-3 py-2 text-sm text-good">
                The password is changed.
              </p>
            )}
            <Button type="submit" look="primary" disabled={change.isPending} className="self-end">
              {change.isPending ? 'Changing…' : 'Change it'}
            </Button>
          </form>
        </Card>
        <Card title="What you may do">
          <p className="flex flex-wrap gap-2">
            {user.roles.map((role) => (
              <Badge key={role} tone="idle">
                {role}
              </Badge>
            ))}
          </p>
          <ul className="mt-3 grid grid-cols-2 gap-1 font-mono text-xs text-soft">
            {user.permissions.map((permission) => (
              <li key={permission}>{permission}</li>
            ))}
          </ul>
        </Card>
      </div>
    </Page>
  )
}
