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

/** Nothing of the page lies outside a narrow screen. */
async function fitsNarrow(page: Page) {
  const before = page.viewportSize()
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  if (before !== null) await page.setViewportSize(before)
}

async function pictures(page: Page, name: string) {
  for (const theme of ['light', 'dark']) {
    const toggle = page.getByRole('button', { name: theme === 'dark' ? 'Use dark colours' : 'Use light colours' })
    if (await toggle.isVisible()) await toggle.click()
    await accessible(page)
    await page.evaluate(() => scrollTo(0, 0))
    await page.screenshot({ path: `test-results/screens/${name}-${theme}.png`, fullPage: true })
  }
}

test('a wrong password is refused in words', async ({ page }) => {
  await page.goto('/')
  await page.getByLabel('Tenant').fill(env('OPENREG_TENANT'))
  await page.getByLabel('User').fill('nobody')
  await page.getByLabel('Password').fill('not the password')
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('alert')).toContainText(/tenant, user or password is wrong/i)
  await expect(page.getByRole('alert')).toContainText('You are not logged in')
  await accessible(page)
  await page.screenshot({ path: 'test-results/screens/login-light.png' })
})

test('a person starts a run, sees it delivered, fetches the file and finds all of it in the audit', async ({ page }) => {
  await logIn(page)

  await page.getByRole('button', { name: 'Start a run' }).click()
  await page.getByRole('combobox', { name: 'Report', exact: true }).selectOption('trades-csv')
  await page.getByLabel('First day').fill('2026-03-06')
  await page.getByLabel('Last day').fill('2026-03-06')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/)
  const run = page.url().split('/').at(-1) ?? ''

  // The page follows along by itself.
  await expect(page.getByRole('list', { name: 'Progress' })).toBeVisible()
  await expect(page.getByRole('table', { name: 'Deliveries' }).getByText('Delivered', { exact: true })).toBeVisible({ timeout: 60_000 })
  const artifacts = page.getByRole('table', { name: 'Artifacts' })
  await expect(artifacts.getByText(/^trades_.*\.csv$/)).toBeVisible({ timeout: 30_000 })
  await expect(page.getByRole('table', { name: 'Conditions' }).getByText('Complete')).toBeVisible()
  for (const step of ['Generated', 'Delivered', 'Recorded']) await expect(page.getByRole('list', { name: 'Progress' }).getByText(`${step}, done`)).toBeVisible({ timeout: 30_000 })

  // One trade of that day has no buyer: the page says which record, and by which column.
  await page.getByRole('button', { name: 'Show the rows' }).click()
  const violation = page.getByRole('table', { name: 'First violations' }).getByRole('row').nth(1)
  await expect(violation).toContainText('buyer_lei')
  await expect(violation).toContainText('trade_ref=')
  await fitsNarrow(page)
  await pictures(page, 'run')

  const download = page.waitForEvent('download')
  await artifacts.getByRole('button', { name: /^Download trades_/ }).click()
  expect((await download).suggestedFilename()).toMatch(/^trades_.*\.csv$/)

  await page.getByRole('link', { name: 'Its audit entries' }).click()
  await expect(page.getByLabel('With what')).toHaveValue(`run/${run}`)
  await expect(page.getByRole('table', { name: 'Audit entries' }).getByText('artifact.downloaded')).toBeVisible()
  await expect(page.getByRole('table', { name: 'Audit entries' }).getByText('auth.login')).toHaveCount(0)
  await page.getByRole('button', { name: 'Show all' }).click()
  const audit = page.getByRole('table', { name: 'Audit entries' })
  for (const action of ['artifact.downloaded', 'run.ended', 'start.requested']) await expect(audit.getByText(action).first()).toBeVisible()
  await expect(audit.getByText('auth.login').first()).toBeVisible()
  await pictures(page, 'audit')

  await page.getByRole('link', { name: 'Runs' }).click()
  await expect(page.getByRole('table', { name: 'Runs' }).getByText('Delivered').first()).toBeVisible()
  await expect(page.getByText('follows along')).toBeVisible()
  await fitsNarrow(page)
  await pictures(page, 'runs')

  await page.getByLabel('That ended').selectOption('Failed')
  await expect(page).toHaveURL(/outcome=Failed/)
  await expect(page.getByRole('table', { name: 'Runs' }).getByText('Delivered', { exact: true })).toHaveCount(0)

  await page.getByRole('link', { name: 'Reports' }).click()
  await page.getByRole('link', { name: 'Daily trades' }).click()
  await expect(page.getByRole('table', { name: 'Versions' }).getByText('1.0.0')).toBeVisible()
  await pictures(page, 'report')
})

test('a run that is not there is told so, with the way on', async ({ page }) => {
  await logIn(page)
  await page.goto('/runs/00000000-0000-4000-8000-000000000000')
  const alert = page.getByRole('alert')
  await expect(alert).toContainText('Could not load the run')
  await expect(alert).toContainText('another tenant')
  await page.goto('/nowhere')
  await expect(page.getByRole('heading', { name: 'Not found' })).toBeVisible()
})

test('a wrong present password changes nothing, and is told at its field', async ({ page }) => {
  await logIn(page)
  await page.getByRole('link', { name: env('OPENREG_USER') }).click()
  await page.getByLabel('Present password').fill('not the password')
  await page.getByLabel('New password', { exact: true }).fill('twelve characters')
  await page.getByLabel('New password again').fill('twelve characters')
  await page.getByRole('button', { name: 'Change it' }).click()
  await expect(page.getByRole('alert')).toContainText('is not the present password')
  await accessible(page)
})

test('a person with a keyboard reaches the page past the menu, and a dialog gives the focus back', async ({ page }) => {
  await logIn(page)
  await page.reload()
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('button', { name: 'Start a run' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog', { name: 'Start a run' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Start a run' })).toBeFocused()
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
