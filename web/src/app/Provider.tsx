import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { useEffect } from 'react'
import { RouterProvider } from 'react-router'
import { ApiError } from '@/lib/client'
import { followOtherTabs, onOtherUser } from '@/lib/session'
import { router } from './router'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal stays a refusal; only a server that is not well is asked again.
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status < 500),
    },
  },
})

export function Provider() {
  useEffect(() => {
    // Whoever logs in next at this tab must not see, not even for a moment, what the last one saw.
    const stop = [onOtherUser(() => queries.clear()), followOtherTabs()]
    return () => stop.forEach((end) => end())
  }, [])
  return (
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  )
}
