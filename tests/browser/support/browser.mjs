// One Chromium for a test file, and contexts that notice what a page must not do.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Starts Debian's Chromium. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });

/**
 * A visitor: a context of its own, with a list of everything that went wrong.
 * @param {import('playwright-core').Browser} browser
 * @param {string} origin the portal
 * @param {{js?: boolean, theme?: 'light' | 'dark', width?: number}} options
 */
export async function visitor(browser, origin, options = {}) {
  const { js = true, theme = 'light', width = 1280 } = options;
  const context = await browser.newContext({
    baseURL: origin,
    javaScriptEnabled: js,
    colorScheme: theme,
    viewport: { width, height: width < 600 ? 740 : 900 },
  });
  context.setDefaultTimeout(15_000);
  const faults = [];
  await context.exposeBinding('reportViolation', (_, text) => faults.push(`CSP: ${text}`)).catch(() => {});
  if (js) {
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        window.reportViolation(`${event.violatedDirective} ${event.blockedURI} on ${location.pathname}`),
      );
    });
  }
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) faults.push(`leaves the origin: ${url}`);
  });
  context.on('page', (page) => {
    page.on('dialog', (dialog) => {
      if (dialog.type() !== 'beforeunload') faults.push(`dialog: ${dialog.message()}`);
      dialog.accept().catch(() => {});
    });
    page.on('pageerror', (error) => faults.push(`script error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && /Content Security Policy/.test(message.text())) faults.push(message.text());
    });
  });
  const page = await context.newPage();
  return { context, page, faults };
}

/** What axe finds on the page that is shown. */
export async function axe(page) {
  // The script is evaluated by the debugger, so the page's policy does not see it.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), AXE_TAGS);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(' ')} (${(node.failureSummary ?? '').split('\n').slice(1).join('; ').trim()})`),
  );
}
