import { useState } from 'react'
import { shortDigest } from '@/lib/format'

/** A digest: short to read, whole to copy. */
export function Digest({ value }: { value: string }) {
  const [copied, setCopied] = useState(false)
  const copy = () => {
    // Without TLS the browser has no clipboard for pages; the title still shows the whole digest.
    const clipboard = navigator.clipboard as Clipboard | undefined
    void clipboard?.writeText(value).then(() => {
      setCopied(true)
      setTimeout(() => setCopied(false), 1500)
    })
  }
  return (
    <button type="button" onClick={copy} title={value} aria-label={`Copy SHA-256 ${value}`} className="rounded bg-raised px-1.5 py-0.5 font-mono text-xs hover:bg-line">
      {copied ? 'copied' : shortDigest(value)}
    </button>
  )
}
