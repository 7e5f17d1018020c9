import { describe, expect, test, vi } from 'vitest'
import { session } from '@/testing/samples'
import { followOtherTabs, onOtherUser, useSession } from './session'

const of = (name: string, tenantId: string) => session({ user: { ...session().user, name, tenantId } })

describe('what was read for one person is not for the next', () => {
  test.each<[string, () => void, number]>([
    ['the same person renews', () => useSession.getState().begin(of('ann', 'A')), 0],
    ['the session ends', () => useSession.getState().end(), 1],
    ['another person logs in', () => useSession.getState().begin(of('bob', 'A')), 1],
    ['a person of that name in another tenant logs in', () => useSession.getState().begin(of('ann', 'B')), 1],
  ])('%s', (_, act, times) => {
    useSession.getState().begin(of('ann', 'A'))
    const forget = vi.fn()
    const stop = onOtherUser(forget)
    act()
    stop()
    expect(forget).toHaveBeenCalledTimes(times)
  })
})

describe('tabs', () => {
  test('a session that ends in another tab ends here', () => {
    useSession.getState().begin(session())
    const stop = followOtherTabs()
    dispatchEvent(new StorageEvent('storage', { key: 'openreg.theme', newValue: 'dark' }))
    expect(useSession.getState().user).not.toBeNull()
    dispatchEvent(new StorageEvent('storage', { key: 'openreg.ended', newValue: '1' }))
    expect(useSession.getState().user).toBeNull()
    stop()
  })

  test('the end is told to the others, and only when there was a session', () => {
    useSession.getState().end()
    expect(localStorage.getItem('openreg.ended')).toBeNull()
    useSession.getState().begin(session())
    useSession.getState().end()
    expect(localStorage.getItem('openreg.ended')).not.toBeNull()
  })

  test('no token is ever kept where scripts find it later', () => {
    useSession.getState().begin(session({ accessToken: 'secret-token' }))
    useSession.getState().end()
    expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain('secret-token')
  })
})
