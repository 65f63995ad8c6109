// What people see when something is refused or fails: a page in every look that
// says what happened, names the request, and offers a step; also where neither
// store nor session can be asked.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, unguarded, visitor } from './support/browser.mjs';
import { LOOKS, dress, inspect, stretched } from './support/inspect.mjs';
import { management, person } from './support/management.mjs';
import { picture } from './support/picture.mjs';
import { ADMIN, start } from './support/server.mjs';
import { stateOf } from './support/session.mjs';
import { CLUSTER, STORES, cluster, sql, wayTo } from './support/stores.mjs';

const TRIES = 40;
const TRIES_TO_SIGN_IN = 12;
/** A page says that its store is away before people give up. */
const SAYS_SO_MS = 12_000;
const BACK_MS = 30_000;
const MIB = 1024 * 1024;

/** Waits until something holds, for as long as a busy machine may take. */
async function until(holds) {
  for (let waited = 0; waited < 300 && !holds(); waited += 1) await new Promise((done) => setTimeout(done, 100));
}

/** Presses a button; gives the answer to what it sends. */
async function send(page, button) {
  const [answer] = await Promise.all([page.waitForResponse((response) => response.request().method() === 'POST'), button.click()]);
  await page.waitForLoadState('load');
  return answer;
}

/** Looks at what an answer shows, in every look. */
async function looked(page, answer, { name, status, words }) {
  const wrong = [];
  const fault = (text) => wrong.push(`${name}: ${text}`);
  if (answer.status() !== status) fault(`answers ${answer.status()}`);
  const shown = await page.locator('main').innerText();
  for (const word of words) if (!word.test(shown)) fault(`does not say ${word} in “${shown.slice(0, 300)}”`);
  for (const look of LOOKS) {
    await dress(page, look);
    for (const found of await inspect(page)) fault(`${look.theme} ${look.width}: ${found}`);
    await picture(page, look, `error-${status}-${name}`);
  }
  wrong.push(...(await stretched(page)).map((found) => `${name}: ${found}`));
  await dress(page, LOOKS[0]);
  return wrong;
}

/** The same for a page of its own, which names the request and offers a step. */
async function explained(page, answer, expected) {
  const id = answer.headers()['x-request-id'] ?? 'no id';
  const wrong = await looked(page, answer, { ...expected, words: [...expected.words, new RegExp(`Request id: ${id}`)] });
  if ((await page.locator('main a.button').count()) === 0) wrong.push(`${expected.name}: offers no step`);
  return wrong;
}

describe('refusals', () => {
  let browser;
  let server;
  let portal;
  let api;
  let admin;
  before(async () => {
    browser = await launch();
    server = await start({ command: 'demo' });
    ({ portal } = await server.ready);
    api = await management(server);
    admin = await stateOf(portal, ADMIN);
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });

  const as = (session) => visitor(browser, portal, { session });
  const holds = async ({ context, faults }, wrong, figure) => {
    await context.close();
    console.log(`FIGURE refusals: ${figure}, ${wrong.length + faults.length} faults`);
    assert.deepEqual([...wrong, ...faults], []);
  };

  test('addresses that are not there, not yours, or no more', { timeout: 600_000 }, async () => {
    const nobody = await person(api, 'nobody');
    await api('POST', '/apis/catalog/versions/v1/retire');
    const document = { openapi: '3.1.0', info: { title: 'Past', version: '1' }, servers: [{ url: 'http://127.0.0.1:9' }], paths: { '/': { get: { operationId: 'look', responses: { 200: { description: 'ok' } } } } } };
    await api('POST', '/apis/import', { slug: 'past', context_path: '/past', document });
    await api('POST', '/apis/past/plans', { name: 'Free', slug: 'free', security: 'api_key', approval: 'auto', limits: [] }).then((plan) => api('POST', `/plans/${plan.id}/publish`));
    await api('POST', '/apis/past/versions/v1/publish');
    await api('POST', '/apis/past/versions/v1/deprecate', { sunset_at: new Date(Date.now() + 86_400_000 * 40).toISOString() });
    await api('POST', '/apis/past/versions/v1/retire');
    const stranger = await as();
    const helper = await as(await stateOf(portal, nobody));
    const owner = await as(admin);
    const cases = [
      [stranger, '/no-such-page', 404, 'unknown', [/does not exist/]],
      [stranger, '/apis/none', 404, 'unknown API', [/does not exist/]],
      [owner, '/console/apis/none', 404, 'unknown API in the console', [/does not exist/]],
      [stranger, '/t/nobody/apis', 404, 'unknown tenant', [/does not exist/]],
      [helper, '/console/settings', 403, 'without the permission', [/may not/, /permission/]],
      [owner, '/sign-out', 405, 'wrong method', [/cannot be done here/]],
      [stranger, '/apis/catalog/v/v1/reference', 410, 'retired version', [/retired/, /Use version v2/]],
      [stranger, '/apis/past', 410, 'retired API', [/retired/]],
    ];
    const wrong = [];
    for (const [{ page }, path, status, name, words] of cases) {
      const answer = await page.goto(path, { waitUntil: 'load' });
      wrong.push(...(await explained(page, answer, { name, status, words })));
    }
    for (const { context, faults } of [stranger, helper]) {
      wrong.push(...faults);
      await context.close();
    }
    await holds(owner, wrong, `${cases.length} addresses in ${LOOKS.length} looks`);
  });

  test('too much, too often, too late', { timeout: 900_000 }, async () => {
    const owner = await as(admin);
    const { page } = owner;
    const wrong = [];

    const large = join(server.dataDir, 'large.yaml');
    await writeFile(large, Buffer.alloc(33 * MIB, 'x'));
    await page.goto('/console/apis/new');
    await page.locator('input[type=file]').first().setInputFiles(large);
    let answer = await send(page, page.getByRole('button', { name: 'Check' }));
    wrong.push(...(await explained(page, answer, { name: 'too large a file', status: 413, words: [/too large/, /At most 32 MiB/] })));

    await page.goto('/me/apps/new');
    await page.locator('main form.form input:not([type=hidden]):not([type=radio])').first().fill('x'.repeat(1.2 * MIB));
    answer = await send(page, page.locator('main form.form button').first());
    wrong.push(...(await explained(page, answer, { name: 'too large a form', status: 413, words: [/too large/, /At most 1 MiB/] })));

    const { items: [open] } = await api('GET', '/approvals?state=open');
    await page.goto(`/console/approvals/${open.id}`);
    await api('POST', `/approvals/${open.id}/approve`);
    answer = await send(page, page.getByRole('button', { name: 'Approve', exact: true }));
    wrong.push(...(await looked(page, answer, { name: 'decided already', status: 422, words: [/There is a problem/, /approved/] })));

    await page.goto('/apis/catalog');
    await page.getByRole('link', { name: 'Get access' }).first().click();
    const name = page.getByLabel(/^Name of/);
    if (await name.count()) await name.fill('Often');
    await page.getByRole('button', { name: 'Request access' }).click();
    await page.getByRole('link', { name: 'Run it here' }).click();
    await page.waitForLoadState('load');
    // What counts is how many come in a minute, and the page takes its time with each.
    const { action, fields } = await page.evaluate(() => {
      const form = document.querySelector('form[action*="/try"]');
      return { action: form.getAttribute('action').split('#')[0], fields: Object.fromEntries(new FormData(form)) };
    });
    const past = () => owner.context.request.post(action, { form: fields, headers: { origin: portal } });
    let tries = 0;
    do {
      await Promise.all(Array.from({ length: TRIES }, past));
      answer = await send(page, page.getByRole('button', { name: /^Run/ }).first());
      tries += TRIES + 1;
    } while (answer.status() === 200 && tries < 5 * TRIES);
    await page.locator('.error-summary, .alert-danger').first().waitFor();
    wrong.push(...(await looked(page, answer, { name: 'tried too often', status: 429, words: [/again/] })));

    const clumsy = await person(api, 'clumsy');
    const stranger = await as();
    let guesses = 0;
    do {
      await stranger.page.goto('/sign-in');
      await stranger.page.getByLabel('E-mail address').fill(clumsy.email);
      await stranger.page.getByLabel('Password', { exact: true }).fill('not this one');
      answer = await send(stranger.page, stranger.page.getByRole('button', { name: 'Sign in' }));
      guesses += 1;
    } while (answer.status() !== 429 && guesses < TRIES_TO_SIGN_IN);
    wrong.push(...(await looked(stranger.page, answer, { name: 'too many wrong passwords', status: 429, words: [/again/] })));
    wrong.push(...stranger.faults);
    await stranger.context.close();
    await holds(owner, wrong, `413, a late decision and 429 in ${LOOKS.length} looks; ${tries} runs and ${guesses} guesses until the limit`);
  });

  test('parts of pages and static files say how they are to be treated', async () => {
    const answers = await Promise.all([
      fetch(`${portal}/search?q=orders`, { headers: { 'hx-request': 'true' } }),
      fetch(`${portal}/apis/none`, { headers: { 'hx-request': 'true' } }),
      fetch(`${portal}/static/none.js`),
      fetch(`${portal}/apis/catalog/v/v2/openapi.json`),
      fetch(`${portal}/llms.txt`),
      fetch(`${portal}/sign-in`, { method: 'POST', headers: { origin: 'http://elsewhere.example' } }),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 404, 404, 200, 200, 403],
    );
    assert.deepEqual(answers.flatMap(({ url, headers }) => unguarded(url, Object.fromEntries(headers))), []);
    assert.doesNotMatch(await answers[1].text(), /<html/, 'a part fails as a part');
  });

  test('the browser reports what breaks the policy, with and without JavaScript', async () => {
    for (const js of [true, false]) {
      const { context, page, faults } = await visitor(browser, portal, { js });
      const { headers } = await fetch(`${portal}/apis`);
      await page.route('**/broken', (route) => route.fulfill({ status: 200, contentType: 'text/html', headers: Object.fromEntries(['content-security-policy', 'x-content-type-options', 'referrer-policy'].map((name) => [name, headers.get(name)])), body: '<!doctype html><title>x</title><p style="color:red">x</p><img src="http://elsewhere.invalid/x.png">' }));
      await page.goto('/broken');
      const reported = (kind) => faults.some((fault) => fault.startsWith(`CSP: ${kind}`));
      await until(() => reported('style-src') && reported('img-src'));
      assert.ok(reported('style-src'), `JavaScript ${js}: ${faults}`);
      assert.ok(reported('img-src'), `JavaScript ${js}: ${faults}`);
      await context.close();
    }
  });
});

describe('failures', { skip: !STORES.includes(CLUSTER) }, () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  test('a table is gone: 500 names the request, and the log its cause', { timeout: 600_000 }, async () => {
    const server = await start({ store: CLUSTER, command: 'demo' });
    try {
      const { portal } = await server.ready;
      const { context, page, faults } = await visitor(browser, portal, { session: await stateOf(portal, ADMIN) });
      await page.goto('/console/audit');
      await sql(server.databaseUrl, 'ALTER TABLE audit_event RENAME TO lost');
      const answer = await page.goto('/console/audit');
      const wrong = await explained(page, answer, { name: 'a table is gone', status: 500, words: [/went wrong on our side/] });
      const id = answer.headers()['x-request-id'];
      const logged = () => server.log.filter((line) => line.includes(id) && line.includes('audit_event'));
      await until(() => logged().length > 0);
      if (logged().length === 0) wrong.push('the log does not say why');
      if ((await page.content()).includes('audit_event')) wrong.push('the page shows what only the log may say');
      await context.close();
      assert.deepEqual([...wrong, ...faults], []);
    } finally {
      await server.stop();
    }
  });

  test('the store is away: 503 for everybody, and at the start; then all is well again', { timeout: 900_000 }, async () => {
    const { databaseUrl, redisUrl } = await cluster();
    const way = await wayTo(databaseUrl);
    const options = { command: 'demo', databaseUrl: way.url, redisUrl };
    let server = await start(options);
    const wrong = [];
    const faults = [];
    const away = async (portal, session, path, name) => {
      const { context, page, faults: own } = await visitor(browser, portal, { session });
      const since = Date.now();
      const answer = await page.goto(path, { waitUntil: 'load' });
      const took = Date.now() - since;
      console.log(`FIGURE 503 ${name}: after ${(took / 1000).toFixed(1)} s`);
      if (took > SAYS_SO_MS) wrong.push(`${name}: only after ${took} ms`);
      wrong.push(...(await explained(page, answer, { name, status: 503, words: [/not available right now/, /Try again/] })));
      return { context, page, faults: own };
    };
    const again = async ({ context, page, faults: own }, name) => {
      const until = Date.now() + BACK_MS;
      let answer;
      do {
        [answer] = await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.getByRole('link', { name: 'Try again' }).click()]);
      } while (answer.status() === 503 && Date.now() < until);
      if (answer.status() !== 200) wrong.push(`${name}: answers ${answer.status()} when the store is back`);
      faults.push(...own);
      await context.close();
    };
    try {
      const { portal } = await server.ready;
      const session = await stateOf(portal, ADMIN);
      await way.cut();
      const somebody = await away(portal, session, '/console/apis', 'signed in');
      const stranger = await away(portal, undefined, '/apis', 'a visitor');
      const part = await fetch(`${portal}/search?q=orders`, { headers: { 'hx-request': 'true' } });
      if (part.status !== 503 || (await part.text()).includes('<html')) wrong.push(`a part of a page: ${part.status}`);
      faults.push(...unguarded(part.url, Object.fromEntries(part.headers)));
      await way.join();
      await again(somebody, 'signed in');
      await again(stranger, 'a visitor');

      await server.end();
      await way.cut();
      const { dataDir } = server;
      server = await start({ ...options, dataDir, listen: { portal: new URL(portal).host } });
      await server.logged(/the store is away/);
      const early = await away(portal, undefined, '/apis?q=orders', 'started without its store');
      await way.join();
      await again(early, 'started without its store');
      assert.deepEqual([...wrong, ...faults], []);
    } finally {
      await server.stop();
      await way.cut();
    }
  });
});
