import { expect, test, vi } from 'vitest'
import { reloadForNewVersion } from './version'

test('a page whose parts are gone is loaded anew, but not for ever', () => {
  const reload = vi.fn()
  const missing = () => new Event('vite:preloadError', { cancelable: true })
  const first = missing()
  reloadForNewVersion(first, reload, 100_000)
  expect(reload).toHaveBeenCalledTimes(1)
  expect(first.defaultPrevented).toBe(true)
  const again = missing()
  reloadForNewVersion(again, reload, 101_000)
  expect(reload).toHaveBeenCalledTimes(1)
  expect(again.defaultPrevented).toBe(false)
  reloadForNewVersion(missing(), reload, 100_000 + 3_600_000)
  expect(reload).toHaveBeenCalledTimes(2)
})
