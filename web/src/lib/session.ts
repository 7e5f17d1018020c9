/**
 * Who is logged in. The access token lives in memory only; the refresh token is an HttpOnly cookie that no script sees.
 */
import { create } from 'zustand'
import type { components } from '@/api/schema.gen'

type Opened = components['schemas']['SessionOpened']

export type User = Opened['user']

interface Session {
  token: string | null
  user: User | null
  /** Whether the password was for one log-in: without another one this is the last session. */
  oneTime: boolean
  /** False until the first attempt to renew the session by cookie is over. */
  known: boolean
  begin: (session: Opened) => void
  passwordSet: () => void
  end: () => void
}

/** Changes when a session ends, so that the other tabs of this browser end theirs. Holds nothing. */
const ENDED = 'openreg.ended'

export const useSession = create<Session>((set, get) => ({
  token: null,
  user: null,
  oneTime: false,
  known: false,
  begin: ({ accessToken, user, oneTime }) => set({ token: accessToken, user, oneTime, known: true }),
  passwordSet: () => set({ oneTime: false }),
  end: () => {
    if (get().user !== null) localStorage.setItem(ENDED, String(Date.now()))
    set({ token: null, user: null, oneTime: false, known: true })
  },
}))

/** Ends this tab's session when another tab has ended it. */
export function followOtherTabs(): () => void {
  const heard = (event: StorageEvent) => {
    if (event.key === ENDED && event.newValue !== null) useSession.setState({ token: null, user: null, oneTime: false })
  }
  addEventListener('storage', heard)
  return () => removeEventListener('storage', heard)
}

/** Calls `forget` whenever the person at this tab becomes another, or nobody: what was read for one is not for the next. */
export function onOtherUser(forget: () => void): () => void {
  const identity = (user: User | null) => (user === null ? null : `${user.tenantId}/${user.name}`)
  return useSession.subscribe((now, before) => {
    if (before.user !== null && identity(now.user) !== identity(before.user)) forget()
  })
}

/** Whether who is logged in may do that; the server decides, this only hides what it would refuse. */
export function useMay(permission: string): boolean {
  return useSession((session) => session.user?.permissions.includes(permission) ?? false)
}
