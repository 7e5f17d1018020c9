import { describe, expect, test } from 'vitest'
import { problem } from '@/testing/samples'
import { ApiError, BrokenOff, Unreachable } from './client'
import { tell } from './tell'

const refused = async (status: number, detail: string) => {
  const answer = problem(status, detail, [{ field: 'f', message: 'm' }])
  return new ApiError(answer, await answer.json())
}

describe('an error in words', () => {
  test.each([
    [403, 'your roles do not include the permission run.start', /administrator/, undefined],
    [404, 'there is no run 7', /another tenant/, undefined],
    [409, 'run r has ended: Delivered', /again/, undefined],
    [500, 'an unexpected error', /request id/, 'req-7'],
    [503, 'could not answer: the database does not answer', /moment/, 'req-7'],
    [422, '1 of the fields is wrong', undefined, undefined],
  ])('%d has the reason of the server and a hint', async (status, detail, hint, requestId) => {
    const told = tell(await refused(status, detail))
    expect(told.reason.toLowerCase()).toBe(detail.toLowerCase())
    if (hint === undefined) expect(told.hint).toBeUndefined()
    else expect(told.hint).toMatch(hint)
    expect(told.requestId).toBe(requestId)
    expect(told.fields).toEqual([{ field: 'f', message: 'm' }])
  })

  test.each([
    ['damaged', /Do not use this file/],
    ['misconfigured', /trying again does not help/],
    ['internal', /request id/],
  ])('a fault of kind %s has a hint of its own', async (word, hint) => {
    const answer = problem(500, 'x')
    const told = tell(new ApiError(answer, { ...(await answer.json()), type: `urn:openreg:problem:${word}` }))
    expect(told.hint).toMatch(hint)
    expect(told.requestId).toBe('req-7')
  })

  test('no answer and a broken one are told apart', () => {
    expect(tell(new Unreachable(undefined))).toMatchObject({ reason: 'The server cannot be reached' })
    expect(tell(new BrokenOff(undefined)).hint).toMatch(/do not use what arrived/)
  })

  test('anything may be thrown', () => {
    expect(tell('plain').reason).toBe('Plain')
    expect(tell(undefined).reason).toBe('Undefined')
  })
})
