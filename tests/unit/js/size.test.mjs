// The page is small enough to be loaded at once.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const WEB = new URL('../../../web/', import.meta.url);
const MOST = 100 * 1024;

const files = (/** @type {string} */ folder, /** @type {string} */ end) =>
  readdirSync(new URL(folder, WEB)).filter((it) => it.endsWith(end)).map((it) => folder + it);
/** As the gateway sends it. @param {string} path */
const packed = (path) => gzipSync(readFileSync(new URL(path, WEB)), { level: 9 }).length;

test('all scripts and styles, with the largest of the languages, are no more than 100 KB as they travel', () => {
  const sizes = [...files('src/', '.js'), ...files('', '.js'), ...files('', '.css')].map(packed);
  const languages = files('src/lang/', '.js').map(packed);
  const total = sizes.reduce((sum, it) => sum + it, 0) + Math.max(...languages);
  assert.ok(sizes.length > 20 && total <= MOST, `${total} bytes of ${MOST}`);
});

test('a module that is needed at the start is asked for at once, not when the one before has come', () => {
  const preloaded = [...readFileSync(new URL('index.html', WEB), 'utf8').matchAll(/rel="modulepreload" href="([^"]+)"/g)].map((it) => it[1]);
  const needed = new Set();
  const walk = (/** @type {string} */ path) => {
    if (needed.has(path)) return;
    needed.add(path);
    for (const [, name] of readFileSync(new URL(path, WEB), 'utf8').matchAll(/^(?:import|export)[^;]*? from '\.\/([^']+)';/gms)) walk(`src/${name}`);
  };
  walk('src/main.js');
  needed.delete('src/main.js');
  assert.deepEqual([...preloaded].sort(), [...needed].sort());
});

test('no dependency at run time, and nothing of another server', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', WEB), 'utf8'));
  assert.equal(dependencies, undefined);
  for (const path of [...files('src/', '.js'), ...files('', '.html'), ...files('', '.css')]) {
    const text = readFileSync(new URL(path, WEB), 'utf8');
    assert.doesNotMatch(text, /(?:src|href)="(?:https?:)?\/\/|from '[^.]|import\(\s*['"`][^.]|@import|url\(\s*['"]?https?:/, path);
  }
});
