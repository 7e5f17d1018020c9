import { fireEvent, render, screen } from '@testing-library/react'
import { describe, expect, test, vi } from 'vitest'
import { Unreachable } from '@/lib/client'
import { Listing } from './Listing'

const query = (change: object) => ({ isPending: false, isError: false, error: null, refetch: vi.fn(), ...change })

function show(of: ReturnType<typeof query>, rows: string[] | undefined) {
  render(<Listing what="runs" caption="Runs" query={of} rows={rows} columns={[{ head: 'Name', cell: (row) => row }]} rowKey={(row) => row} empty="No run yet." />)
}

describe('a list', () => {
  test('that is loading has its heads already, and says that it loads', () => {
    show(query({ isPending: true }), undefined)
    expect(screen.getByRole('columnheader', { name: 'Name' })).toBeTruthy()
    expect(screen.getByRole('status').textContent).toBe('Loading runs…')
  })

  test('that could not be loaded does not claim to be empty, and can be loaded again', () => {
    const refused = query({ isError: true, error: new Unreachable(undefined) })
    show(refused, undefined)
    expect(screen.getByRole('alert').textContent).toContain('Could not load the runs')
    expect(screen.queryByText('No run yet.')).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(refused.refetch).toHaveBeenCalledOnce()
  })

  test('that could not be brought up to date keeps its rows', () => {
    show(query({ isError: true, error: new Unreachable(undefined) }), ['one'])
    expect(screen.getByRole('cell', { name: 'one' })).toBeTruthy()
    expect(screen.getByRole('alert').textContent).toContain('this is how they were')
  })

  test('that is empty says so', () => {
    show(query({}), [])
    expect(screen.getByText('No run yet.')).toBeTruthy()
  })

  test('that goes on offers the next page once', () => {
    const pages = { ...query({}), hasNextPage: true, isFetchingNextPage: false, fetchNextPage: vi.fn() }
    show(pages, ['one'])
    fireEvent.click(screen.getByRole('button', { name: 'Show older runs' }))
    expect(pages.fetchNextPage).toHaveBeenCalledOnce()
  })
})
