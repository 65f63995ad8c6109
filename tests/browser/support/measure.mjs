// What a page costs a browser: what comes over the wire, what it does to the
// screen and the main thread, and what stays in memory.

/** A slow phone far away (`portal-ux` 5.2). */
const SLOW = { cpu: 4, bytesPerSecond: 1_600_000 / 8, latency: 150 };
/** After this long without anything a page is done. */
const QUIET_MS = 400;
/** What the browser counts as a long task; all above it blocks. */
const BLOCKS_MS = 50;

/** Runs in the page before anything else. */
function observe() {
  const seen = { paint: 0, lcp: 0, cls: 0, tasks: [], interactions: [] };
  window.budgetSeen = seen;
  const on = (type, look, options = {}) => new PerformanceObserver((list) => list.getEntries().forEach(look)).observe({ type, buffered: true, ...options });
  on('paint', ({ name, startTime }) => name === 'first-contentful-paint' && (seen.paint = startTime));
  on('largest-contentful-paint', ({ startTime }) => (seen.lcp = startTime));
  on('layout-shift', ({ value, hadRecentInput }) => hadRecentInput || (seen.cls += value));
  on('longtask', ({ startTime, duration }) => seen.tasks.push([startTime, duration]));
  on('event', ({ interactionId, duration }) => interactionId && seen.interactions.push(duration), { durationThreshold: 16 });
}

/** Adds up what comes over the wire, headers included. */
async function scales(cdp) {
  await cdp.send('Network.enable');
  const kinds = new Map();
  const sums = { bytes: 0, requests: 0, Document: 0, Stylesheet: 0, Script: 0, Image: 0, Font: 0 };
  cdp.on('Network.responseReceived', ({ requestId, type }) => kinds.set(requestId, type));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    sums.bytes += encodedDataLength;
    sums.requests += 1;
    sums[kinds.get(requestId)] += encodedDataLength;
  });
  return sums;
}

const settled = async (page) => {
  await page.waitForLoadState('networkidle');
  await page.waitForTimeout(QUIET_MS);
};

/** Runs something on a fresh tab with nothing in the browser's cache. */
async function fresh(context, work) {
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  try {
    await cdp.send('Network.clearBrowserCache');
    return await work(page, cdp);
  } finally {
    await page.close();
  }
}

/** Bytes cold and warm, memory and nodes, with nothing slowed down. */
export const weigh = (context, path) =>
  fresh(context, async (page, cdp) => {
    await page.addInitScript(observe);
    const cold = await scales(cdp);
    const answer = await page.goto(path, { waitUntil: 'load' });
    await settled(page);
    const longest = await page.evaluate(() => Math.max(0, ...window.budgetSeen.tasks.map(([, duration]) => duration)));
    const counted = await page.evaluate(() => ({
      nodes: document.querySelectorAll('*').length,
      rows: Math.max(0, ...[...document.querySelectorAll('tbody')].map((body) => body.rows.length)),
      sheets: document.querySelectorAll('link[rel=stylesheet]').length,
      fonts: document.fonts.size,
    }));
    await cdp.send('Performance.enable');
    await cdp.send('HeapProfiler.collectGarbage');
    const { metrics } = await cdp.send('Performance.getMetrics');
    const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize').value;
    const first = { ...cold };
    Object.assign(cold, { bytes: 0, requests: 0 });
    await page.goto(path, { waitUntil: 'load' });
    await settled(page);
    const [, server] = /app;dur=([\d.]+)/.exec(answer.headers()['server-timing'] ?? '') ?? [];
    return { ...counted, cold: first, warm: cold.bytes, heap, longest, server: Number(server) };
  });

/** Times as somebody with a slow phone far away has them. */
export const slowed = (context, path) =>
  fresh(context, async (page, cdp) => {
    await page.addInitScript(observe);
    await cdp.send('Network.enable');
    await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: SLOW.latency, downloadThroughput: SLOW.bytesPerSecond, uploadThroughput: SLOW.bytesPerSecond });
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOW.cpu });
    await page.goto(path, { waitUntil: 'load' });
    await settled(page);
    const before = await page.evaluate(() => structuredClone(window.budgetSeen));
    const account = page.locator('.account-open');
    if (await account.count()) {
      await account.click();
      await page.keyboard.press('Escape');
    }
    await page.locator('#top-q').click();
    await page.keyboard.type('or', { delay: 120 });
    await settled(page);
    const { interactions } = await page.evaluate(() => window.budgetSeen);
    const blocking = before.tasks.filter(([start]) => start >= before.paint).reduce((sum, [, duration]) => sum + Math.max(0, duration - BLOCKS_MS), 0);
    return { paint: before.paint, lcp: before.lcp, cls: before.cls, blocking, interaction: Math.max(0, ...interactions) };
  });
