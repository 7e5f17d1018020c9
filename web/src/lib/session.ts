/**
 * Who is logged in. The access token lives in memory only; the refresh token is an HttpOnly cookie that no script sees.
 */
import { create } from 'zustand'

export interface User {
  name: string
  tenant: string
  roles: string[]
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
