import type { ReactNode } from 'react'
import type { Schema } from '@/lib/client'
import { moment, words } from '@/lib/format'
import { classWords, stageWords } from '@/lib/status'

/** What a person must know first: that the run is lost, was stopped, or failed, why, and what to do. */
export function Trouble({ detail, over }: { detail: Schema['RunDetail']; over: boolean }) {
  const { run, cancelled, attempt } = detail
  return (
    <>
      {run.lostAt && !run.outcome && (
        <Box tone="bad" title="The object of this run is gone, and the run had not ended">
          <p>Somebody deleted it with force, or the cluster lost it. It was missed first at {moment(run.lostAt)}. Whether a file was delivered is shown below as far as it was known; look at the receiver.</p>
        </Box>
      )}
      {cancelled && (
        <Box tone="warn" title={over ? `Stopped by ${cancelled.by}` : `${cancelled.by} is stopping this run`}>
          <p>{cancelled.reason}</p>
        </Box>
      )}
      {run.failure && (
        <Box tone={over ? 'bad' : 'warn'} title={`${over ? '' : 'The last attempt failed: '}${words(run.failure.code)}, ${stageWords(run.failure.stage)}`}>
          <p className="[overflow-wrap:anywhere]">{run.failure.message}</p>
          {run.failure.hint && <p className="font-medium">What to do: {run.failure.hint}</p>}
          <p>
            {run.failure.class}: {classWords(run.failure.class)}
            {!over && attempt?.nextAt && ` The next attempt begins at ${moment(attempt.nextAt)}.`}
          </p>
        </Box>
      )}
    </>
  )
}

function Box({ tone, title, children }: { tone: 'bad' | 'warn'; title: string; children: ReactNode }) {
  return (
    <div role={tone === 'bad' ? 'alert' : 'status'} className={`flex flex-col gap-1 rounded-lg border border-line px-4 py-3 text-sm ${tone === 'bad' ? 'bg-bad-soft text-bad' : 'bg-warn-soft text-warn'}`}>
      <p className="font-semibold">{title}</p>
      {children}
    </div>
  )
}
