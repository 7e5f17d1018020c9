import { type ComponentProps, type ReactNode, useId } from 'react'

const LOOK = 'w-full rounded-md border border-line bg-canvas px-3 py-2 text-ink'

interface Label {
  label: string
  /** What to write, or what follows from it. */
  note?: ReactNode
}

function Labelled({ id, label, note, children }: Label & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1 text-sm">
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {children}
      {note !== undefined && (
        <p id={`${id}-note`} className="text-xs text-soft">
          {note}
        </p>
      )}
    </div>
  )
}

/** A labelled input. */
export function Field({ label, note, ...rest }: ComponentProps<'input'> & Label) {
  const id = useId()
  return (
    <Labelled id={id} label={label} note={note}>
      <input id={id} aria-describedby={note === undefined ? undefined : `${id}-note`} className={LOOK} {...rest} />
    </Labelled>
  )
}

/** A labelled choice. */
export function Select({ label, note, ...rest }: ComponentProps<'select'> & Label) {
  const id = useId()
  return (
    <Labelled id={id} label={label} note={note}>
      <select id={id} aria-describedby={note === undefined ? undefined : `${id}-note`} className={LOOK} {...rest} />
    </Labelled>
  )
}
