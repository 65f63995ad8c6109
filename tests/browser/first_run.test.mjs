// From an empty database to a 200 on screen, with and without JavaScript, on both stores.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { start } from './support/server.mjs';
import { STORES } from './support/stores.mjs';

const SCREENS = 5;
const TYPED = 5;
const CLICKS = 8;

describe('first run', () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  const ways = STORES.flatMap((store) => [true, false].map((js) => [store, js]));
  for (const [store, js] of ways) {
    const how = `${store}, JavaScript ${js ? 'on' : 'off'}`;
    test(`an administrator sees a 200 on ${how}`, { timeout: 600_000 }, async () => {
      const server = await start({ store, admin: false });
      try {
        const [, link] = await server.logged(/(http:\/\/[^\s"]+\/setup[^\s"]*)/);
        const { context, page, faults } = await visitor(browser, new URL(link).origin, { js });
        const since = Date.now();
        let [screens, typed, clicks] = [1, 0, 0];
        const type = async (label, text) => {
          await page.getByLabel(label, { exact: true }).fill(text);
          typed += 1;
        };
        const press = async (name) => {
          await page.getByRole('button', { name }).first().click();
          clicks += 1;
          await page.waitForLoadState('load');
        };
        await page.goto(link);
        await type('Your name', 'Ada Lovelace');
        await type('E-mail address', 'ada@example.com');
        await type('Password', 'a few plain words');
        await press('Next');
        screens += 1;
        await press('Import and publish the sample');
        screens += 1;
        if (await page.getByRole('button', { name: 'Publish' }).count()) {
          await press('Publish');
          screens += 1;
        }
        const follow = page.getByRole('link', { name: /^Run it/ });
        if (await follow.count()) {
          await follow.first().click();
          clicks += 1;
          screens += 1;
        }
        await page.getByRole('button', { name: /^Run/ }).first().click();
        clicks += 1;
        await page.locator('.try-answer').getByText('200').first().waitFor();
        console.log(`FIGURE first run, ${how}: ${screens} screens, ${typed} fields typed, ${clicks} clicks, ${((Date.now() - since) / 1000).toFixed(1)} s`);
        assert.ok(screens <= SCREENS, `${screens} screens`);
        assert.ok(typed <= TYPED, `${typed} fields`);
        assert.ok(clicks <= CLICKS, `${clicks} clicks`);
        assert.deepEqual(faults, []);
        const again = await context.request.get(link);
        assert.ok([404, 410].includes(again.status()) || !(await again.text()).includes('Your name'), 'the link works once');
      } finally {
        await server.stop();
      }
    });
  }
});
