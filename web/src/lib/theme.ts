/** Light or dark: what the person chose here, else what the system says. The colours are in styles.css. */
import { create } from 'zustand'

export type Theme = 'light' | 'dark'

const KEY = 'openreg.theme'

function chosen(): Theme | undefined {
  const stored = localStorage.getItem(KEY)
  return stored === 'light' || stored === 'dark' ? stored : undefined
}

/** Before the first paint by script; without a choice the style sheet follows the system by itself. */
export function paint(theme: Theme | undefined = chosen()) {
  if (theme === undefined) return
  document.documentElement.classList.remove('light', 'dark')
  document.documentElement.classList.add(theme)
}

export const useTheme = create<{ theme: Theme; toggle: () => void }>((set, get) => ({
  theme: chosen() ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'),
  toggle: () => {
    const theme = get().theme === 'dark' ? 'light' : 'dark'
    localStorage.setItem(KEY, theme)
    paint(theme)
    set({ theme })
  },
}))
