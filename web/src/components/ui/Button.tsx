import type { ComponentProps } from 'react'

const LOOKS = {
  primary: 'bg-accent text-accent-ink hover:opacity-90',
  plain: 'border border-line bg-surface text-ink hover:bg-raised',
  danger: 'border border-line bg-surface text-bad hover:bg-bad-soft',
}

export function Button({ look = 'plain', className = '', type = 'button', ...rest }: ComponentProps<'button'> & { look?: keyof typeof LOOKS }) {
  return <button type={type} className={`inline-flex items-center justify-center gap-2 rounded-md px-3 py-1.5 text-sm font-medium disabled:opacity-50 ${LOOKS[look]} ${className}`} {...rest} />
}
