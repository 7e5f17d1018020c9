import { createBrowserRouter, Navigate } from 'react-router'
import { Loading } from '@/components/ui/Page'
import { ErrorPage } from './ErrorPage'
import { Layout } from './Layout'
import { NotFound } from './NotFound'

/** Every page of the application. Each is loaded when it is opened first; what all need is loaded once. */
export const router = createBrowserRouter([
  {
    errorElement: <ErrorPage />,
    hydrateFallbackElement: <Loading what="the page" />,
    children: [
      { path: '/login', lazy: async () => ({ Component: (await import('@/features/session/LoginPage')).LoginPage }) },
      {
        element: <Layout />,
        children: [
          {
            // Within the layout, so that the way to the other pages stays.
            errorElement: <ErrorPage />,
            children: [
              { index: true, element: <Navigate to="/runs" replace /> },
              { path: 'reports', lazy: async () => ({ Component: (await import('@/features/reports/ReportsPage')).ReportsPage }) },
              { path: 'reports/:name', lazy: async () => ({ Component: (await import('@/features/reports/ReportPage')).ReportPage }) },
              { path: 'runs', lazy: async () => ({ Component: (await import('@/features/runs/RunsPage')).RunsPage }) },
              { path: 'runs/:id', lazy: async () => ({ Component: (await import('@/features/runs/RunPage')).RunPage }) },
              { path: 'audit', lazy: async () => ({ Component: (await import('@/features/audit/AuditPage')).AuditPage }) },
              { path: 'account', lazy: async () => ({ Component: (await import('@/features/session/AccountPage')).AccountPage }) },
              { path: '*', element: <NotFound /> },
            ],
          },
        ],
      },
    ],
  },
])
