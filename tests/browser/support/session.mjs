// Signing in as a person does.
import { ADMIN } from './server.mjs';

/** Signs in by the form and waits for the page after it. */
export async function signIn(page, { email, password } = ADMIN, returnTo = '/') {
  await page.goto(`/sign-in?return_to=${encodeURIComponent(returnTo)}`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await Promise.all([page.waitForURL((url) => !url.pathname.startsWith('/sign-in')), page.getByRole('button', { name: 'Sign in' }).click()]);
}

/** Signs in without a browser; gives the cookie. */
export async function cookieOf(portal, { email, password }) {
  const body = new URLSearchParams({ email, password });
  const answer = await fetch(`${portal}/sign-in`, { method: 'POST', headers: { origin: portal }, body, redirect: 'manual' });
  const [cookie] = answer.headers.getSetCookie();
  if (answer.status !== 303 || !cookie) throw new Error(`${email} cannot sign in: ${answer.status}`);
  return cookie.split(';')[0];
}

/** Somebody's session as a browser keeps it. */
export async function stateOf(portal, who) {
  const [name, value] = (await cookieOf(portal, who)).split('=');
  const { hostname } = new URL(portal);
  return { cookies: [{ name, value, domain: hostname, path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Lax' }], origins: [] };
}
