// What the page says: every language says everything, in its own plural forms, and nothing is said past the language files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as words from '../../../web/src/words.js';
import en from '../../../web/src/lang/en.js';

const WEB = new URL('../../../web/', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, WEB), 'utf8');
const codes = /** @type {words.Code[]} */ (Object.keys(words.LANGUAGES));
const names = (/** @type {string} */ text) => [...new Set(text.match(/\{\w+\}/g))].sort().join(' ');
const forms = (/** @type {words.Phrase} */ phrase) => (typeof phrase === 'string' ? { other: phrase } : phrase);

test('there is a file for each language, and none besides', () => {
  assert.deepEqual(readdirSync(new URL('src/lang/', WEB)).sort(), codes.map((code) => `${code}.js`).sort());
  assert.ok(codes.length >= 4);
});

for (const code of codes) {
  test(`${code}: all keys, all placeholders, all plural forms`, async () => {
    const { default: own } = /** @type {{ default: Record<string, words.Phrase> }} */ (await import(`../../../web/src/lang/${code}.js`));
    assert.deepEqual(Object.keys(own), Object.keys(en), 'the same keys in the same order');
    const needed = new Intl.PluralRules(code).resolvedOptions().pluralCategories.sort();
    for (const [key, phrase] of Object.entries(own)) {
      const wanted = names(/** @type {string} */ (forms(/** @type {any} */ (en)[key]).other));
      assert.equal(names(forms(phrase).other ?? ''), wanted, `${code} ${key}`);
      if (typeof phrase === 'string') continue;
      assert.deepEqual(Object.keys(phrase).sort(), needed, `${code} ${key}: plural forms`);
      for (const form of Object.values(phrase)) {
        // One and two may be said in words, without the number.
        assert.ok([wanted, wanted.replace('{n}', '').trim()].includes(names(form)), `${code} ${key}: ${form}`);
      }
    }
    assert.doesNotMatch(read(`src/lang/${code}.js`), /TODO|FIXME/);
  });
}

test('translations are translations', async () => {
  // The same in both: names, signs, and words that the languages share.
  const shared = /^(zoom|online|aimed|color\.(orange|beige|magenta|indigo|turquoise|pink|brown))$/;
  for (const code of codes.filter((it) => it !== 'en')) {
    const { default: own } = await import(`../../../web/src/lang/${code}.js`);
    const same = Object.keys(en).filter((key) => JSON.stringify(own[key]) === JSON.stringify(/** @type {any} */ (en)[key]) && !shared.test(key));
    assert.deepEqual(same, [], `${code} says it in English`);
  }
});

test('the palette of a new canvas has a name in every language', () => {
  const source = readFileSync(new URL('../../../common/core/palette.c', import.meta.url), 'utf8');
  const colors = [...source.matchAll(/COLOR\(0x\w{6}, "([^"]+)"\)/g)].map((it) => `color.${it[1]}`);
  assert.equal(colors.length, 32);
  assert.deepEqual(Object.keys(en).filter((key) => key.startsWith('color.')), colors);
});

// ---- Nothing is said past the files ----------------------------------------------------------------------------------

/** Comments are not said. @param {string} code */
const bare = (code) => code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');

/** Literals that look like words for a reader: two words, or one with a capital or punctuation of a sentence. @param {string} code */
function spoken(code) {
  const text = bare(code).replace(/throw new Error\((?:[^()]|\([^()]*\))*\)|console\.\w+\([^)]*\)|new Error\([^)]*\)/g, '').replace(/#version 300 es[\s\S]*?`/g, '`');
  return [...text.matchAll(/'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g)].map((it) => it[1] ?? it[2].replace(/\$\{[^}]*\}/g, ''))
    .filter((it) => /^[A-Z][a-z]+(?: |…|\.|$)|[a-z]{2,} [a-z]{2,}.*[.!?…]$|…/.test(it));
}

test('no module says anything of its own', () => {
  // Names that the browser wants: keys, events of the keyboard, headers.
  const browser = /^(Arrow(Up|Down|Left|Right)|Enter|Escape|Tab|Home|End|Shift|Control|Alt|Meta|Space|Backspace|Delete|Page(Up|Down)|Key[A-Z]|Digit\d|Retry-After|Accept|Content-Type|Equal|Minus|Numpad\w+|Slash)$/;
  for (const file of readdirSync(new URL('src/', WEB)).filter((it) => it.endsWith('.js') && it !== 'words.js')) {
    assert.deepEqual(spoken(read(`src/${file}`)).filter((it) => !browser.test(it)), [], file);
  }
  assert.deepEqual(spoken("x.textContent = 'Something here'; y('done with it.'); z(`Wait…`); a('b', 'click')"), ['Something here', 'done with it.', 'Wait…']);
});

test('modules ask only for what the files say', () => {
  const keys = new Set(Object.keys(en));
  const used = new Set();
  const sources = readdirSync(new URL('src/', WEB)).filter((it) => it.endsWith('.js')).map((it) => read(`src/${it}`)).join('\n') + read('index.html') + read('offline.html');
  for (const [, key] of sources.matchAll(/data-say(?:-label|-title)?="([^"]+)"/g)) {
    assert.ok(keys.has(key), `index.html: ${key}`);
  }
  for (const key of keys) {
    const [head] = key.split('.');
    if (sources.includes(`'${key}'`) || sources.includes(`"${key}"`) || sources.includes(`\`${head}.\${`)) used.add(key);
  }
  assert.deepEqual([...keys].filter((key) => !used.has(key)), [], 'nobody says these');
});

for (const file of ['index.html', 'offline.html']) test(`${file} names a key wherever it says something`, () => {
  const html = read(file).replace(/<noscript>[\s\S]*?<\/noscript>/, '').replace(/<head>[\s\S]*?<\/head>/, '').replace(/<!--[\s\S]*?-->/g, '');
  for (const [tag, text] of [...html.matchAll(/(<[a-z][^>]*>)([^<]*)/g)].map((it) => [it[1], it[2].trim()])) {
    if (text && text !== 'Tessera') assert.match(tag, /data-say=/, `${tag}${text}`);
    if (/aria-label=/.test(tag.replace(/data-say-label=/, ''))) assert.match(tag, /data-say-label=/, tag);
    if (/\stitle=/.test(tag)) assert.match(tag, /data-say-title=/, tag);
    if (/placeholder=|alt="[^"]/.test(tag)) assert.fail(`${tag}: not translated`);
  }
});

test('the service worker keeps what the offline page is made of', () => {
  const worker = read('sw.js');
  const list = (/** @type {RegExp} */ form) => [.../** @type {RegExpExecArray} */ (form.exec(worker))[1].matchAll(/'([^']+)'/g)].map((it) => it[1]);
  assert.deepEqual(list(/LANGUAGES = \[([^\]]*)\]/), codes);
  const kept = list(/KEPT = \[OFFLINE, \.\.\.\[([^\]]*),/);
  const page = read('offline.html');
  for (const [, path] of page.matchAll(/(?:href|src)="([^"]+)"/g)) assert.ok(kept.includes(path), path);
  for (const path of kept.filter((it) => it.endsWith('.js'))) {
    for (const [, name] of read(path).matchAll(/from '\.\/([^']+)'/g)) assert.ok(kept.includes(`src/${name}`), `${path}: ${name}`);
  }
});

// ---- The functions -------------------------------------------------------------------------------------------------

test('the language is the first of the wanted that there is', () => {
  const pick = (/** @type {(string | null | undefined)[]} */ ...wanted) => words.pickLanguage(wanted);
  assert.deepEqual(pick(null, undefined, 'de-AT', 'en'), { code: 'de', tag: 'de-AT' });
  assert.deepEqual(pick('ar', 'de'), { code: 'ar', tag: 'ar' });
  assert.deepEqual(pick('xx', 'FR-ca'), { code: 'fr', tag: 'FR-ca' });
  assert.deepEqual(pick('constructor', 'nothing-there'), { code: 'en', tag: 'en' });
  assert.deepEqual(pick('de-!!'), { code: 'de', tag: 'de' });
  assert.deepEqual(pick(), { code: 'en', tag: 'en' });
});

test('numbers, plurals and durations are those of the language', async () => {
  await words.loadLanguage({ code: 'de', tag: 'de-DE' });
  assert.equal(words.say('online', { n: 12345 }), '12.345 online');
  assert.equal(words.about(120000), 'etwa 2 Minuten');
  assert.equal(words.ago(180000), 'vor 3 Minuten');
  assert.equal(words.decimal(1.25, 1), '1,3');
  assert.equal(words.colorName('dark red'), 'Dunkelrot');
  assert.equal(words.colorName('mauve'), 'mauve');
  assert.equal(words.colorName('toString'), 'toString');
  await words.loadLanguage({ code: 'ar', tag: 'ar-EG' });
  assert.deepEqual(words.language, { code: 'ar', dir: 'rtl' });
  assert.equal(words.say('online', { n: 1 }), 'شخص واحد متصل');
  assert.equal(words.say('online', { n: 5 }), '\u20685\u2069 أشخاص متصلون');
  assert.equal(words.say('online', { n: 12 }), '\u206812\u2069 شخصًا متصلًا');
  assert.equal(words.say('online', { n: 100 }), '\u2068100\u2069 شخص متصل');
  assert.equal(words.coords(40000, 7), '\u206640000, 7\u2069', 'x stays before y');
  assert.match(words.when(0), /1970/, 'digits are 0 to 9');
  await words.loadLanguage({ code: 'en', tag: 'en-US' });
  assert.deepEqual(words.language, { code: 'en', dir: 'ltr' });
  assert.equal(words.coords(40000, 7), '40000, 7');
  assert.equal(words.say('online', { n: 12345 }), '12,345 online');
  assert.deepEqual([0, 999, 61000, 3600e3, 86400e3, 1e12].map(words.ago), ['now', 'now', '1 minute ago', '1 hour ago', 'yesterday', '31 years ago']);
});
