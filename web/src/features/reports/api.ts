/** What the report pages ask the API. */
import { useQuery } from '@tanstack/react-query'
import { client, unwrap } from '@/lib/client'

export function useReports() {
  return useQuery({ queryKey: ['reports'], queryFn: () => unwrap(client.GET('/api/v1/reports')) })
}

export function useReport(name: string) {
  return useQuery({ queryKey: ['report', name], queryFn: () => unwrap(client.GET('/api/v1/reports/{name}', { params: { path: { name } } })) })
}

export function useVersions(name: string) {
  return useQuery({ queryKey: ['versions', name], queryFn: () => unwrap(client.GET('/api/v1/reports/{name}/versions', { params: { path: { name } } })) })
}
