import { Link } from 'react-router'
import { Page } from '@/components/ui/Page'

export function NotFound() {
  return (
    <Page title="Not found" subtitle="There is no page at this address.">
      <Link to="/runs" className="text-accent underline">
        Go to the runs
      </Link>
    </Page>
  )
}
