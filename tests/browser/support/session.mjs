// Signing in as a person does.
import { ADMIN } from './server.mjs';

/** Signs in by the form and waits for the page after it. */
export async function signIn(page, { email, password } = ADMIN, returnTo = '/') {
  await page.goto(`/sign-in?return_to=${encodeURIComponent(returnTo)}`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await Promise.all([page.waitForURL((url) => !url.pathname.startsWith('/sign-in')), page.getByRole('button', { name: 'Sign in' }).click()]);
}
