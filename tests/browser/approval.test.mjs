// A request is rejected with a reason, and another approved; with and without
// JavaScript, on both stores.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { ADMIN, start } from './support/server.mjs';
import { signIn } from './support/session.mjs';
import { STORES } from './support/stores.mjs';

describe('approvals', () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  const ways = STORES.flatMap((store) => [true, false].map((js) => [store, js]));
  for (const [store, js] of ways) {
    test(`reject with a reason, ask again, approve on ${store}, JavaScript ${js ? 'on' : 'off'}`, { timeout: 600_000 }, async () => {
      const server = await start({ store, command: 'demo' });
      try {
        const { portal } = await server.ready;
        const { page, faults } = await visitor(browser, portal, { js });
        await signIn(page, ADMIN, '/console/approvals');
        const open = page.locator('tbody th a').first();
        await open.click();
        await page.waitForLoadState('load');
        const request = page.url();
        await page.getByRole('button', { name: 'Reject with this reason' }).click();
        await page.waitForLoadState('load');
        if (page.url().endsWith('/reject') || (await page.locator('.error-summary').count())) {
          assert.ok(await page.locator('.error-summary').count(), 'a rejection needs a reason');
        }
        await page.goto(request);
        await page.getByLabel('Reason').fill('Please use the sandbox first.');
        await page.getByRole('button', { name: 'Reject with this reason' }).click();
        await page.waitForURL((url) => url.pathname === '/console/approvals');
        await page.goto(request);
        await page.getByText('Please use the sandbox first.').first().waitFor();

        await page.goto('/apis/orders/access?plan=standard');
        const select = page.getByLabel('Application', { exact: true });
        if (await select.count()) await select.selectOption({ index: 0 });
        const standard = page.getByLabel(/^Standard/);
        if (await standard.count()) await standard.first().check();
        const note = page.getByLabel(/^Note to the approver/);
        if (await note.count()) await note.fill('For the tills.');
        await page.getByRole('button', { name: 'Request access' }).click();
        await page.waitForLoadState('load');
        await page.getByText('pending').first().waitFor();

        await page.goto('/console/approvals');
        await page.locator('tbody th a').first().click();
        await page.getByRole('button', { name: 'Approve', exact: true }).click();
        await page.waitForURL((url) => url.pathname === '/console/approvals');
        await page.getByText('Nothing waits').waitFor();
        assert.deepEqual(faults, []);
      } finally {
        await server.stop();
      }
    });
  }
});
