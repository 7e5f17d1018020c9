/** Says what went wrong and what to do next, out of an error. Pure. */
import { ApiError, BrokenOff, type Schema, Unreachable } from './client'

export interface Told {
  /** What happened, in the server's words where it has some. */
  reason: string
  /** What to do next. */
  hint?: string | undefined
  /** What is wrong with which field. */
  fields: Schema['FieldProblem'][]
  /** For whoever reads the server's log. */
  requestId?: string | undefined
}

export function tell(error: unknown): Told {
  if (error instanceof ApiError) {
    const { problem, status } = error
    return {
      reason: sentence(error.message),
      hint: hintOf(status, problem?.type ?? ''),
      fields: problem?.errors ?? [],
      // Only a fault of the server is in its log in more words than here.
      requestId: status >= 500 ? error.requestId : undefined,
    }
  }
  if (error instanceof Unreachable) return { reason: sentence(error.message), hint: 'Look whether the network is there; OpenReg may be restarting. Try again in a moment.', fields: [] }
  if (error instanceof BrokenOff) {
    return { reason: sentence(error.message), hint: 'Try again. If it breaks off each time, the file in the store is not the one that the run sealed: tell an administrator, and do not use what arrived.', fields: [] }
  }
  return { reason: sentence(error instanceof Error ? error.message : String(error)), fields: [] }
}

function hintOf(status: number, type: string): string | undefined {
  if (type.endsWith(':damaged')) return 'Do not use this file. Tell an administrator: somebody or something has changed the store.'
  if (type.endsWith(':misconfigured')) return 'An administrator of the installation must complete it; trying again does not help.'
  switch (status) {
    case 403:
      return 'An administrator of the tenant can give you a role that may.'
    case 404:
      return 'It may have been removed, or it belongs to another tenant.'
    case 409:
      return 'Load the page again to see what is there now.'
    case 502:
    case 503:
    case 504:
      return 'This mends itself as soon as what is missing is back. Try again in a moment.'
    case 500:
      return 'This is a fault of the server. Give its operator the request id.'
    default:
      return undefined
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
