// Pictures for people to look at, where GATEWRIGHT_SCREENSHOTS names a folder.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

const OUT = process.env.GATEWRIGHT_SCREENSHOTS;

async function shoot(page, folder, name) {
  const file = name.replaceAll(/[^a-z0-9{}-]+/gi, '_').slice(0, 120);
  await mkdir(join(OUT, folder), { recursive: true });
  await page.screenshot({ path: join(OUT, folder, `${file}.png`), fullPage: true });
}

/** The whole page in the look that it has. */
export async function picture(page, { theme, width }, name) {
  if (OUT) await shoot(page, `${width}-${theme}`, name);
}

/** The whole page in the colours that a person forces upon it. */
export async function pictureInForcedColours(page, name) {
  if (!OUT) return;
  await page.emulateMedia({ forcedColors: 'active' });
  await page.setViewportSize({ width: 1280, height: 900 });
  await shoot(page, '1280-forced-colours', name);
  await page.emulateMedia({ forcedColors: null });
}
