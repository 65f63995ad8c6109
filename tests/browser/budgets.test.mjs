// What pages cost: bytes over the wire, requests, and time on the server; and
// that a document of 13 MB, or one of 5,000 schemas in circles, changes nothing.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { management } from './support/management.mjs';
import { start } from './support/server.mjs';
import { signIn } from './support/session.mjs';

const COLD_BYTES = 100_000;
const COLD_REQUESTS = 12;
const WARM_BYTES = 30_000;
const OPERATION_BYTES = 20_000;
const SAMPLED = 60;

const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

/** Loads a page and adds up what came over the wire, headers included. */
async function weigh(page, path) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let [bytes, requests] = [0, 0];
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    requests += 1;
  });
  await page.goto(path, { waitUntil: 'load' });
  await page.waitForTimeout(150);
  await session.detach();
  return { bytes, requests };
}

/** One page as a browser asks for it: its size over the wire and the server's own time. */
async function fetched(request, path) {
  const answer = await request.get(path, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(answer.status(), 200, path);
  const [, time] = /app;dur=([\d.]+)/.exec(answer.headers()['server-timing'] ?? '') ?? [];
  return { ms: Number(time), html: await answer.text() };
}

const schemasInCircles = () => {
  const schemas = {};
  for (let at = 0; at < 5000; at += 1) {
    const ref = (to) => ({ $ref: `#/components/schemas/Node${to % 5000}` });
    schemas[`Node${at}`] = {
      type: 'object',
      properties: { id: { type: 'string' }, next: ref(at + 1), far: ref(at * 7 + 3), all: { type: 'array', items: ref(at + 13) }, either: { oneOf: [ref(at + 2), ref(at + 5)] } },
    };
  }
  const paths = {};
  for (let at = 0; at < 200; at += 1) {
    const body = { content: { 'application/json': { schema: { $ref: `#/components/schemas/Node${at * 25}` } } } };
    paths[`/nodes/${at}`] = { get: { operationId: `node${at}`, responses: { 200: { description: 'A node', ...body } } }, post: { operationId: `makeNode${at}`, requestBody: body, responses: { 201: { description: 'Made', ...body } } } };
  }
  return JSON.stringify({ openapi: '3.0.3', info: { title: 'Circles', version: '1' }, servers: [{ url: 'http://127.0.0.1:9' }], paths, components: { schemas } });
};

describe('budgets', () => {
  let browser;
  let server;
  let addresses;
  before(async () => {
    browser = await launch();
    server = await start({ command: 'demo' });
    addresses = await server.ready;
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });

  const imported = async (slug, document) => {
    const api = await management(server);
    await api('POST', '/apis/import', `{"slug":"${slug}","context_path":"/${slug}","document":${document}}`);
    const operations = [];
    let cursor = '';
    do {
      const page = await api('GET', `/apis/${slug}/versions/v1/operations?limit=200${cursor && `&cursor=${cursor}`}`);
      operations.push(...page.items);
      cursor = page.next_cursor ?? '';
    } while (cursor);
    return operations;
  };

  test('pages stay light, cold and warm', { timeout: 180_000 }, async () => {
    const table = [];
    for (const path of ['/', '/apis', '/apis/catalog', '/apis/catalog/v/v2/reference', '/apis/catalog/v/v2/ops/listproducts', '/me', '/me/apps', '/console', '/console/apis', '/console/analytics', '/console/logs', '/console/audit']) {
      const { context, page } = await visitor(browser, addresses.portal);
      await signIn(page);
      await context.clearCookies({ name: 'none' });
      const cdp = await context.newCDPSession(page);
      await cdp.send('Network.clearBrowserCache');
      const cold = await weigh(page, path);
      const warm = await weigh(page, path);
      const { ms } = await fetched(context.request, path);
      table.push({ path, cold: cold.bytes, requests: cold.requests, warm: warm.bytes, 'server ms': ms });
      await context.close();
    }
    for (const row of table) console.log(`FIGURE ${row.path}: cold ${row.cold} B in ${row.requests} requests, warm ${row.warm} B, server ${row['server ms']} ms`);
    for (const row of table) {
      assert.ok(row.cold <= COLD_BYTES, `${row.path}: ${row.cold} bytes cold`);
      assert.ok(row.requests <= COLD_REQUESTS, `${row.path}: ${row.requests} requests`);
      assert.ok(row.warm <= WARM_BYTES, `${row.path}: ${row.warm} bytes warm`);
    }
  });

  const measured = async (name, slug, operations) => {
    const { context, page, faults } = await visitor(browser, addresses.portal);
    await signIn(page);
    const every = Math.max(1, Math.floor(operations.length / SAMPLED));
    const times = [];
    const sizes = [];
    const elements = [];
    const { gzipSync } = await import('node:zlib');
    for (let at = 0; at < operations.length; at += every) {
      const { ms, html } = await fetched(context.request, `/apis/${slug}/v/v1/ops/${operations[at].slug}`);
      times.push(ms);
      sizes.push(gzipSync(html).length);
      elements.push(html.match(/<[a-z]/gi).length);
    }
    const largest = operations[elements.indexOf(Math.max(...elements)) * every];
    await page.goto(`/apis/${slug}/v/v1/ops/${largest.slug}`);
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    const index = await fetched(context.request, `/apis/${slug}/v/v1/reference`);
    console.log(`FIGURE ${name}: ${times.length} operation pages, server p50 ${quantile(times, 0.5)} ms, p95 ${quantile(times, 0.95)} ms; gzip p50 ${quantile(sizes, 0.5)} B, largest ${Math.max(...sizes)} B; elements p50 ${quantile(elements, 0.5)}, most ${nodes}; reference ${index.ms} ms, ${gzipSync(index.html).length} B`);
    assert.ok(Math.max(...sizes) <= OPERATION_BYTES, `${Math.max(...sizes)} bytes`);
    assert.ok(nodes <= 5000, `${nodes} nodes`);
    assert.deepEqual(faults, []);
  };

  test("GitHub's document", { timeout: 180_000 }, async (context) => {
    const folder = process.env.GATEWRIGHT_DOCUMENTS;
    if (!folder) return context.skip('GATEWRIGHT_DOCUMENTS is not set');
    const document = await readFile(join(folder, 'octokit/generated/api.github.com.json'), 'utf8');
    await measured("GitHub's document", 'github', await imported('github', document));
  });

  test('5,000 schemas in circles', { timeout: 180_000 }, async () => {
    await measured('5,000 schemas in circles', 'circles', await imported('circles', schemasInCircles()));
  });
});
