// The two main flows with keys alone: focus is always seen, and nothing traps it;
// on both stores.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { ADMIN, start } from './support/server.mjs';
import { STORES } from './support/stores.mjs';

const MOST_TABS = 120;

/** Presses Tab until the element with this name and role has the focus. */
async function tabTo(page, pattern, tags = 'A BUTTON INPUT TEXTAREA SELECT SUMMARY') {
  for (let pressed = 0; pressed < MOST_TABS; pressed += 1) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const label = element.labels?.[0]?.textContent ?? '';
      const box = element.getBoundingClientRect();
      const look = getComputedStyle(element);
      const seen = look.outlineStyle !== 'none' || look.boxShadow !== 'none' || Boolean(element.closest('label, .choice, .choice-card, .lang-tab')) || element.id === 'main' || element.getAttribute('role') === 'region';
      const inView = box.bottom > 0 && box.top < innerHeight;
      return { tag: element.tagName, name: (element.getAttribute('aria-label') || label || element.textContent || element.value || '').trim().replaceAll(/\s+/g, ' '), seen, inView };
    });
    if (!focus) continue;
    assert.ok(focus.seen, `the focus on ${focus.tag} “${focus.name.slice(0, 60)}” is not seen`);
    assert.ok(focus.inView, `“${focus.name.slice(0, 60)}” has the focus outside of the window`);
    if (tags.includes(focus.tag) && pattern.test(focus.name)) return;
  }
  assert.fail(`${pattern} is not reached by Tab`);
}

/** Presses Enter on what leads to another page. */
const enter = (page) => Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.keyboard.press('Enter')]);

async function signInByKeys(page, returnTo) {
  await page.goto(`/sign-in?return_to=${encodeURIComponent(returnTo)}`);
  await tabTo(page, /^E-mail address/);
  await page.keyboard.type(ADMIN.email);
  await tabTo(page, /^Password/);
  await page.keyboard.type(ADMIN.password);
  await enter(page);
  await page.waitForURL((url) => url.pathname === returnTo);
}

for (const store of STORES) {
  describe(`with keys alone on ${store}`, () => {
    let browser;
    let server;
    before(async () => {
      browser = await launch();
      server = await start({ store, command: 'demo' });
    });
    after(async () => {
      await browser.close();
      await server.stop();
    });

    test('a consumer gets a key and runs a call', { timeout: 600_000 }, async () => {
      const { portal } = await server.ready;
      const { page } = await visitor(browser, portal);
      await signInByKeys(page, '/apis/catalog');
      await tabTo(page, /^Get access/);
      await enter(page);
      const application = page.getByLabel('Application', { exact: true });
      if (await application.count()) {
        await tabTo(page, /^Application/);
        await page.keyboard.press('End');
      }
      const name = page.getByLabel(/^Name of/);
      if (await name.count()) {
        await tabTo(page, /^Name of/);
        await page.keyboard.press('Control+A');
        await page.keyboard.type('By keys');
      }
      await tabTo(page, /^Request access/);
      await enter(page);
      await page.locator('.reveal-secret').waitFor();
      await tabTo(page, /^Run it here/);
      await enter(page);
      await tabTo(page, /^Run$/);
      await page.keyboard.press('Enter');
      await page.locator('.try-answer').getByText('200').first().waitFor();
    });

    test('an approver approves', { timeout: 600_000 }, async () => {
      const { portal } = await server.ready;
      const { page } = await visitor(browser, portal);
      await signInByKeys(page, '/console/approvals');
      await tabTo(page, /^Use /, 'A');
      await enter(page);
      await tabTo(page, /^Comment/);
      await page.keyboard.type('Welcome.');
      await tabTo(page, /^Approve$/);
      await enter(page);
      await page.getByText('Nothing waits').waitFor();
    });
  });
}
