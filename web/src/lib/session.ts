/**
 * Who is logged in. The access token lives in memory only; the refresh token is an HttpOnly cookie that no script sees.
 */
import { create } from 'zustand'

export interface User {
  name: string
  tenant: string
  permissions: string[]
}

interface Session {
  token: string | null
  user: User | null
  /** False until the first attempt to renew the session by cookie is over. */
  known: boolean
  begin: (token: string, user: User) => void
  end: () => void
}

export const useSession = create<Session>((set) => ({
  token: null,
  user: null,
  known: false,
  begin: (token, user) => set({ token, user, known: true }),
  end: () => set({ token: null, user: null, known: true }),
}))

/** Whether who is logged in may do that; the server decides, this only hides what it would refuse. */
export function useMay(permission: string): boolean {
  return useSession((session) => session.user?.permissions.includes(permission) ?? false)
}
