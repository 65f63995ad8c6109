// Every page, light and dark, narrow and wide, empty and filled: no finding of
// axe, no violation of the content policy, nothing from elsewhere, no overflow,
// one heading, and a screenshot to look at.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { crawl, kindOf } from './support/crawl.mjs';
import { axe } from './support/inspect.mjs';
import { ADMIN, start } from './support/server.mjs';
import { signIn } from './support/session.mjs';
import { CLUSTER, STORES } from './support/stores.mjs';

const OUT = process.env.GATEWRIGHT_SCREENSHOTS;
const LOOKS = [
  { theme: 'light', width: 1280 },
  { theme: 'dark', width: 1280 },
  { theme: 'light', width: 360 },
  { theme: 'dark', width: 360 },
];

/** What is wrong with the page that is shown, whatever page it is. */
async function inspect(page) {
  const faults = await page.evaluate(() => {
    const wrong = [];
    const headings = document.querySelectorAll('h1').length;
    if (headings !== 1) wrong.push(`${headings} h1`);
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth + 1) wrong.push(`overflows by ${root.scrollWidth - root.clientWidth} px`);
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
    if (twice.length > 0) wrong.push(`ids stand twice: ${twice.slice(0, 3).join(', ')}`);
    const nodes = document.querySelectorAll('*').length;
    if (nodes > 5000) wrong.push(`${nodes} nodes`);
    return wrong;
  });
  return [...faults, ...(await axe(page))];
}

async function sweep(browser, origin, { name, paths, session }) {
  const faults = [];
  let pages = 0;
  for (const look of LOOKS) {
    const { context, page, faults: own } = await visitor(browser, origin, look);
    if (session) await signIn(page, session);
    for (const path of paths) {
      await page.goto(path, { waitUntil: 'load' });
      pages += 1;
      for (const fault of await inspect(page)) faults.push(`${path} ${look.theme} ${look.width}: ${fault}`);
      if (OUT) {
        const folder = join(OUT, name, `${look.theme}-${look.width}`);
        await mkdir(folder, { recursive: true });
        const file = kindOf(path.split('?')[0]).replaceAll(/[^a-z0-9{}-]+/gi, '_').slice(0, 100) || '_';
        await page.screenshot({ path: join(folder, `${file}.png`), fullPage: true });
      }
    }
    faults.push(...own.map((fault) => `${look.theme} ${look.width}: ${fault}`));
    await context.close();
  }
  console.log(`FIGURE sweep ${name}: ${paths.length} kinds of pages, ${pages} looked at, ${faults.length} faults`);
  return faults;
}

/** Forms that are sent with nothing in them. */
const FORMS = ['/console/apis/new', '/console/apis/catalog/plans/new', '/console/teams/new', '/console/users/new', '/console/tokens/new', '/console/settings', '/me/apps/new', '/me/settings'];

/** Sends the main form of a page empty, past the browser's own checks, and looks at the refusal. */
async function refused(browser, origin) {
  const faults = [];
  let looked = 0;
  for (const look of LOOKS) {
    const { context, page, faults: own } = await visitor(browser, origin, look);
    await signIn(page);
    for (const path of FORMS) {
      await page.goto(path, { waitUntil: 'load' });
      await page.evaluate(() => {
        const form = document.querySelector('main form.form');
        form.noValidate = true;
        for (const field of form.querySelectorAll('input:not([type=hidden]):not([type=radio]):not([type=checkbox]), textarea')) field.value = '';
      });
      await Promise.all([page.waitForLoadState('load'), page.locator('main form.form button').first().click()]);
      await page.waitForTimeout(200);
      const summary = await page.locator('.error-summary').count();
      if (summary !== 1) faults.push(`${path}: ${summary} summaries of errors`);
      else {
        looked += 1;
        const focused = await page.evaluate(() => Boolean(document.activeElement?.closest('.error-summary')));
        if (!focused) faults.push(`${path}: the summary has no focus`);
        if (!(await page.title()).startsWith('Error: ')) faults.push(`${path}: the title does not say so`);
      }
      for (const fault of await inspect(page)) faults.push(`${path} refused, ${look.theme} ${look.width}: ${fault}`);
    }
    faults.push(...own);
    await context.close();
  }
  console.log(`FIGURE sweep refused forms: ${looked} looked at, ${faults.length} faults`);
  return faults;
}

describe('every page', () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  for (const [state, command] of [
    ['filled', 'demo'],
    ['empty', 'serve'],
  ]) {
    test(`${state}: as an administrator and as a visitor`, { timeout: 900_000 }, async () => {
      const server = await start({ command });
      try {
        const { portal } = await server.ready;
        const admin = await visitor(browser, portal);
        await signIn(admin.page);
        const signedIn = await crawl(admin.context.request, portal, ['/', '/apis', '/me', '/me/settings', '/console', '/console/gallery']);
        const open = await crawl((await visitor(browser, portal)).context.request, portal, ['/', '/apis', '/sign-in', '/sign-up', '/forgot', '/no-such-page']);
        const broken = [...signedIn, ...open].filter(({ path, status }) => status >= 400 && path !== '/no-such-page' && !path.startsWith('/setup'));
        assert.deepEqual(broken, [], 'links that lead nowhere');
        const faults = [
          ...(await sweep(browser, portal, { name: `${state}-admin`, paths: signedIn.map(({ path }) => path), session: ADMIN })),
          ...(state === 'filled' ? await refused(browser, portal) : []),
          ...(await sweep(browser, portal, { name: `${state}-visitor`, paths: open.map(({ path }) => path) })),
        ];
        assert.deepEqual(faults, []);
      } finally {
        await server.stop();
      }
    });
  }

  test('on Postgres and Redis every page answers, and complains of nothing', { timeout: 300_000, skip: !STORES.includes(CLUSTER) }, async () => {
    const server = await start({ store: CLUSTER, command: 'demo' });
    try {
      const { portal } = await server.ready;
      const { context, page, faults } = await visitor(browser, portal);
      await signIn(page);
      const pages = await crawl(context.request, portal, ['/', '/apis', '/me', '/me/settings', '/console', '/console/gallery']);
      for (const { path } of pages) {
        const answer = await page.goto(path, { waitUntil: 'load' });
        if (answer.status() !== 200) faults.push(`${path}: ${answer.status()}`);
      }
      await context.close();
      console.log(`FIGURE sweep on Postgres and Redis: ${pages.length} kinds of pages, ${faults.length} faults`);
      assert.deepEqual(faults, []);
      assert.ok(pages.length > 50, `${pages.length} pages`);
    } finally {
      await server.stop();
    }
  });
});
