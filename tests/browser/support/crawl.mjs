// Finds every page that can be reached by links, one of each kind.

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

/**
 * Follows links from the given paths.
 * @returns {Promise<{path: string, kind: string, status: number}[]>} in the order in which they were found
 */
export async function crawl(request, origin, starts, perKind = 1) {
  const queue = [...starts];
  const seen = new Set(queue);
  const kinds = new Map();
  const found = [];
  while (queue.length > 0) {
    const path = queue.shift();
    const kind = kindOf(path.split('?')[0]);
    const count = kinds.get(kind) ?? 0;
    if (count >= perKind) continue;
    kinds.set(kind, count + 1);
    const answer = await request.get(path, { maxRedirects: 5 });
    found.push({ path, kind, status: answer.status() });
    if (!(answer.headers()['content-type'] ?? '').startsWith('text/html')) continue;
    for (const [, href] of (await answer.text()).matchAll(/<a\b[^>]*?\shref="([^"]+)"/g)) {
      const url = new URL(href.replaceAll('&amp;', '&').replaceAll('&#38;', '&'), new URL(path, origin));
      url.hash = '';
      if (url.origin !== origin || NO_PAGE.test(url.pathname)) continue;
      const next = url.pathname + url.search;
      if (!seen.has(next)) {
        seen.add(next);
        queue.push(next);
      }
    }
  }
  return found;
}
