import { useEffect, useState } from 'react'
import { copyText } from '@/lib/copy'
import { shortDigest } from '@/lib/format'

/** A digest: short to read, whole to copy. */
export function Digest({ value, of }: { value: string; of: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <>
      <button type="button" onClick={() => void copyText(value).then(setCopied)} title={`${value} (press to copy)`} aria-label={`Copy the SHA-256 of ${of}`} className="rounded bg-raised px-1.5 py-0.5 font-mono text-xs whitespace-nowrap hover:bg-line">
        {/* As wide as what it is instead of. */}
        {copied ? 'copied'.padEnd(13, '\u00a0') : shortDigest(value)}
      </button>
      <span role="status" className="sr-only">
        {copied ? 'Copied' : ''}
      </span>
    </>
  )
}
