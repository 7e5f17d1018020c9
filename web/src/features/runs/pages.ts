/** Puts a run that changed into the pages of a list that are loaded, so that the list need not be read again. Pure. */
import type { Schema } from '@/lib/client'

type Run = Schema['RunSummary']
type Page = Schema['RunPage']

/** Which runs a list shows. */
export interface RunFilter {
  report?: string
  outcome?: string
}

/** Newest first, as the API orders them. */
function comesBefore(a: Run, b: Run): boolean {
  return a.createdAt === b.createdAt ? a.id > b.id : a.createdAt > b.createdAt
}

/** The pages with the run as it is now: in its place, or gone when it no longer belongs to the list. */
export function withRun(pages: Page[], run: Run, filter: RunFilter): Page[] {
  const belongs = (filter.report === undefined || filter.report === run.report) && (filter.outcome === undefined || filter.outcome === run.outcome)
  if (pages.some((page) => page.items.some((item) => item.id === run.id))) {
    return pages.map((page) => ({
      ...page,
      items: belongs ? page.items.map((item) => (item.id === run.id ? run : item)) : page.items.filter((item) => item.id !== run.id),
    }))
  }
  if (!belongs) return pages
  const target = pages.findIndex((page) => page.items.some((item) => comesBefore(run, item)))
  // Older than all that is loaded: it is on a page that is not, unless there is none.
  const at = target >= 0 ? target : pages.at(-1)?.next ? -1 : pages.length - 1
  return pages.map((page, i) => {
    if (i !== at) return page
    const before = page.items.filter((item) => !comesBefore(run, item))
    return { ...page, items: [...before, run, ...page.items.slice(before.length)] }
  })
}
