import { AxeBuilder } from '@axe-core/playwright'
import { expect, type Page, test } from '@playwright/test'

const env = (name: string) => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: scripts/browser.sh does`)
  return value
}

async function logIn(page: Page) {
  await page.goto('/')
  await page.getByLabel('Tenant').fill(env('OPENREG_TENANT'))
  await page.getByLabel('User').fill(env('OPENREG_USER'))
  await page.getByLabel('Password').fill(env('OPENREG_PASSWORD'))
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible()
}

/** Nothing serious, in either theme. */
async function accessible(page: Page) {
  const { violations } = await new AxeBuilder({ page }).analyze()
  const serious = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
  expect(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`)).toEqual([])
}

async function pictures(page: Page, name: string) {
  for (const theme of ['light', 'dark']) {
    const toggle = page.getByRole('button', { name: theme === 'dark' ? 'Use dark colours' : 'Use light colours' })
    if (await toggle.isVisible()) await toggle.click()
    await accessible(page)
    await page.screenshot({ path: `test-results/screens/${name}-${theme}.png`, fullPage: true })
  }
}

test('a wrong password is refused in words', async ({ page }) => {
  await page.goto('/')
  await page.getByLabel('Tenant').fill(env('OPENREG_TENANT'))
  await page.getByLabel('User').fill('nobody')
  await page.getByLabel('Password').fill('not the password')
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('alert')).toContainText('tenant, user or password is wrong')
  await accessible(page)
  await page.screenshot({ path: 'test-results/screens/login-light.png' })
})

test('a person starts a run, sees it delivered, fetches the file and finds all of it in the audit', async ({ page }) => {
  await logIn(page)

  await page.getByRole('button', { name: 'Start a run' }).click()
  await page.getByRole('combobox', { name: 'Report' }).selectOption('trades-csv')
  await page.getByLabel('First day').fill('2026-03-06')
  await page.getByLabel('Last day').fill('2026-03-06')
  await page.getByRole('button', { name: 'Start', exact: true }).click()

  // The page follows along by itself.
  await expect(page.getByRole('list', { name: 'Progress' })).toBeVisible()
  await expect(page.getByRole('table', { name: 'Deliveries' }).getByText('Delivered', { exact: true })).toBeVisible({ timeout: 60_000 })
  const artifacts = page.getByRole('table', { name: 'Artifacts' })
  await expect(artifacts.getByText(/^trades_.*\.csv$/)).toBeVisible({ timeout: 30_000 })
  await expect(page.getByRole('table', { name: 'Conditions' }).getByText('Complete')).toBeVisible()
  await pictures(page, 'run')

  const download = page.waitForEvent('download')
  await artifacts.getByRole('button', { name: 'Download' }).click()
  expect((await download).suggestedFilename()).toMatch(/^trades_.*\.csv$/)

  await page.getByRole('link', { name: 'Audit' }).click()
  const audit = page.getByRole('table', { name: 'Audit entries' })
  for (const action of ['artifact.downloaded', 'run.ended', 'start.requested']) await expect(audit.getByText(action).first()).toBeVisible()
  await pictures(page, 'audit')

  await page.getByRole('link', { name: 'Runs' }).click()
  await expect(page.getByRole('table', { name: 'Runs' }).getByText('Delivered').first()).toBeVisible()
  await pictures(page, 'runs')

  await page.getByRole('link', { name: 'Reports' }).click()
  await page.getByRole('link', { name: 'Daily trades' }).click()
  await expect(page.getByRole('table', { name: 'Versions' }).getByText('1.0.0')).toBeVisible()
  await pictures(page, 'report')
})

test('a session survives a reload and ends with log-out', async ({ page }) => {
  await logIn(page)
  await page.reload()
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible()
  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
  await page.goto('/runs')
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
})
