// A consumer from the page of an API to a 200 with a key of their own, and what
// they do with the key afterwards; with and without JavaScript, on both stores. Where
// the stores are shared, a second gateway has to see the same.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { ADMIN, start } from './support/server.mjs';
import { signIn } from './support/session.mjs';
import { CLUSTER, STORES } from './support/stores.mjs';

const CLICKS = 4;
/** How long a change may take to reach every gateway of a machine that has much else to do. */
const SETTLES_MS = 30_000;

for (const store of STORES) {
  describe(`a consumer on ${store}`, () => {
    let browser;
    let server;
    let addresses;
    let gateways;
    before(async () => {
      browser = await launch();
      server = await start({ store, command: 'demo' });
      addresses = await server.ready;
      gateways = [addresses.gateway];
      if (store === CLUSTER) gateways.push((await server.node('gateway')).gateway);
    });
    after(async () => {
      await browser.close();
      await server.stop();
    });

    /** Every gateway answers a call with this key with this status, at once or after it has heard of the change. */
    const settles = async (key, status, what) => {
      const until = Date.now() + SETTLES_MS;
      for (const gateway of gateways) {
        let got;
        do {
          got = (await fetch(new URL('/catalog/v2/products', gateway), { headers: { 'X-API-Key': key } })).status;
        } while (got !== status && Date.now() < until && (await new Promise((done) => setTimeout(done, 50, true))));
        assert.equal(got, status, `${what}, at ${gateway}`);
      }
    };

    for (const js of [true, false]) {
      const how = js ? 'on' : 'off';

      test(`gets a key, runs a call, rotates and revokes, JavaScript ${how}`, { timeout: 600_000 }, async () => {
        const { page, faults } = await visitor(browser, addresses.portal, { js });
        await signIn(page, ADMIN, '/apis/catalog');
        let clicks = 0;
        const press = async (role, name) => {
          await page.getByRole(role, { name }).first().click();
          clicks += 1;
          await page.waitForLoadState('load');
        };
        await press('link', 'Get access');
        const select = page.getByLabel('Application', { exact: true });
        if (await select.count()) await select.selectOption({ label: await select.locator('option').last().textContent() });
        const name = page.getByLabel(/^Name of/);
        if (await name.count()) await name.fill(`Browser ${how}`);
        await press('button', 'Request access');
        const secret = (await page.locator('.reveal-secret code').textContent()).trim();
        assert.match(secret, /^gw_(live|test)_/);
        await settles(secret, 200, 'the key that is shown works');
        const keyPage = page.url();
        await press('link', 'Run it here');
        await press('button', /^Run/);
        await page.locator('.try-answer').getByText('200').first().waitFor();
        console.log(`FIGURE consumer, ${store}, JavaScript ${how}: ${clicks} clicks from the page of the API to a 200 with a key of their own`);
        assert.ok(clicks <= CLICKS, `${clicks} clicks`);

        await page.goto(keyPage.replace(/\/created.*/, '/rotate'));
        await page.getByRole('button', { name: /^Rotate|^Make/ }).first().click();
        await page.waitForLoadState('load');
        const second = (await page.locator('.reveal-secret code').textContent()).trim();
        assert.notEqual(second, secret);
        await settles(second, 200, 'the new key works');
        const latest = page.url();
        await page.goto(latest.replace(/\/created.*/, '/revoke'));
        const reason = page.getByLabel(/^Reason/);
        if (await reason.count()) await reason.fill('no longer needed');
        await page.getByRole('button', { name: /^Revoke/ }).first().click();
        await page.waitForLoadState('load');
        await settles(second, 401, 'a revoked key is refused');
        assert.deepEqual(faults, []);
      });
    }
  });
}
