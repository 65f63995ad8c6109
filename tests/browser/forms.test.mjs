// Every form that is refused says so: sent empty, or with more than fits. The
// summary has the focus, the title says it, what was typed is kept; in every look.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, visitor } from './support/browser.mjs';
import { crawl, kindOf } from './support/crawl.mjs';
import { LOOKS, dress, inspect, stretched } from './support/inspect.mjs';
import { picture } from './support/picture.mjs';
import { ADMIN, start } from './support/server.mjs';
import { stateOf } from './support/session.mjs';

const OPEN = ['/', '/sign-in', '/sign-up', '/forgot'];
const SIGNED_IN = ['/', '/apis', '/me', '/me/settings', '/console', '/me/apps/new', '/console/apis/new', '/console/teams', '/console/users', '/console/tokens'];
/** Forms that cannot take nothing: were one of them accepted, or not found, this test would not see much. */
const MUST_REFUSE = ['/console/apis/new', '/console/apis/{it}/plans/new', '/console/teams', '/console/users', '/console/tokens', '/console/settings', '/me/apps', '/me/settings', '/sign-in', '/sign-up'];
const TYPED = 'input:not([type=hidden]):not([type=radio]):not([type=checkbox]):not([type=file]), textarea';
const TOO_MUCH = 'too much '.repeat(900);

/** The forms of the page that is shown which take what somebody types. */
const formsOf = (page) =>
  page.evaluate(
    (typed) =>
      [...document.querySelectorAll('main form[method=post]')]
        .filter((form) => [...form.querySelectorAll(typed)].some((field) => field.name))
        .map((form) => new URL(form.getAttribute('action') ?? '', location.href).pathname),
    TYPED,
  );

/** Sends a form past the browser's own checks with the same text in every field. */
async function sendWith(page, action, text) {
  const sent = page.waitForResponse((response) => response.request().method() === 'POST');
  // A form in a dialog or behind a disclosure is sent all the same.
  await page.evaluate(
    ({ action, typed, text }) => {
      const form = [...document.querySelectorAll('main form[method=post]')].find((form) => new URL(form.getAttribute('action') ?? '', location.href).pathname === action && form.querySelector(typed));
      form.noValidate = true;
      for (const field of form.querySelectorAll(typed)) field.value = ['number', 'date', 'datetime-local'].includes(field.type) ? '' : text;
      form.requestSubmit(form.querySelector('button:not([type=button])'));
    },
    { action, typed: TYPED, text },
  );
  const answer = await sent;
  await page.waitForLoadState('load');
  if (answer.status() >= 400) await page.locator('.error-summary:focus, .error-summary :focus').first().waitFor().catch(() => {});
  return answer.status();
}

/** Sentences that name what is wrong better than the label of their field does. */
const OWN_WORDS = /^(Enter|Choose|Give|Type|Name|The file|This description|A key has|There is no team) /;

/** The summary says of a field what the field says of itself, in the words of its label. */
const words = (page) =>
  page.evaluate((own) => {
    const wrong = [];
    for (const link of document.querySelectorAll('.error-summary a')) {
      const id = decodeURIComponent(link.hash.slice(1));
      const field = document.getElementById(id);
      const label = document.querySelector(`label[for="${CSS.escape(id)}"]`) ?? field?.querySelector('legend');
      const told = document.getElementById(`e-${id.slice(2)}`)?.textContent.replace(/^Error: /, '').trim();
      const text = link.textContent.trim();
      if (told !== text) wrong.push(`the summary says “${text}”, the field “${told}”`);
      const name = label?.firstChild.textContent.trim().toLowerCase();
      if (!text.toLowerCase().includes(name) && !new RegExp(own).test(text)) wrong.push(`“${text}” does not name “${name}”`);
    }
    return wrong;
  }, OWN_WORDS.source);

/** What is wrong with a page that refuses a form. */
async function refusal(page, kind) {
  const wrong = [];
  const summaries = await page.locator('.error-summary').count();
  if (summaries !== 1) wrong.push(`${summaries} summaries of errors`);
  else {
    if (!(await page.evaluate(() => Boolean(document.activeElement?.closest('.error-summary'))))) wrong.push('the summary has no focus');
    const lost = await page.evaluate(() => [...document.querySelectorAll('.error-summary a')].map((link) => link.hash).filter((hash) => !document.getElementById(decodeURIComponent(hash.slice(1)))));
    wrong.push(...lost.map((hash) => `${hash} of the summary is nowhere`));
    wrong.push(...(await words(page)));
  }
  if (!(await page.title()).startsWith('Error: ')) wrong.push(`the title is “${await page.title()}”`);
  for (const look of LOOKS) {
    await dress(page, look);
    for (const fault of await inspect(page)) wrong.push(`${look.theme} ${look.width}: ${fault}`);
    await picture(page, look, `refused-${kind}`);
  }
  wrong.push(...(await stretched(page)));
  await dress(page, LOOKS[0]);
  return wrong.map((fault) => `${kind}: ${fault}`);
}

/** Sends every form of these pages; gives what was refused and what was wrong. */
async function walk(browser, portal, starts, session) {
  const { context, page, faults } = await visitor(browser, portal, { session });
  const pages = await crawl(context.request, portal, starts);
  const refused = new Set();
  const taken = new Set();
  const wrong = [];
  const seen = new Set();
  for (const { path } of pages) {
    await page.goto(path, { waitUntil: 'load' });
    for (const action of await formsOf(page)) {
      const kind = kindOf(action);
      if (seen.has(kind)) continue;
      seen.add(kind);
      for (const [how, text] of [
        ['empty', ''],
        ['overlong', TOO_MUCH],
      ]) {
        if (new URL(page.url()).pathname + new URL(page.url()).search !== path || how === 'overlong') await page.goto(path, { waitUntil: 'load' });
        if (!(await formsOf(page)).includes(action)) break;
        const status = await sendWith(page, action, text);
        if (status >= 500) wrong.push(`${kind} sent ${how}: ${status}`);
        if (status < 400) {
          taken.add(`${kind} ${how}`);
          continue;
        }
        refused.add(kind);
        wrong.push(...(await refusal(page, kind)));
        break;
      }
    }
  }
  await context.close();
  return { refused, taken, wrong: [...wrong, ...faults] };
}

describe('forms', () => {
  let browser;
  let server;
  let portal;
  before(async () => {
    browser = await launch();
    server = await start({ command: 'demo' });
    ({ portal } = await server.ready);
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });

  test('that are refused say what is wrong', { timeout: 1_200_000 }, async () => {
    const open = await walk(browser, portal, OPEN);
    const inside = await walk(browser, portal, SIGNED_IN, await stateOf(portal, ADMIN));
    const refused = new Set([...open.refused, ...inside.refused]);
    console.log(`FIGURE forms: ${refused.size} kinds refused in ${LOOKS.length} looks and stretched; taken as they were: ${[...open.taken, ...inside.taken].sort().join(', ')}`);
    assert.deepEqual([...open.wrong, ...inside.wrong], []);
    assert.deepEqual(MUST_REFUSE.filter((kind) => !refused.has(kind)), [], 'not refused');
  });

  test('take a password that is pasted', { timeout: 300_000 }, async () => {
    for (const [path, session] of [['/sign-in'], ['/sign-up'], ['/me/settings', await stateOf(portal, ADMIN)]]) {
      const { context, page } = await visitor(browser, portal, { session });
      await page.goto(path);
      const text = page.locator('input[type=email], input[type=text], input[type=search]').locator('visible=true').first();
      await text.fill('a password from elsewhere');
      await text.press('Control+A');
      await text.press('Control+C');
      const fields = page.locator('input[type=password]').locator('visible=true');
      for (let at = 0; at < (await fields.count()); at += 1) {
        await fields.nth(at).press('Control+V');
        assert.equal(await fields.nth(at).inputValue(), 'a password from elsewhere', `${path}, field ${at}`);
      }
      assert.ok((await fields.count()) > 0, `${path} has a password`);
      await context.close();
    }
  });
});
