// A publisher: import with findings, plan, publish, deprecate with the notice on
// the portal; with and without JavaScript, on both stores.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { ADMIN, start } from './support/server.mjs';
import { signIn } from './support/session.mjs';
import { STORES } from './support/stores.mjs';

const DOCUMENT = JSON.stringify({
  openapi: '3.1.0',
  info: { title: 'Garden', version: '1' },
  servers: [{ url: 'http://127.0.0.1:9/garden' }],
  paths: { '/beds': { get: { operationId: 'listBeds', summary: 'List the beds', responses: { 200: { description: 'Beds' } } } } },
});

describe('a publisher', () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  const ways = STORES.flatMap((store) => [true, false].map((js) => [store, js]));
  for (const [store, js] of ways) {
    test(`imports, publishes and deprecates on ${store}, JavaScript ${js ? 'on' : 'off'}`, { timeout: 600_000 }, async () => {
      const server = await start({ store });
      try {
        const { portal } = await server.ready;
        const { page, faults } = await visitor(browser, portal, { js });
        const press = async (name) => {
          await page.getByRole('button', { name }).first().click();
          await page.waitForLoadState('load');
        };
        await signIn(page, ADMIN, '/console/apis/new');
        await page.locator('textarea[name=document]').fill('openapi: 3.1.0');
        await press('Check');
        await page.getByText('It cannot be imported').or(page.locator('.error-summary')).first().waitFor();
        await page.locator('textarea[name=document]').fill(DOCUMENT);
        await press('Check');
        await page.getByText('It can be imported').waitFor();
        await press('Create draft');
        await page.waitForURL(/\/console\/apis\/garden/);

        await page.goto('/console/apis/garden/plans/new');
        await page.getByLabel('Name', { exact: true }).fill('Free');
        const slug = page.getByLabel(/^In addresses|^Short name/);
        if (await slug.count()) await slug.first().fill('free');
        await press(/^Create|^Add/);
        if (await page.getByRole('button', { name: /^Publish|^Open/ }).count()) await press(/^Publish|^Open/);

        await page.goto('/console/apis/garden/versions/v1');
        await page.getByRole('link', { name: 'Publish' }).or(page.getByRole('button', { name: 'Publish' })).first().click();
        await page.waitForLoadState('load');
        if (!(await page.locator('.lifecycle [aria-current=step]').filter({ hasText: 'published' }).count())) await press('Publish');
        await page.goto('/apis/garden');
        await page.getByText('published').first().waitFor();

        await page.goto('/console/apis/garden/versions/v1/deprecate');
        const later = new Date(Date.now() + 40 * 86_400_000).toISOString().slice(0, 10);
        await page.getByLabel('Works until').fill(later);
        await page.getByLabel('Message').fill('Beds move to the second version.');
        await press('Preview');
        await page.getByText('What consumers see').waitFor();
        await press('Deprecate');
        await page.goto('/apis/garden/v/v1/reference');
        await page.getByText('deprecated').first().waitFor();
        assert.deepEqual(faults, []);
      } finally {
        await server.stop();
      }
    });
  }
});
