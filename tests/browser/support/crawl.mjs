// Finds pages by following links.
import { unguarded } from './browser.mjs';

const ID = /^[a-z]+_[0-9a-z]{26}$/;
// Downloads and twins for machines are no pages.
const NO_PAGE = /\.(json|yaml|md|txt|env|csv|svg|css|js|atom)$/;

/** `/me/apps/app_01…/keys` is of the same kind as every other list of keys. */
export const kindOf = (path) =>
  path
    .split('/')
    .map((part) => (ID.test(part) ? '{id}' : part))
    .join('/')
    .replace(/^\/apis\/[^/]+/, '/apis/{api}')
    .replace(/^\/me\/apps\/(?!new$)[^/]+/, '/me/apps/{application}')
    .replace(/^\/console\/(apis|apps|teams)\/(?!new(\/|$))[^/]+/, '/console/$1/{it}')
    .replace(/\/(v|versions)\/(?!new$)[^/]+/, '/$1/{version}')
    .replace(/\/ops\/[^/]+/, '/ops/{op}')
    .replace(/\/schemas\/[^/]+/, '/schemas/{name}');

/** The links of a page within the portal. */
function linksOf(html, base) {
  const { origin } = new URL(base);
  return [...html.matchAll(/<a\b[^>]*?\shref="([^"]+)"/g)]
    .map(([, href]) => new URL(href.replaceAll('&amp;', '&').replaceAll('&#38;', '&'), base))
    .filter((url) => url.origin === origin);
}

const pathOf = (url) => url.pathname + url.search;

/**
 * Follows links from the given paths to one page of each kind.
 * @returns {Promise<{path: string, kind: string, status: number}[]>} in the order in which they were found
 */
export async function crawl(request, origin, starts) {
  const queue = [...starts];
  const seen = new Set(queue);
  const kinds = new Set();
  const found = [];
  while (queue.length > 0) {
    const path = queue.shift();
    const kind = kindOf(path.split('?')[0]);
    if (kinds.has(kind)) continue;
    kinds.add(kind);
    const answer = await request.get(path, { maxRedirects: 5 });
    found.push({ path, kind, status: answer.status() });
    if (!(answer.headers()['content-type'] ?? '').startsWith('text/html')) continue;
    for (const url of linksOf(await answer.text(), new URL(path, origin))) {
      const next = pathOf(url);
      if (NO_PAGE.test(url.pathname) || seen.has(next)) continue;
      seen.add(next);
      queue.push(next);
    }
  }
  return found;
}

/** Fetches a path as a browser with this cookie would, redirects and all. */
async function fetched(origin, path, cookie) {
  let url = new URL(path, origin);
  for (let hop = 0; hop < 5; hop += 1) {
    const answer = await fetch(url, { redirect: 'manual', headers: cookie ? { cookie } : {} });
    const faults = unguarded(url.pathname, Object.fromEntries(answer.headers));
    const location = answer.headers.get('location');
    if (location && answer.status >= 300 && answer.status < 400) {
      url = new URL(location, url);
      continue;
    }
    const html = (answer.headers.get('content-type') ?? '').startsWith('text/html');
    const text = await answer.text();
    return { status: answer.status, html: html ? text : null, faults };
  }
  return { status: 310, html: null, faults: [`${path} goes round in circles`] };
}

/**
 * Opens one page of each kind and asks for everything that these pages link to:
 * pages, downloads, and the places within them.
 * @returns {Promise<{pages: number, links: number, faults: string[]}>}
 */
export async function everyLink(origin, cookie, starts, expected = () => 200) {
  const queue = starts.map((path) => ({ path, from: 'the start' }));
  const asked = new Set(starts);
  const kinds = new Set();
  const places = [];
  const ids = new Map();
  const faults = [];
  const visit = async ({ path, from }) => {
    const { status, html, faults: own } = await fetched(origin, path, cookie);
    faults.push(...own);
    if (status !== expected(path)) faults.push(`${path} answers ${status}; linked from ${from}`);
    if (html === null) return;
    ids.set(path, new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)));
    const kind = kindOf(path.split('?')[0]);
    if (kinds.has(kind)) return;
    kinds.add(kind);
    for (const url of linksOf(html, new URL(path, origin))) {
      const next = pathOf(url);
      // The gallery's samples lead nowhere by design.
      if (url.hash.length > 1 && path !== '/console/gallery') places.push({ path: next, id: decodeURIComponent(url.hash.slice(1)), from: path });
      if (asked.has(next)) continue;
      asked.add(next);
      queue.push({ path: next, from: path });
    }
  };
  let visiting = 0;
  const worker = async () => {
    // Who visits a page may still find more.
    while (queue.length > 0 || visiting > 0) {
      const next = queue.shift();
      if (next) {
        visiting += 1;
        await visit(next).finally(() => (visiting -= 1));
      } else {
        await new Promise((done) => setTimeout(done, 5));
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  for (const { path, id, from } of places) if (ids.has(path) && !ids.get(path).has(id)) faults.push(`${path}#${id} is no place there; linked from ${from}`);
  return { pages: kinds.size, links: asked.size, faults };
}
