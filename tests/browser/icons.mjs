// Makes web/icons/*.png from web/icon.svg. To be run after a change of it.
//
//     node icons.mjs

import { readFile, writeFile } from 'node:fs/promises';
import { launch } from './browser.mjs';

const WEB = new URL('../../web/', import.meta.url);
/** Icons that the system cuts into its own shape have no corners of their own and keep to the middle. */
const ICONS = [
  { name: '192', side: 192, cut: false },
  { name: '512', side: 512, cut: false },
  { name: 'maskable-512', side: 512, cut: true },
  { name: 'apple-touch-180', side: 180, cut: true },
];

const svg = await readFile(new URL('icon.svg', WEB), 'utf8');
const browser = await launch();
try {
  for (const { name, side, cut } of ICONS) {
    const page = await browser.newPage({ viewport: { width: side, height: side } });
    const view = cut ? svg.replace('viewBox="0 0 32 32"', 'viewBox="-3 -3 38 38"').replace('width="32" height="32" rx="7"', 'x="-3" y="-3" width="38" height="38"') : svg;
    await page.setContent(`<style>* { margin: 0 } svg { display: block; width: ${side}px; height: ${side}px }</style>${view}`);
    await writeFile(new URL(`icons/${name}.png`, WEB), await page.screenshot({ omitBackground: true }));
    await page.close();
  }
} finally {
  await browser.close();
}
