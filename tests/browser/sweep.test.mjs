// Every page, light and dark, narrow and wide, empty and filled: no finding of
// axe, no violation of the content policy, nothing from elsewhere, no overflow,
// one heading, room for fingers, text that may grow, and a picture to look at.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { crawl, kindOf } from './support/crawl.mjs';
import { LOOKS, dress, inspect, stretched } from './support/inspect.mjs';
import { picture, pictureInForcedColours } from './support/picture.mjs';
import { ADMIN, start } from './support/server.mjs';
import { stateOf } from './support/session.mjs';
import { CLUSTER, STORES } from './support/stores.mjs';

const OPEN = ['/', '/apis', '/sign-in', '/sign-up', '/forgot', '/no-such-page'];
const SIGNED_IN = ['/', '/apis', '/me', '/me/settings', '/console', '/console/gallery'];

/** Looks at each page once in every look. */
async function sweep(browser, origin, { name, paths, session }) {
  const { context, page, faults: own } = await visitor(browser, origin, { session });
  const faults = [];
  for (const path of paths) {
    await dress(page, LOOKS[0]);
    await page.goto(path, { waitUntil: 'load' });
    const file = `${name}-${kindOf(path.split('?')[0])}`;
    for (const look of LOOKS) {
      await dress(page, look);
      for (const fault of await inspect(page)) faults.push(`${path} ${look.theme} ${look.width}: ${fault}`);
      await picture(page, look, file);
    }
    for (const fault of await stretched(page)) faults.push(`${path}: ${fault}`);
    await pictureInForcedColours(page, file);
  }
  await context.close();
  console.log(`FIGURE sweep ${name}: ${paths.length} kinds of pages in ${LOOKS.length} looks and stretched, ${faults.length + own.length} faults`);
  return [...faults, ...own];
}

/** The pages that somebody can reach by links. */
async function reached(browser, origin, starts, session) {
  const { context } = await visitor(browser, origin, { session });
  const found = await crawl(context.request, origin, starts);
  await context.close();
  const broken = found.filter(({ path, status }) => status >= 400 && path !== '/no-such-page');
  assert.deepEqual(broken, [], 'links that lead nowhere');
  return found.map(({ path }) => path);
}

describe('every page', () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  for (const [state, command] of [
    ['filled', 'demo'],
    ['empty', 'serve'],
  ]) {
    test(`${state}: as an administrator and as a visitor`, { timeout: 1_800_000 }, async () => {
      const server = await start({ command });
      try {
        const { portal } = await server.ready;
        const session = await stateOf(portal, ADMIN);
        const signedIn = await reached(browser, portal, SIGNED_IN, session);
        const open = await reached(browser, portal, OPEN);
        const faults = [
          ...(await sweep(browser, portal, { name: `${state}-admin`, paths: signedIn, session })),
          ...(await sweep(browser, portal, { name: `${state}-visitor`, paths: open })),
        ];
        assert.deepEqual(faults, []);
      } finally {
        await server.stop();
      }
    });
  }

  test('on Postgres and Redis every page answers, and complains of nothing', { timeout: 900_000, skip: !STORES.includes(CLUSTER) }, async () => {
    const server = await start({ store: CLUSTER, command: 'demo' });
    try {
      const { portal } = await server.ready;
      const session = await stateOf(portal, ADMIN);
      const { context, page, faults } = await visitor(browser, portal, { session });
      const paths = await reached(browser, portal, SIGNED_IN, session);
      for (const path of paths) {
        const answer = await page.goto(path, { waitUntil: 'load' });
        if (answer.status() !== 200) faults.push(`${path}: ${answer.status()}`);
      }
      await context.close();
      console.log(`FIGURE sweep on Postgres and Redis: ${paths.length} kinds of pages, ${faults.length} faults`);
      assert.deepEqual(faults, []);
      assert.ok(paths.length > 50, `${paths.length} pages`);
    } finally {
      await server.stop();
    }
  });
});
