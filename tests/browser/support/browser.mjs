// One Chromium for a test file, and contexts that notice what a page must not do.
import { chromium } from 'playwright-core';

/** What every answer says to the browser (`portal-ux` 5.1, `security` 3.20). */
export const POLICY = [
  "default-src 'none'",
  ...['script', 'style', 'img', 'font', 'connect'].map((kind) => `${kind}-src 'self'`),
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');
const HEADERS = {
  'content-security-policy': [POLICY],
  'x-content-type-options': ['nosniff'],
  // The second stands where a secret is in the address.
  'referrer-policy': ['same-origin', 'strict-origin'],
};

/** Starts Debian's Chromium. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });

/** What an answer should have said and did not. */
export function unguarded(url, headers) {
  return Object.entries(HEADERS)
    .filter(([name, values]) => !values.includes(headers[name]))
    .map(([name]) => `${name} of ${url}: ${headers[name] ?? 'absent'}`);
}

/** Has the browser itself report what breaks a page's policy; it does so without scripts too. */
async function report(context, page, faults) {
  const session = await context.newCDPSession(page);
  session.on('Audits.issueAdded', ({ issue }) => {
    const violation = issue.details.contentSecurityPolicyIssueDetails;
    if (violation) faults.push(`CSP: ${violation.violatedDirective} ${violation.blockedURL ?? violation.contentSecurityPolicyViolationType} on ${page.url()}`);
    if (issue.details.quirksModeIssueDetails) faults.push(`no standards mode on ${page.url()}`);
  });
  await session.send('Audits.enable');
}

/**
 * A visitor: a context of its own, with a list of everything that went wrong.
 * @param {import('playwright-core').Browser} browser
 * @param {string} origin the portal
 * @param {{js?: boolean, theme?: 'light' | 'dark', width?: number, session?: object}} options
 *   `session` is the storage state of somebody who is signed in
 */
export async function visitor(browser, origin, options = {}) {
  const { js = true, theme = 'light', width = 1280, session } = options;
  const context = await browser.newContext({
    baseURL: origin,
    javaScriptEnabled: js,
    colorScheme: theme,
    reducedMotion: 'reduce',
    storageState: session,
    viewport: { width, height: width < 600 ? 740 : 900 },
  });
  context.setDefaultTimeout(30_000);
  const faults = [];
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) faults.push(`leaves the origin: ${url}`);
  });
  context.on('response', (response) => {
    if (response.url().startsWith(origin)) faults.push(...unguarded(response.url(), response.headers()));
  });
  context.on('page', (page) => {
    page.on('dialog', (dialog) => {
      if (dialog.type() !== 'beforeunload') faults.push(`dialog: ${dialog.message()}`);
      dialog.accept().catch(() => {});
    });
    page.on('pageerror', (error) => faults.push(`script error: ${error.message} on ${page.url()}`));
    page.on('console', (message) => {
      // That a page was refused is the page's business.
      const refused = /^Failed to load resource: the server responded with a status of [45]/.test(message.text());
      if (message.type() === 'error' && !refused) faults.push(`console: ${message.text()} on ${page.url()}`);
    });
  });
  const page = await context.newPage();
  await report(context, page, faults);
  return { context, page, faults };
}
