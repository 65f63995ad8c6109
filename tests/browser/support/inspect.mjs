// What can be wrong with a page whatever it shows.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** How every page is looked at. */
export const LOOKS = [
  { theme: 'light', width: 1280 },
  { theme: 'dark', width: 1280 },
  { theme: 'dark', width: 360 },
  { theme: 'light', width: 360 },
];

/** Gives the page that is shown another look. */
export async function dress(page, { theme, width }) {
  await page.emulateMedia({ colorScheme: theme });
  await page.setViewportSize({ width, height: width < 600 ? 740 : 900 });
}

/** What axe finds on the page that is shown. */
export async function axe(page) {
  // The script is evaluated by the debugger, so the page's policy does not see it.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }), AXE_TAGS);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(' ')} (${(node.failureSummary ?? '').split('\n').slice(1).join('; ').trim()})`),
  );
}

/** What is wrong with the page in the look that it has. */
export async function inspect(page) {
  return [...(await page.evaluate(faultsOfPage)), ...(await axe(page))];
}

/** Runs in the page. */
function faultsOfPage() {
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

  // WCAG 3.2.6: help stands at the same place, first in the foot of the page.
  const last = document.querySelector('body > footer');
  const first = last?.querySelector('a');
  if (!first?.pathname.endsWith('/help')) wrong.push('help is not the first link of the foot');

  // WCAG 2.5.8: 24 px, or so much room around it. Links within a text are exempt.
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !element.closest('.visually-hidden, .skip');
  const targets = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')].filter(seen);
  const boxes = targets
    .map((element) => ({ element, box: (element.closest('label') ?? element).getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0 && box.height > 0);
  const inText = (element) => {
    if (!getComputedStyle(element).display.startsWith('inline') || element.tagName !== 'A') return false;
    const around = element.closest('p, li, td, th, dd, dt, h1, h2, h3, h4, figcaption, blockquote, span.sub');
    return Boolean(around) && around.textContent.trim().length > element.textContent.trim().length;
  };
  for (const { element, box } of boxes) {
    if ((box.width >= 23.5 && box.height >= 23.5) || inText(element)) continue;
    const middle = [box.x + box.width / 2, box.y + box.height / 2];
    const near = boxes.find(({ element: other, box: at }) => {
      if (other === element || other.contains(element) || element.contains(other) || other.closest('label') === element.closest('label') && element.closest('label')) return false;
      const across = Math.max(at.x - middle[0], middle[0] - at.right, 0);
      const down = Math.max(at.y - middle[1], middle[1] - at.bottom, 0);
      return Math.hypot(across, down) < 12;
    });
    if (near) wrong.push(`a target of ${Math.round(box.width)} × ${Math.round(box.height)} px too near to another: ${element.outerHTML.slice(0, 100)}`);
  }
  return wrong;
}

/**
 * WCAG 1.4.10 and 1.4.12: at 400 % (a window of 320 px), with wide spacing, no
 * text is cut off and nothing scrolls sideways but what has to.
 */
export async function stretched(page) {
  await dress(page, { theme: 'light', width: 320 });
  return page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }');
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const wrong = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth + 1) {
      const scrolls = (element) => element && element !== root && (/auto|scroll|hidden|clip/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
      const wide = [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(element.parentElement));
      wrong.push(`overflows by ${root.scrollWidth - root.clientWidth} px when stretched: ${wide.slice(-2).map((element) => element.outerHTML.slice(0, 120)).join(' and ')}`);
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    while (walker.nextNode()) {
      const text = walker.currentNode;
      const own = text.parentElement;
      if (!text.data.trim() || !own.checkVisibility({ visibilityProperty: true }) || own.closest('.visually-hidden, .skip, svg, option')) continue;
      range.selectNodeContents(text);
      const box = range.getBoundingClientRect();
      if (box.width === 0) continue;
      for (let around = own; around && around !== document.body; around = around.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(around);
        if (/auto|scroll/.test(overflowX + overflowY)) break;
        const frame = around.getBoundingClientRect();
        // Said to screen readers alone, or the beginning of what its own page says in full.
        if (frame.width <= 2 || getComputedStyle(around).webkitLineClamp !== 'none') break;
        const cut = (overflowX !== 'visible' && (box.right > frame.right + 2 || box.left < frame.left - 2)) || (overflowY !== 'visible' && (box.bottom > frame.bottom + 2 || box.top < frame.top - 2));
        if (cut) {
          wrong.push(`cut off when stretched: “${text.data.trim().slice(0, 40)}” in ${around.tagName.toLowerCase()}.${around.className}`);
          break;
        }
      }
    }
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    return wrong.slice(0, 5);
  });
}
