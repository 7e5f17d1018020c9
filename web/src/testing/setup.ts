import { cleanup } from '@testing-library/react'
import { afterEach, beforeEach, vi } from 'vitest'
import { useSession } from '@/lib/session'

// jsdom has no screen.
window.matchMedia ??= (media) => ({ media, matches: false, onchange: null, addEventListener: () => undefined, removeEventListener: () => undefined, addListener: () => undefined, removeListener: () => undefined, dispatchEvent: () => false })
window.scrollTo = () => undefined

beforeEach(() => {
  localStorage.clear()
  sessionStorage.clear()
  useSession.setState({ token: null, user: null, oneTime: false, known: false })
})

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})
