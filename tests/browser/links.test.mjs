// Every link within the portal leads somewhere, for each kind of person; what it
// leads to says how the browser has to treat it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { everyLink } from './support/crawl.mjs';
import { management, person } from './support/management.mjs';
import { ADMIN, start } from './support/server.mjs';
import { cookieOf } from './support/session.mjs';

const OPEN = ['/', '/apis', '/help', '/search?q=orders', '/sign-in', '/sign-up', '/forgot', '/llms.txt'];

describe('every link', () => {
  let server;
  let portal;
  let api;
  before(async () => {
    server = await start({ command: 'demo' });
    ({ portal } = await server.ready);
    api = await management(server);
  });
  after(() => server.stop());

  const leads = async (name, cookie, starts) => {
    const { pages, links, faults } = await everyLink(portal, cookie, starts);
    console.log(`FIGURE links as ${name}: ${links} on ${pages} kinds of pages, ${faults.length} lead nowhere`);
    assert.deepEqual(faults, []);
    assert.ok(pages >= 10 && links >= 40, `${pages} pages with ${links} links`);
  };

  test('as a visitor', { timeout: 600_000 }, () => leads('a visitor', '', OPEN));

  test('as the owner', { timeout: 900_000 }, async () => leads('the owner', await cookieOf(portal, ADMIN), [...OPEN, '/me', '/console', '/console/gallery']));

  test('as each role, and as somebody without one', { timeout: 900_000 }, async () => {
    const { items } = await api('GET', '/roles');
    for (const role of [...items.map(({ name }) => name), undefined]) {
      const somebody = await person(api, role ?? 'nobody', role);
      await leads(role ?? 'somebody without a role', await cookieOf(portal, somebody), [...OPEN, '/me', '/me/settings']);
    }
  });
});
