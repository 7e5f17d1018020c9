import { afterEach, expect, test, vi } from 'vitest'
import { copyText } from './copy'

afterEach(() => {
  Reflect.deleteProperty(navigator, 'clipboard')
  Reflect.deleteProperty(document, 'execCommand')
})

const clipboard = (writeText: (text: string) => Promise<void>) => Object.defineProperty(navigator, 'clipboard', { value: { writeText }, configurable: true })

test('the clipboard has it, or the answer is no', async () => {
  const write = vi.fn(() => Promise.resolve())
  clipboard(write)
  expect(await copyText('abc')).toBe(true)
  expect(write).toHaveBeenCalledWith('abc')
  clipboard(() => Promise.reject(new Error('not allowed')))
  expect(await copyText('abc')).toBe(false)
})

test('without TLS the old command copies what is selected, and leaves nothing behind', async () => {
  let selected = ''
  document.execCommand = () => {
    selected = (document.activeElement as HTMLTextAreaElement).value
    return true
  }
  expect(await copyText('abc')).toBe(true)
  expect(selected).toBe('abc')
  expect(document.querySelector('textarea')).toBeNull()
})
