// What publishers and consumers write is shown and does nothing: no script
// runs, no dialog opens, no policy is violated, no attribute of htmx survives.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { management } from './support/management.mjs';
import { start } from './support/server.mjs';
import { signIn } from './support/session.mjs';

const CORPUS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(2)>',
  '<svg onload=alert(3)><a xlink:href="javascript:alert(4)">x</a></svg>',
  '[click](javascript:alert(5)) [data](data:text/html,<script>alert(6)</script>)',
  '<a href="/" hx-get="/sign-out" hx-trigger="load" data-hx-on:load="alert(7)">x</a>',
  '<div hx-on:click="alert(8)" style="position:fixed;inset:0" class="dialog" id="main">x</div>',
  '<form action="https://elsewhere.example" method="post"><input name="password"></form>',
  '<iframe srcdoc="<script>alert(9)</script>"></iframe><base href="https://elsewhere.example/">',
  '![pixel](https://elsewhere.example/pixel.png) <img src="//elsewhere.example/p.gif">',
  '"><script>alert(10)</script><x y="',
  "';alert(11);//",
  '{{7*7}} {% raw %} ${alert(12)} `alert(13)`',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=alert(14)>',
  '\u202Eevil\u202C \u0000 \uFEFF',
];
const TEXT = CORPUS.join('\n\n');
const line = (at) => CORPUS[at % CORPUS.length].replaceAll('\n', ' ').slice(0, 110);

const document = {
  openapi: '3.1.0',
  info: { title: line(0), version: line(9), description: TEXT, contact: { name: line(1), url: 'javascript:alert(20)' } },
  servers: [{ url: 'http://127.0.0.1:9', description: line(2) }],
  tags: [{ name: line(3), description: TEXT }],
  externalDocs: { url: 'javascript:alert(21)', description: line(4) },
  paths: {
    '/things/{id}': {
      get: {
        operationId: 'getThing',
        summary: line(5),
        description: TEXT,
        tags: [line(3)],
        parameters: [{ name: 'id', in: 'path', required: true, description: TEXT, schema: { type: 'string', default: line(9), enum: CORPUS, pattern: line(10) }, example: line(1) }],
        responses: { 200: { description: TEXT, content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' }, example: { [line(0)]: line(1) } } } } },
        'x-codeSamples': [{ lang: line(2), label: line(0), source: TEXT }],
      },
    },
  },
  components: { schemas: { Thing: { title: line(0), description: TEXT, type: 'object', properties: { [line(1)]: { description: TEXT, const: line(9) }, 'hx-get': { type: 'string', examples: CORPUS } }, oneOf: [{ title: line(2) }, { title: line(6) }] } } },
};

describe('hostile content', () => {
  let browser;
  let server;
  before(async () => {
    browser = await launch();
    server = await start();
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });

  test('is inert on every page that shows it', { timeout: 600_000 }, async () => {
    const { portal } = await server.ready;
    const api = await management(server);
    const { api: made } = await api('POST', '/apis/import', { slug: 'hostile', context_path: '/hostile', document });
    await api('PATCH', `/apis/${made.id}`, { description: TEXT });
    const plan = await api('POST', '/apis/hostile/plans', { name: line(1), slug: 'free', description: TEXT, security: 'api_key', approval: 'manual', limits: [] });
    await api('POST', `/plans/${plan.id}/publish`);
    await api('POST', '/apis/hostile/versions/v1/publish');
    const application = await api('POST', '/applications', { name: line(0), slug: 'bad', environment: 'live' });
    await api('POST', `/applications/${application.id}/subscriptions`, { plan_id: plan.id, reason: line(1) });
    const { items: [request] } = await api('GET', '/approvals?state=open');
    const paths = [
      '/',
      '/apis',
      `/apis?q=${encodeURIComponent(line(9))}`,
      `/search?q=${encodeURIComponent(line(0))}`,
      '/apis/hostile',
      '/apis/hostile/access',
      '/apis/hostile/v/v1/reference',
      '/apis/hostile/v/v1/ops/getthing',
      '/apis/hostile/v/v1/schemas',
      '/apis/hostile/v/v1/schemas/Thing',
      '/apis/hostile/v/v1/auth',
      '/apis/hostile/v/v1/errors',
      '/me',
      '/me/apps',
      '/me/apps/bad',
      '/me/apps/bad/subscriptions',
      '/console',
      '/console/apis',
      '/console/apis/hostile',
      '/console/apis/hostile/versions/v1',
      '/console/apis/hostile/plans',
      '/console/apis/hostile/subscribers',
      '/console/approvals',
      `/console/approvals/${request.id}`,
      '/console/apps/bad',
      '/console/subscriptions',
      `/console/audit?action=${encodeURIComponent(line(9))}`,
    ];
    const { context, page, faults } = await visitor(browser, portal);
    await signIn(page);
    const wrong = [];
    for (const path of paths) {
      const answer = await page.goto(path, { waitUntil: 'load' });
      if (answer.status() >= 500) wrong.push(`${path}: ${answer.status()}`);
      const found = await page.evaluate(() => {
        const list = [];
        for (const element of document.querySelectorAll('*')) {
          for (const { name, value } of element.attributes) {
            if (name.startsWith('on') || name === 'style' || name === 'srcdoc') list.push(`${element.tagName} ${name}`);
            if (/^(href|src|action|formaction|xlink:href)$/.test(name) && /^\s*(javascript|data|vbscript):/i.test(value)) list.push(`${name}=${value}`);
          }
        }
        const foreign = [...document.querySelectorAll('script, iframe, base, object, embed')].filter((element) => !(element.src ?? '').includes('/static/'));
        list.push(...foreign.map((element) => element.outerHTML.slice(0, 80)));
        for (const prose of document.querySelectorAll('.prose')) {
          for (const element of prose.querySelectorAll('*')) {
            for (const { name, value } of element.attributes) if (value && /^(data-)?hx-|^(class|id|style)$/.test(name) && !element.closest('.alert')) list.push(`prose ${element.tagName} ${name}`);
          }
          if (prose.querySelector('form, input, img[src^="http"], img[src^="//"]')) list.push('prose has a form or a foreign image');
        }
        return list;
      });
      wrong.push(...found.map((fault) => `${path}: ${fault}`));
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(faults, []);
    await context.close();
  });
});
