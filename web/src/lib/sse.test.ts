import { describe, expect, test } from 'vitest'
import { eventReader } from './sse'

const TEXT = ': connected\n\nevent: run\ndata: {"a":1}\n\n: alive\n\nevent: gap\ndata: {}\n\ndata: one\ndata: two\r\n\r\nevent: run\ndata: not ended'
const EVENTS = [
  { event: 'run', data: '{"a":1}' },
  { event: 'gap', data: '{}' },
  { event: 'message', data: 'one\ntwo' },
]

describe('server-sent events', () => {
  test('are the same however the text is cut', () => {
    for (let size = 1; size <= TEXT.length; size += 1) {
      const read = eventReader()
      const found = []
      for (let at = 0; at < TEXT.length; at += size) found.push(...read(TEXT.slice(at, at + size)))
      expect(found, `pieces of ${size}`).toEqual(EVENTS)
    }
  })

  test('signs of life are no events', () => {
    expect(eventReader()(':\n\n: x\n\n\n')).toEqual([])
  })
})
