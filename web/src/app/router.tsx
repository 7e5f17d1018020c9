import { createBrowserRouter, Navigate } from 'react-router'
import { Layout } from './Layout'
import { NotFound } from './NotFound'
import { AuditPage } from '@/features/audit/AuditPage'
import { ReportPage } from '@/features/reports/ReportPage'
import { ReportsPage } from '@/features/reports/ReportsPage'
import { RunPage } from '@/features/runs/RunPage'
import { RunsPage } from '@/features/runs/RunsPage'
import { LoginPage } from '@/features/session/LoginPage'

/** Every page of the application. */
export const router = createBrowserRouter([
  { path: '/login', element: <LoginPage /> },
  {
    element: <Layout />,
    children: [
      { index: true, element: <Navigate to="/runs" replace /> },
      { path: 'reports', element: <ReportsPage /> },
      { path: 'reports/:name', element: <ReportPage /> },
      { path: 'runs', element: <RunsPage /> },
      { path: 'runs/:id', element: <RunPage /> },
      { path: 'audit', element: <AuditPage /> },
      { path: '*', element: <NotFound /> },
    ],
  },
])
