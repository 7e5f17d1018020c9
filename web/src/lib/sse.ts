/** Server-sent events out of text that arrives in pieces, which may end anywhere. Pure. */

export interface SentEvent {
  event: string
  data: string
}

/** Makes a reader: it is given the pieces in order, and gives the events that each completes. */
export function eventReader(): (piece: string) => SentEvent[] {
  let rest = ''
  let event = ''
  let data: string[] = []
  return (piece) => {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    const complete: SentEvent[] = []
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
      if (line === '') {
        if (data.length > 0) complete.push({ event: event || 'message', data: data.join('\n') })
        event = ''
        data = []
        continue
      }
      const colon = line.indexOf(':')
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      // A line that begins with a colon is a comment: the server's sign of life.
      if (field === 'event') event = value
      else if (field === 'data') data.push(value)
    }
    return complete
  }
}
