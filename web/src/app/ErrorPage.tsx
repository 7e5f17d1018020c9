import { useRouteError } from 'react-router'
import { Page } from '@/components/ui/Page'
import { Problem } from '@/components/ui/Problem'

/** What stands where a page could not be shown: a part of it that did not load, or a fault of the page itself. */
export function ErrorPage() {
  const error = useRouteError()
  return (
    <Page title="This page cannot be shown">
      <Problem title="The page has failed, not what it shows: nothing was changed" error={error} retry={() => location.reload()} />
    </Page>
  )
}
