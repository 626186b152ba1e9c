// The service worker: where the canvas cannot be reached, it says so with a page of our own. It never answers in place of a
// server that answers, and keeps nothing of the canvas and the API. So there is no version to raise: each visit gets the page of now, and
// asks for the kept files again ("visited"), which costs a few 304 when they are the same.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const CACHE = 'tessera-offline';
const LANGUAGES = ['en', 'de', 'fr', 'ar'];
const address = (/** @type {string} */ path) => new URL(path, worker.registration.scope).href;
const OFFLINE = address('offline.html');
const KEPT = [OFFLINE, ...['style.css', 'icon.svg', 'src/offline.js', 'src/words.js', ...LANGUAGES.map((it) => `src/lang/${it}.js`)].map(address)];

/** All or nothing: what is kept is of one version. */
async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(KEPT.map((url) => new Request(url, { cache: 'no-cache' })));
}

worker.addEventListener('install', (event) => {
  event.waitUntil(keep().then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(Promise.all([worker.clients.claim(), worker.registration.navigationPreload?.enable()]));
});

worker.addEventListener('message', (event) => {
  if (event.data === 'visited') event.waitUntil(keep().catch(() => {}));
});

// "Your next pixel is ready": back to the page that said so.
worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(front());
});

worker.addEventListener('fetch', (event) => {
  const { method, mode, url } = event.request;
  const [file] = url.split(/[?#]/, 1);
  if (mode === 'navigate') event.respondWith(server(event).catch(() => kept(OFFLINE)));
  else if (method === 'GET' && KEPT.includes(file)) event.respondWith(fetch(event.request).catch(() => kept(file)));
});

/** The server's answer, for which the browser may have asked while this was starting. @param {FetchEvent} event @returns {Promise<Response>} */
async function server(event) {
  return (await event.preloadResponse) ?? fetch(event.request);
}

async function front() {
  const [page] = await worker.clients.matchAll({ type: 'window' });
  await (page ? page.focus() : worker.clients.openWindow(address('./')));
}

/** @param {string} url */
async function kept(url) {
  const cache = await caches.open(CACHE);
  return (await cache.match(url)) ?? Response.error();
}
